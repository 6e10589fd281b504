# SPDX-License-Identifier: MIT OR Apache-2.0
"""How much of the free memory the Python heap and the RAM disk may request."""

from micropython import const

from pfm.address import PAGE_SHIFT, PAGE_SIZE

# An eighth of the free frames is left for page tables and for programs.
_LEFT_SHIFT = const(3)
# If the reserve is larger, the reserve is left; but a quarter of the free frames may always be
# taken.
_LEAST_SHIFT = const(2)


def frames(size):
    """Return the number of frames that hold `size` bytes."""
    return (size + PAGE_SIZE - 1) >> PAGE_SHIFT


def ordered(manager, size, reserve):
    """Return how many of the free frames a request for `size` bytes gets.

    `reserve` frames are to be left.
    """
    free = sum(manager.count_free())
    most = max(free - max(free >> _LEFT_SHIFT, reserve), free >> _LEAST_SHIFT)
    return min(frames(size), most)
