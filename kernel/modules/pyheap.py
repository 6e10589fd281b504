# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Python heap's share of RAM: the frame manager's first customer."""

import kernel
import owners
from micropython import const

from pfm import OutOfFramesError
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.paging import WRITE

# Half of what is free, and what the collector's tables make no sense beyond.
_SHARE_SHIFT = const(1)
_SHARE_MAX = const(16 << 30)

# Runs of frames smaller than this are not worth a search: 1 MiB, in frames.
_RUN_MIN = const(256)
# A page of 2 MiB, in frames.
_LARGE = const(512)


def grow(manager, size=None):
    """Reserve `size` bytes, by default half of the free memory, for the Python heap to take as it needs.

    The range is contiguous in virtual addresses, whatever runs of frames are
    behind it.  Returns the bytes reserved, which are fewer where free memory runs
    out or lies in pieces of less than 1 MiB.
    """
    if size is None:
        size = min(sum(manager.free_frames()) << PAGE_SHIFT >> _SHARE_SHIFT, _SHARE_MAX)
    wanted = size >> PAGE_SHIFT
    if not wanted:
        return 0
    virt = manager.space.reserve(wanted)
    taken = 0
    count = wanted
    while taken < wanted and count >= _RUN_MIN:
        count = min(count, wanted - taken)
        # Large pages map whatever is large and aligned.
        align = _LARGE if count >= _LARGE else 1
        count -= count % align
        try:
            pfn = manager.alloc_pages(count, align, tag=owners.HEAP)
        except OutOfFramesError:
            count >>= 1
            continue
        manager.space.map(virt + taken * PAGE_SIZE, pfn << PAGE_SHIFT, count, WRITE)
        taken += count
    if taken:
        kernel.heap_reserve(virt, taken << PAGE_SHIFT)
    return taken << PAGE_SHIFT
