"""The manager's reports on memory, in the style of /proc, crash and drgn.

At the prompt a report prints itself as a table; in a script its attributes have the values.
Each walks the entries, compares its counts with the counters that the manager keeps, and ends
with `verified` or the differences.  None takes a lock: while another processor allocates, a
difference may mean nothing else.
"""

from ..frame.flags import flags_number
from .chart import Chart
from .identify import Identity
from .meminfo import BuddyInfo, MemInfo, MemMap
from .pagetypes import FlagRanges, PageTypes
from .slabinfo import SlabInfo


class Reports:
    """The part of `PageFrameManager` that reports on memory.

    All calls raise NotInitialisedError before init.
    """

    def meminfo(self):
        """Return each zone's frames by use, as `MemInfo`.  Cost: a step per block."""
        self._ready()
        return MemInfo(self)

    def buddyinfo(self):
        """Return the free blocks of each zone by order, as `BuddyInfo`.

        Cost: a step per block.
        """
        self._ready()
        return BuddyInfo(self)

    def memmap(self):
        """Return the memory map as regions of frames, as `MemMap`.  Cost: a step per block."""
        self._ready()
        return MemMap(self)

    def page_types(self):
        """Return how many frames have which kind and flags, as `PageTypes`.

        Cost: a step per frame, in viper.
        """
        self._ready()
        return PageTypes(self)

    def flag_ranges(self, flags):
        """Return the ranges of frames with all bits of `flags`, as `FlagRanges`.

        Iterating yields (first frame, count).  Frames of holes have RESERVED alone, as for
        `check_flags`.  Raises FlagsRangeError, TypeError.  Cost: a step per frame iterated
        over, in viper.
        """
        self._ready()
        return FlagRanges(self, flags_number(flags))

    def slabinfo(self):
        """Return the object caches and their slabs, as `SlabInfo`.  Cost: a step per block."""
        self._ready()
        return SlabInfo(self)

    def identify(self, addr):
        """Return what is at the address `addr`, as `Identity`.

        A `Phys` is a physical address and a `PFN` a frame.  Any other integer is a virtual
        address if it is in the HHDM's RAM, in the array or 2**52 or above, else a physical
        one.  Raises ArgumentError, TypeError.  Cost: a step per region, order and paging
        level.
        """
        self._ready()
        return Identity(self, addr)

    def chart(self):
        """Return memory drawn in characters, as `Chart`.  Cost: a step per block and character."""
        self._ready()
        return Chart(self)
