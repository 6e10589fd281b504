# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Python heap's share of RAM: the frame manager's first customer."""

import kernel
import owners
from micropython import const

from pfm import OutOfFramesError
from pfm.address import PAGE_SHIFT

# Half of what is free, and what the collector's tables make no sense beyond.
_SHARE_SHIFT = const(1)
_SHARE_MAX = const(16 << 30)

# The heap takes ranges of 1 MiB and more, and notes up to 16 of them (kernel/heap.c).
_RANGE_MIN = const(256)
_RANGES_MAX = const(16)


def grow(manager, size=None):
    """Reserve `size` bytes of frames, by default half of the free ones, for the Python heap.

    The collector takes of them what it needs.  Returns the bytes reserved, which are
    fewer where free memory lies in too many pieces or runs out.
    """
    if size is None:
        size = min(sum(manager.free_frames()) << PAGE_SHIFT >> _SHARE_SHIFT, _SHARE_MAX)
    wanted = size >> PAGE_SHIFT
    taken = 0
    ranges = 0
    count = wanted
    while taken < wanted and ranges < _RANGES_MAX and count >= _RANGE_MIN:
        count = min(count, wanted - taken)
        try:
            pfn = manager.alloc_pages(count, tag=owners.HEAP)
        except OutOfFramesError:
            count >>= 1
            continue
        kernel.heap_reserve(manager.as_virt(pfn << PAGE_SHIFT), count << PAGE_SHIFT)
        taken += count
        ranges += 1
    return taken << PAGE_SHIFT
