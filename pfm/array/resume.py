"""Continuing with an array that outlived the interpreter, as it does across a soft reset.

A soft reset discards every Python object but keeps the rest of memory: the kernel keeps a
struct (SAVED) of where everything is, from which the next manager resumes.  Blocks owned by
Python objects are freed; those whose tag is in a list of lasting owners stay allocated.
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
_USED = const(2)
_STATE_KIND_SHIFT = const(5)
_ORDER_MASK = const(31)
_STATE_SHIFT = const(24)
_WORD_RC = const(3)
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
