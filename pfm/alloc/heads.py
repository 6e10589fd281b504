"""The head of an allocated block or run: written, read and cleared.

While its head is written, a block is on no free list and no caller has it.  Nothing here uses
the Python heap.
"""

import micropython
from micropython import const

# frame/entry.py
_ENTRY_SHIFT = const(5)
_ORDER_MASK = const(31)
_STATE_SHIFT = const(24)
_KIND_SHIFT = const(29)
_WORD_NEXT = const(1)
_WORD_PREV = const(2)
_WORD_RC = const(3)
_RC_SHIFT = const(16)
_WORD_LIST_LOW = const(4)
_WORD_LIST_HIGH = const(5)
_WORD_TAG = const(7)


@micropython.viper
def write(base: int, pfn: int, word: int, count: int, tag: int):
    """Write the head of an allocated block or run, with one reference.

    `word` is its first word, `count` the number of frames of a run (0 for a block), `tag` who
    allocated.
    """
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    e[0] = word
    e[_WORD_NEXT] = count
    e[_WORD_PREV] = 0
    e[_WORD_RC] = 1 << _RC_SHIFT
    e[_WORD_LIST_LOW] = 0
    e[_WORD_LIST_HIGH] = 0
    e[_WORD_TAG] = tag


@micropython.viper
def forget(entry: int) -> int:
    """Make the head of a block that no caller has yet a TAIL; return its first word.

    The other words stay, as `drop_ref` leaves them.
    """
    e = ptr32(entry)
    word = int(e[0])
    e[0] = 0
    return word


@micropython.viper
def forget_part(entry: int) -> int:
    """Make the head of a run's part a TAIL; return the order that it had."""
    e = ptr32(entry)
    word = int(e[0])
    e[0] = 0
    return (word >> _STATE_SHIFT) & _ORDER_MASK


@micropython.viper
def clear_entries(base: int, start: int, end: int):
    """Make the entries `start`..`end` TAIL.  A lock that a guard holds stays held."""
    while start < end:
        e = ptr32(base + (start << _ENTRY_SHIFT))
        e[0] = 0
        e[_WORD_NEXT] = 0
        e[_WORD_PREV] = 0
        e[_WORD_RC] = 0
        e[_WORD_LIST_LOW] = 0
        e[_WORD_LIST_HIGH] = 0
        e[_WORD_TAG] = 0
        start += 1


@micropython.viper
def kind(entry: int) -> int:
    """Return the kind of an entry."""
    return int(ptr32(entry)[0]) >> _KIND_SHIFT


@micropython.viper
def run_length(entry: int) -> int:
    """Return the number of frames of the run that a used entry heads, 0 if it heads a block."""
    return int(ptr32(entry)[_WORD_NEXT])
