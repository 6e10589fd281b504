"""Lab 4: fragmentation, measured, provoked, and avoided.

A trace is made by `trace.alloc(frames)`, which returns a number, and `trace.free(number)`.
"""

from pfm.lab.firstfit import FirstFit
from pfm.lab.trace import Trace


def unusable(ranges, count):
    """Return the share, 0 to 1, of the free frames that lie in ranges of less than `count` frames.

    `ranges` has (first frame, frames) of each free range.  It is 0 if nothing is free.
    """
    return 0.0


def worse_for_best_fit(count):
    """Return a trace, on `count` free frames, that first fit can do and best fit can not."""
    return Trace()


def worse_for_first_fit(count):
    """Return a trace, on `count` free frames, that best fit can do and first fit can not."""
    return Trace()


def worse_for_buddies(count):
    """Return a trace, on `count` free frames, that first fit can do and the buddy system can not."""
    return Trace()


class OwnPolicy(FirstFit):
    """A policy that keeps small allocations, which are rarely freed, out of the way of large ones."""
