"""Lab 1: which frames does a memory map leave to the buddy system, and in which blocks?

Ranges of frames are pairs (first frame, frame after the last).
"""

from pfm.address import PAGE_SHIFT
from pfm.alloc.zone import ORDER_MAX, Zone
from pfm.memmap import protocol


def usable_ranges(entries):
    """Return the usable frames of a memory map as a sorted list of ranges, none adjacent.

    `entries` is a list of (base, length, type) in bytes, in any order.
    """
    return [
        (base >> PAGE_SHIFT, base + length >> PAGE_SHIFT)
        for base, length, kind in sorted(entries)
        if kind == protocol.USABLE
    ]


def free_blocks(start, end):
    """Return the blocks (first frame, order) in which the free frames `start`..`end` lie."""
    return [(pfn, 0) for pfn in range(start, end)]


def blocks_by_order(ranges):
    """Return how many free blocks the ranges make: blocks[zone][order]."""
    return [[0] * (ORDER_MAX + 1) for _ in Zone.NAMES]
