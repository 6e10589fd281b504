"""Who owns each frame, and what its owner wrote to it.

The table has a word for each frame: 0 if nobody has it, or its owner.  A stamp is the owner
and a number of its own, written to the frame or the object; so what was given out twice is
seen at once.
"""

import micropython

# Owner of what is in the box (box.py); processors have their numbers, from 1.
BOX = 0xFF


@micropython.viper
def claim(table: ptr32, hhdm: int, at: int, end: int, old: int, new: int, stamp: int) -> int:
    """Make the frames `at`..`end` `new`'s and stamp them; return the first that is not `old`'s, or `end`."""
    while at < end:
        if int(table[at]) != old:
            break
        table[at] = new
        page = ptr32(hhdm + (at << 12))
        page[0] = stamp
        page[1] = at
        page[1022] = at
        page[1023] = stamp
        at += 1
    return at


@micropython.viper
def compare(table: ptr32, hhdm: int, at: int, end: int, owner: int, stamp: int) -> int:
    """Return the first of the frames `at`..`end` that is not `owner`'s with that stamp, or `end`."""
    while at < end:
        page = ptr32(hhdm + (at << 12))
        if (
            int(table[at]) != owner
            or int(page[0]) != stamp
            or int(page[1]) != at
            or int(page[1022]) != at
            or int(page[1023]) != stamp
        ):
            break
        at += 1
    return at


@micropython.viper
def release(table: ptr32, at: int, end: int):
    """Make the frames nobody's, just before they are freed."""
    while at < end:
        table[at] = 0
        at += 1


@micropython.viper
def forget(table: ptr32, count: int, owner: int):
    """Make all frames of `owner` nobody's."""
    at = 0
    while at < count:
        if int(table[at]) == owner:
            table[at] = 0
        at += 1


@micropython.viper
def is_zero(virt: int, words: int) -> bool:
    """Return whether so many words of 32 bits are 0."""
    at = 0
    while at < words:
        if int(ptr32(virt)[at]):
            return False
        at += 1
    return True


@micropython.viper
def fill(virt: int, words: int, stamp: int):
    """Write the stamp to so many words."""
    at = 0
    while at < words:
        ptr32(virt)[at] = stamp
        at += 1


@micropython.viper
def filled(virt: int, words: int, stamp: int) -> bool:
    """Return whether so many words have the stamp."""
    at = 0
    while at < words:
        if int(ptr32(virt)[at]) != stamp:
            return False
        at += 1
    return True
