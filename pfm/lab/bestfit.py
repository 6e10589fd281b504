"""Best fit: the shortest free range that is long enough, the lowest of several.

Source: Knuth, The Art of Computer Programming, volume 1, 2.5.
"""

from .firstfit import FirstFit


class BestFit(FirstFit):
    """First fit that looks at every range."""

    def choose(self, count):
        """Return the index of the shortest range of at least `count` frames, -1 for none."""
        best, shortest = -1, 0
        for at, (_, free) in enumerate(self.ranges):
            if free >= count and (best < 0 or free < shortest):
                best, shortest = at, free
        return best
