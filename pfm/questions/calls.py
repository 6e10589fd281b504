"""The manager's answers to questions, as values that print as tables.

Like the reports, none takes a lock, and each costs at most a walk over the blocks in viper.
"""

from ..alloc.zone import ORDER_MAX, zone_number
from ..arguments import number
from ..control import ZONES
from ..errors import NoCallSitesError
from ..tags import tag_number
from .blocks import BlockList
from .fragmentation import Fragmentation
from .history import SAMPLES, History
from .largest import LargestFree
from .owners import Owners
from .sites import CallSites
from .snapshot import Leaks, Snapshot


class Questions:
    """The part of `PageFrameManager` that answers questions.

    All calls raise NotInitialisedError before init.
    """

    def blocks(self, kind=None, zone=None, tag=None):
        """Return the blocks of a kind, in a zone, with a tag, as `BlockList`.

        `kind` is "free", "used", "cached" or "reserved"; only allocations have a tag.  Iterating
        yields a `Block` for each; an allocated run is one.  Raises ArgumentError, TypeError.
        Cost: a step per block passed while iterating, in viper, and an object per block found.
        """
        self._ready()
        return BlockList(self, kind, zone, tag)

    def largest_free(self, zone=None):
        """Return the longest range of free frames of `zone` and each lower one, as `LargestFree`.

        Raises ArgumentError, TypeError.  Cost: a step per block.
        """
        self._ready()
        return LargestFree(self, ZONES - 1 if zone is None else zone_number(zone))

    def fragmentation(self, order):
        """Return the unusable free space index of each zone for `order`, as `Fragmentation`.

        Raises ArgumentError, TypeError.  Cost: a step per block.  Source: fragmentation.py.
        """
        self._ready()
        return Fragmentation(self, number("order", order, 0, ORDER_MAX, "0 to 18"))

    def owners(self):
        """Return the allocated frames by tag, as `Owners`.  Cost: a step per block."""
        self._ready()
        return Owners(self)

    def call_sites(self, tag=None):
        """Return the allocated frames, of one `tag` or all, by who called, as `CallSites`.

        Raises NoCallSitesError unless in debug mode on the kernel, ArgumentError, TypeError.
        Cost: a step per block.
        """
        self._ready()
        if not self._sites:
            raise NoCallSitesError()
        return CallSites(self, None if tag is None else tag_number(tag))

    def snapshot(self):
        """Return the allocations there are now, as `Snapshot`; subtract an earlier one.

        Raises MemoryError.  Cost: two steps per block, 16 bytes per allocation.
        """
        self._ready()
        return Snapshot(self)

    def leaks(self):
        """Return a context manager that says what its block allocated and did not free, `Leaks`.

        Cost: a snapshot at its begin and one at its end.
        """
        self._ready()
        return Leaks(self)

    def record(self, samples=SAMPLES):
        """Return a `History` of the free frames of each zone, which keeps so many samples.

        Raises ArgumentError, TypeError.  Cost: 16 bytes per sample.
        """
        self._ready()
        return History(self, samples)
