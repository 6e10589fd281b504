# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Python heap's share of RAM: the frame manager's first customer."""

import kernel
import owners
import shares
from micropython import const

from pfm import OutOfFramesError
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.paging.tables import WRITE

# Half of what is free, at most 16 GiB, beyond which the collector's tables cost too much; in frames.
_SHARE_SHIFT = const(1)
_SHARE_MAX = const(1 << 22)

# Frames that an order leaves, of which the RAM disk gets some: 8 MiB.
_RESERVE = const(2048)
# What `reserve` of an address space is wide, 512 GiB, in frames.
_RANGE_MAX = const(1 << 27)

# Runs of frames smaller than this are not worth a search: 1 MiB, in frames.
_RUN_MIN = const(256)
# A page of 2 MiB, in frames.
_LARGE = const(512)


def grow(manager, size=None):
    """Reserve `size` bytes, by default half of the free memory, for the Python heap to take as it needs.

    The range is contiguous in virtual addresses, whatever runs of frames are
    behind it.  Returns the bytes reserved: whole pages, and fewer than asked for where
    others need what is free (shares.py) or it lies in pieces of less than 1 MiB.
    """
    if size is None:
        wanted = min(sum(manager.count_free()) >> _SHARE_SHIFT, _SHARE_MAX)
    else:
        wanted = min(shares.ordered(manager, size, _RESERVE), _RANGE_MAX)
    if not wanted:
        return 0
    virt = manager.space.reserve(wanted)
    taken = 0
    count = wanted
    while taken < wanted and count >= min(_RUN_MIN, wanted - taken):
        count = min(count, wanted - taken)
        # Large pages map whatever is large and aligned.
        align = _LARGE if count >= _LARGE else 1
        count -= count % align
        try:
            pfn = manager.alloc_contiguous(count, align, tag=owners.HEAP)
        except OutOfFramesError:
            count >>= 1
            continue
        try:
            manager.space.map(virt + taken * PAGE_SIZE, pfn << PAGE_SHIFT, count, WRITE)
        except OutOfFramesError:
            # No frame is left for a page table.
            manager.free(pfn)
            break
        taken += count
    if taken:
        kernel.heap_reserve(virt, taken << PAGE_SHIFT)
    return taken << PAGE_SHIFT
