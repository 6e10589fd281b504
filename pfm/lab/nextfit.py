"""Next fit: the first free range that is long enough, from where the last search ended.

Source: Knuth, The Art of Computer Programming, volume 1, 2.5, exercise 6.
"""

from .firstfit import FirstFit


class NextFit(FirstFit):
    """First fit that goes round: a search begins at the frame after the last allocation."""

    def __init__(self, first, count):
        super().__init__(first, count)
        self._next = first

    def alloc(self, count):
        """Allocate as first fit does, and note where the frames end."""
        pfn = super().alloc(count)
        if pfn:
            self._next = pfn + count
        return pfn

    def choose(self, count):
        """Return the index of the next range of at least `count` frames, -1 for none."""
        ranges = self.ranges
        start = self._place(self._next)
        for step in range(len(ranges)):
            at = (start + step) % len(ranges)
            if ranges[at][1] >= count:
                return at
        return -1
