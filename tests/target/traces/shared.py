"""What the processors share in their traces: the table, the box, locks and counters."""

import _thread
from array import array

from tests.target.traces.flags import SPARE_FLAGS
from tests.target.traces.views import Pages

from pfm import PFM, Cache
from pfm.address import signed

# All processors together hold at most one of so many parts of the free frames.
_PARTS = 2


class Shared:
    """What `count` processors share, beside what the manager has."""

    def __init__(self, count):
        if count > len(SPARE_FLAGS):
            raise ValueError("at most {} processors".format(len(SPARE_FLAGS)))
        self.hhdm = signed(PFM.hhdm)
        self.table = array("I", bytes(4 * (PFM.max() + 1)))
        # Frames that one processor may have.
        self.share = sum(PFM.count_free()) // (_PARTS * count)
        self.reserved = next(iter(PFM.blocks("reserved"))).pfn
        # A frame that all refer to, and one whose guard is handed about.
        self.shared = PFM.alloc()
        self.second = PFM.alloc()
        self.pages = Pages(self.second)
        self.cache = Cache(104, "traces")
        self.guard = None
        self.recent = array("I", [self.shared] * count)
        self.lock = _thread.allocate_lock()
        self.box_lock = _thread.allocate_lock()
        self.box = []
        # By processor, and the sum.
        self.guarded = array("I", bytes(4 * (count + 1)))
        self.locked = array("I", bytes(4 * (count + 1)))
        self.excluded = array("I", bytes(4 * (count + 1)))
        self.hogging = bytearray(count)
        self.hogged = bytearray(1)
        self._halt = bytearray(1)

    def halts(self):
        """Return whether rounds end early: after an interrupt."""
        return self._halt[0]

    def hogs(self):
        """Return how often somebody has taken all frames, -1 while somebody does."""
        return -1 if any(self.hogging) else self.hogged[0]
