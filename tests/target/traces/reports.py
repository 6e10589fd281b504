"""Questions and reports while others allocate."""

from pfm import PFM, PageFlags, Phys
from pfm.address import PAGE_SHIFT


class Reports:
    """The part of `Actor` that asks."""

    def _identify(self):
        block = self._pick(self.blocks)
        if block is None:
            return
        found = PFM.identify(Phys(block.pfn + self._random(block.count) << PAGE_SHIFT))
        wanted = (block.pfn, block.count, block.references, block.tag)
        if (found.first, found.frames, found.rc, found.tag) != wanted:
            self._fail("{}, expected {}", (found.first, found.frames, found.rc, found.tag), wanted)

    def _report(self):
        """Reports may differ from themselves now, but end, and raise nothing."""
        call = (
            PFM.meminfo,
            PFM.buddyinfo,
            PFM.slabinfo,
            PFM.owners,
            PFM.page_types,
            PFM.largest_free,
            lambda: PFM.fragmentation(5),
            lambda: PFM.blocks("used").sums(),
            lambda: PFM.describe(PFM.min() + self._random(PFM.max() - PFM.min())),
            lambda: PFM.count_flags(PageFlags.DIRTY),
            PFM.chart,
            PFM.snapshot,
        )[self._random(12)]
        str(call())
