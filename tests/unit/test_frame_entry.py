"""pfm/frame/entry.py: the layout of an entry, in the words of the loops and in the fields of the struct."""

from array import array

from ktap import equal
from uctypes import addressof, bytearray_at, sizeof

from pfm import PageFrame
from pfm.frame import entry
from pfm.frame.entry import ENTRY_SIZE, KIND_NAMES, USED, state_of

ONE_PATH = "only the layout"


def _stored(field, value):
    """Return the words of an entry in which only that field is not 0."""
    words = array("I", bytes(ENTRY_SIZE))
    setattr(PageFrame.at(addressof(words)), field, value)
    return list(words)


def _words(**values):
    words = [0] * entry.ENTRY_WORDS
    for name, value in values.items():
        words[getattr(entry, name)] = value
    return words


def test_size():
    equal((sizeof(PageFrame.LAYOUT), PageFrame.SIZE, 1 << entry.ENTRY_SHIFT), (32, 32, 32))


def test_fields_in_words():
    first = [0] * (entry.ENTRY_WORDS - 1)
    equal(_stored("flags", 0xFFFF), [0xFFFF] + first)
    equal(_stored("order", 0xFF), [0xFF << entry.ORDER_SHIFT] + first)
    equal(_stored("state", 0xFF), [0xFF << entry.STATE_SHIFT] + first)
    equal(_stored("next", 0xFFFFFFFF), _words(WORD_NEXT=0xFFFFFFFF))
    equal(_stored("prev", 0xFFFFFFFF), _words(WORD_PREV=0xFFFFFFFF))
    equal(_stored("size_class", 0xFF), _words(WORD_RC=0xFF))
    equal(_stored("rc", 0xFFFF), _words(WORD_RC=0xFFFF << entry.RC_SHIFT))
    equal(_stored("freelist_va", 1 << 63 | 1), _words(WORD_LIST_LOW=1, WORD_LIST_HIGH=1 << 31))
    equal(_stored("lock", 0xFFFFFFFF), _words(WORD_LOCK=0xFFFFFFFF))
    equal(_stored("tag", 0xFFFFFFFF), _words(WORD_TAG=0xFFFFFFFF))


def test_bytes_and_bits_of_their_own():
    words = array("I", bytes(ENTRY_SIZE))
    found = bytearray_at(addressof(words), ENTRY_SIZE)
    words[entry.WORD_RC] = entry.SHARED_BIT
    equal([at for at in range(ENTRY_SIZE) if found[at]], [entry.BYTE_SHARED])
    words[entry.WORD_RC] = 0
    PageFrame.at(addressof(words)).state = 0xFF
    equal([at for at in range(ENTRY_SIZE) if found[at]], [entry.BYTE_STATE])
    PageFrame.at(addressof(words)).state = 0
    PageFrame.at(addressof(words)).lock = 0xFFFFFFFF
    equal([at for at in range(ENTRY_SIZE) if found[at]][0], entry.LOCK_OFFSET)


def test_state_is_kind_and_order():
    equal(state_of(USED, 18), USED << 5 | 18)
    for kind in range(len(KIND_NAMES)):
        state = state_of(kind, 18)
        equal((state >> entry.STATE_KIND_SHIFT, state & entry.ORDER_MASK), (kind, 18))
        equal(state << entry.STATE_SHIFT >> entry.KIND_SHIFT, kind)
