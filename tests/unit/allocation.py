"""What the allocator's tests share: looks at the free lists, and errors that change nothing."""

import gc

import micropython
import uctypes
from ktap import equal, raises, skip

from pfm.alloc.zone import ORDER_MAX, zone_at
from pfm.array.populate import populate_range
from pfm.control import ZONES
from pfm.frame.entry import ENTRY_SHIFT, PageFrame

# What `overwrite` stores.
OVERWRITTEN = 0x12345678
_WORD = {"word": 0 | uctypes.UINT32}


def entry(pfm, pfn):
    """Return the entry of a frame as a struct, which may be written to."""
    populate_range(pfm._zones[0], pfm._base, pfn, pfn + 1)
    return PageFrame.at(pfm.array.base + (pfn << ENTRY_SHIFT))


def zone(pfm, number):
    """Return the state of a zone as a struct."""
    return zone_at(pfm._zones[0], number)


def overwrite(pfm, pfn, offset=0):
    """Write to a frame through the HHDM, as code with a stale pointer does."""
    uctypes.struct(pfm.as_virt((pfn << 12) + offset), _WORD).word = OVERWRITTEN


def lists(pfm):
    """Return the lengths of the free lists, for each zone a list by order, the magazine drained."""
    pfm.drain()
    return [
        [zone(pfm, z).lists[order].blocks for order in range(ORDER_MAX + 1)] for z in range(ZONES)
    ]


def refused(pfm, error, call, *args, **kwargs):
    """Expect exactly that error, nothing changed by it, and every invariant; return the error."""
    free = pfm.count_free()
    walked = pfm.check()
    found = raises(error, call, *args, **kwargs)
    equal(pfm.count_free(), free)
    after = pfm.check()
    equal((after.used, after.frames), (walked.used, walked.frames))
    return found


def without_heap(call, argument):
    """Call with the heap locked, expect that not a byte of it was taken, and return the result."""
    if not hasattr(micropython, "heap_lock"):
        skip("micropython.heap_lock() is not there")
    gc.collect()
    before = gc.mem_alloc()
    micropython.heap_lock()
    try:
        result = call(argument)
    finally:
        micropython.heap_unlock()
    equal(gc.mem_alloc(), before)
    return result
