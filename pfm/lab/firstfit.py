"""First fit: the lowest free range that is long enough.

Source: Knuth, The Art of Computer Programming, volume 1, 2.5, algorithms A and B.
"""


class FirstFit:
    """Keeps the free ranges in order, as (first frame, count), no two of them adjacent."""

    def __init__(self, first, count):
        self.ranges = [(first, count)]

    def alloc(self, count):
        """Return `count` frames from the start of the range that `choose` picks, 0 for none."""
        at = self.choose(count)
        if at < 0:
            return 0
        first, free = self.ranges[at]
        if free == count:
            del self.ranges[at]
        else:
            self.ranges[at] = first + count, free - count
        return first

    def choose(self, count):
        """Return the index of a range of at least `count` frames, -1 for none."""
        for at, (_, free) in enumerate(self.ranges):
            if free >= count:
                return at
        return -1

    def free(self, pfn, count):
        """Put the frames back, joined with the ranges before and after them."""
        at = self._place(pfn)
        ranges = self.ranges
        if at < len(ranges) and ranges[at][0] == pfn + count:
            count += ranges[at][1]
            del ranges[at]
        if at and sum(ranges[at - 1]) == pfn:
            ranges[at - 1] = ranges[at - 1][0], ranges[at - 1][1] + count
        else:
            ranges.insert(at, (pfn, count))

    def _place(self, pfn):
        """Return the index of the first range after `pfn`, by halving."""
        low, high = 0, len(self.ranges)
        while low < high:
            middle = (low + high) // 2
            if self.ranges[middle][0] < pfn:
                low = middle + 1
            else:
                high = middle
        return low

    def free_ranges(self):
        """Return the free ranges in order."""
        return self.ranges
