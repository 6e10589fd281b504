"""Lab 4, a solution."""

from pfm.lab.firstfit import FirstFit
from pfm.lab.trace import Trace


def unusable(ranges, count):
    """Return the unusable free space index, for any `count` in place of a block's order."""
    lengths = [frames for _, frames in ranges]
    return sum([frames for frames in lengths if frames < count]) / (sum(lengths) or 1)


def _on_two_ranges(count, requests):
    """Return a trace that asks for `requests` when ranges of 1300 and 1200 frames are free.

    Source: Knuth, The Art of Computer Programming, volume 1, 2.5, the example for both methods.
    """
    trace = Trace()
    first = trace.alloc(1300)
    trace.alloc(1)
    second = trace.alloc(1200)
    trace.alloc(count - 2501)
    trace.free(first)
    trace.free(second)
    for frames in requests:
        trace.alloc(frames)
    return trace


def worse_for_best_fit(count):
    """Best fit leaves 200 and 200 frames, first fit 300 and 100."""
    return _on_two_ranges(count, (1000, 1100, 250))


def worse_for_first_fit(count):
    """First fit leaves 200 and 150 frames, best fit 250 and 100."""
    return _on_two_ranges(count, (1100, 1050, 250))


def worse_for_buddies(count):
    """More than half of the frames would need a block of more frames than there are."""
    trace = Trace()
    trace.alloc(count // 2 + 1)
    return trace


class OwnPolicy(FirstFit):
    """First fit for large allocations; small ones are taken from the end of the highest range."""

    SMALL = 8

    def alloc(self, count):
        """Return the first of `count` frames, 0 if there are none."""
        if count >= self.SMALL:
            return super().alloc(count)
        for at in range(len(self.ranges) - 1, -1, -1):
            first, free = self.ranges[at]
            if free > count:
                self.ranges[at] = first, free - count
                return first + free - count
            if free == count:
                del self.ranges[at]
                return first
        return 0
