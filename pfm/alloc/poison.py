"""Poison: the pattern that debug mode writes to freed frames and verifies on allocation.

A word that differs was written while the frame was free.  The tag of a frame's entry says that
the frame is poisoned, so frames that were never freed are not checked.
"""

import micropython
from micropython import const

from ..array.populate import populate_range
from ..fill import words

# address.py
_PAGE_SHIFT = const(12)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_WORD_TAG = const(7)

# The value of each word of a poisoned frame, and the tag of its entry.
POISON = const(0x2AFEF1EE)
_POISONED = const(0x2A756E6B)

# Words of a frame.
_FRAME_WORDS = const(1024)


@micropython.viper
def poison(control: int, hhdm: int, base: int, pfn: int, count: int):
    """Fill `count` frames with poison and mark their entries as poisoned."""
    populate_range(control, base, pfn, pfn + count)
    while count:
        words(hhdm + (pfn << _PAGE_SHIFT), int(_FRAME_WORDS), int(POISON))
        ptr32(base + (pfn << _ENTRY_SHIFT))[_WORD_TAG] = _POISONED
        pfn += 1
        count -= 1


@micropython.viper
def poison_many(element: int, end: int, control: int, hhdm: int, base: int):
    """Poison each frame of the array elements from the address `element` to `end`."""
    while element < end:
        poison(control, hhdm, base, int(ptr32(element)[0]), 1)
        element += 4


@micropython.viper
def spoiled(hhdm: int, base: int, pfn: int, count: int) -> int:
    """Return the physical address of the first word in `count` frames that is not poison, or 0.

    Checks the frames that are marked as poisoned, and clears the marks.
    """
    found = 0
    while count:
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
        if int(e[_WORD_TAG]) == _POISONED:
            e[_WORD_TAG] = 0
            words = ptr32(hhdm + (pfn << _PAGE_SHIFT))
            i = 0
            while i < _FRAME_WORDS:
                if int(words[i]) != POISON:
                    if found == 0:
                        found = (pfn << _PAGE_SHIFT) + (i << 2)
                    i = _FRAME_WORDS
                i += 1
        pfn += 1
        count -= 1
    return found


@micropython.viper
def spoiled_many(element: int, end: int, hhdm: int, base: int, tag: int) -> int:
    """Check the single used frames of the array elements from `element` to `end` for poison.

    Sets their tags to `tag`.  Returns the physical address of the first word that is not
    poison, or 0.
    """
    found = 0
    while element < end:
        pfn = int(ptr32(element)[0])
        phys = int(spoiled(hhdm, base, pfn, 1))
        ptr32(base + (pfn << _ENTRY_SHIFT))[_WORD_TAG] = tag
        if found == 0:
            found = phys
        element += 4
    return found


@micropython.viper
def word_at(virt: int) -> int:
    """Return the 32-bit word at the address `virt`, without the Python heap."""
    return int(ptr32(virt)[0])
