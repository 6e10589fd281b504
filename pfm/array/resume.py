"""Continuing with an array that outlived the interpreter, as it does across a soft reset.

A soft reset discards every Python object but keeps the rest of memory: the kernel keeps a
struct (SAVED) of where everything is, from which the next manager resumes.  Blocks owned by
Python objects are freed; those whose tag is in a list of lasting owners stay allocated.

A thread may have been ended inside a call, between two sections: after a block was taken off the
lists and before its head was written, or after its last reference was dropped and before it was
given back.  Its frames are in no block then, and are given back.
"""

import micropython
import uctypes
from micropython import const

# control.py
_ZONE_SHIFT = const(8)
_ZONES = const(3)
_POOL_OFFSET = const(768)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_GRANULE_SHIFT = const(7)
_GRANULE = const(128)
_TAIL = const(0)
_USED = const(2)
_PART = const(3)
_CACHED = const(4)
_COMPOUND_TAIL = const(5)
_STATE_KIND_SHIFT = const(5)
_ORDER_MASK = const(31)
_STATE_SHIFT = const(24)
_KIND_SHIFT = const(29)
_WORD_NEXT = const(1)
_WORD_RC = const(3)
_RC_SHIFT = const(16)
_SHARED_MASK = const(0xFF00)
_WORD_LOCK = const(6)

# "pfm" and a version of the layout.
MAGIC = const(0x70666D02)

SAVED = {
    "magic": 0 | uctypes.UINT32,
    "processors": 4 | uctypes.UINT32,
    "base": 8 | uctypes.UINT64,
    "start_phys": 16 | uctypes.UINT64,
    "tables_phys": 24 | uctypes.UINT64,
    "end_phys": 32 | uctypes.UINT64,
    "debug": 40 | uctypes.UINT8,
    "bootloader_reclaimed": 41 | uctypes.UINT8,
    "acpi_reclaimed": 42 | uctypes.UINT8,
}


@micropython.viper
def next_used(base: int, start: int, end: int) -> int:
    """Return the first head of an allocated block in `start`..`end`, `end` if there is none.

    `start` is a block's head, and blocks tile the range.  Cost: a step per block.
    """
    while start < end:
        state = int(ptr32(base + (start << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT
        if (state >> _STATE_KIND_SHIFT) == _USED:
            return start
        start += 1 << (state & _ORDER_MASK)
    return end


@micropython.viper
def next_lost(base: int, start: int, end: int) -> int:
    """Return the first frame in `start`..`end` where a block should begin and none does, or `end`.

    `start` is such a place, and no magazine has frames.  Cost: a step per block.
    """
    while start < end:
        e = ptr32(base + (start << _ENTRY_SHIFT))
        kind = int(e[0]) >> _KIND_SHIFT
        if kind == _TAIL or kind == _PART or kind == _CACHED or kind == _COMPOUND_TAIL:
            break
        if kind == _USED and int(e[_WORD_NEXT]):
            # A run, with its parts.
            start += int(e[_WORD_NEXT])
        else:
            start += 1 << (int(e[0]) >> _STATE_SHIFT & _ORDER_MASK)
    return start


@micropython.viper
def clear_lost(base: int, start: int, end: int) -> int:
    """Make the entries from the lost frame `start` to the next block TAIL; return where that begins.

    Cost: a look at each entry.  Entries of shared pages are so already.
    """
    while start < end:
        e = ptr32(base + (start << _ENTRY_SHIFT))
        kind = int(e[0]) >> _KIND_SHIFT
        if kind != _TAIL and kind != _PART and kind != _CACHED and kind != _COMPOUND_TAIL:
            break
        if int(e[0]):
            e[0] = 0
        if int(e[_WORD_RC]) >> _RC_SHIFT:
            e[_WORD_RC] = int(e[_WORD_RC]) & 0xFFFF
        start += 1
    return start


@micropython.viper
def unlock_control(control: int):
    """Release the locks of the zones and of the pool in the control page at `control`."""
    zone = 0
    while zone < _ZONES:
        ptr32(control + (zone << _ZONE_SHIFT))[0] = 0
        zone += 1
    ptr32(control + _POOL_OFFSET)[0] = 0


@micropython.viper
def unlock(base: int, start: int, end: int):
    """Release the locks of the entries `start`..`end`, whose holders no longer exist.

    Skips shared pages, which were never written.
    """
    while start < end:
        e = ptr32(base + (start << _ENTRY_SHIFT))
        if int(e[_WORD_RC]) & _SHARED_MASK:
            start = (start >> _GRANULE_SHIFT << _GRANULE_SHIFT) + _GRANULE
            continue
        if int(e[_WORD_LOCK]):
            e[_WORD_LOCK] = 0
        start += 1
