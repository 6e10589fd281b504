# SPDX-License-Identifier: MIT OR Apache-2.0
"""How much of the free memory may be ordered for the Python heap and the RAM disk."""

from micropython import const

from pfm.address import PAGE_SHIFT, PAGE_SIZE

# An eighth of what is free is left to everyone else: page tables, and programs that allocate frames.
_LEFT_SHIFT = const(3)
# Where that is less than the reserve, the reserve is left; but a quarter of what is free can always be had.
_LEAST_SHIFT = const(2)


def frames(size):
    """Return in how many frames `size` bytes lie."""
    return (size + PAGE_SIZE - 1) >> PAGE_SHIFT


def ordered(manager, size, reserve):
    """Return how many frames an order of `size` bytes gets of those now free, `reserve` of which it is to leave."""
    free = sum(manager.count_free())
    most = max(free - max(free >> _LEFT_SHIFT, reserve), free >> _LEAST_SHIFT)
    return min(frames(size), most)
