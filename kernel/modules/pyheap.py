# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Python heap's share of RAM, allocated from the frame manager."""

import kernel
import owners
import shares
from micropython import const

from pfm import OutOfFramesError
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.paging.tables import WRITE

# Half of the free frames, but at most 16 GiB, beyond which the collector's tables cost too
# much; in frames.
_SHARE_SHIFT = const(1)
_SHARE_MAX = const(1 << 22)

# Frames that a requested size leaves free, in part for the RAM disk: 8 MiB.
_RESERVE = const(2048)
# The width of an address space's `reserve`, 512 GiB, in frames.
_RANGE_MAX = const(1 << 27)

# Smaller runs of frames are not worth a search: 1 MiB, in frames.
_RUN_MIN = const(256)
# A page of 2 MiB, in frames.
_LARGE = const(512)


def grow(manager, size=None):
    """Reserve `size` bytes for the Python heap, by default half of the free memory.

    The heap takes them as it needs them.  The range is contiguous in virtual addresses; the
    runs of frames behind it are not.  Returns the bytes reserved, in whole pages: fewer than
    requested if others need the free frames (shares.py) or these are in pieces of less than 1
    MiB.
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
        # Aligned, so that large pages map it.
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
