"""How much can be had in one piece: the longest range of free frames of each zone."""

from collections import namedtuple

from ..address import PAGE_SHIFT
from ..alloc.zone import Zone, zone_at
from ..report.report import Report
from ..units import human_size, phys_text
from .cursor import words
from .loops import LONGEST_FRAMES, LONGEST_PFN, LONGEST_WORDS, longest_free

# The longest range of free frames of a zone is `frames` from `pfn` on, both 0 if none is free.
# `order` is that of the largest block on its lists, -1 if there is none.
FreeRange = namedtuple("FreeRange", ("zone", "pfn", "frames", "order"))


class LargestFree(Report):
    """The longest range of free frames of each zone up to the one asked for, highest first.

    `frames` is the length of the longest of all and `pfn` its first frame; `zones` has a
    `FreeRange` for each zone.  What a range has is what `alloc_contiguous` can return of its
    zone.  Lower zones keep their watermark, so of theirs only if asked for them.
    """

    def __init__(self, manager, top):
        super().__init__()
        self.zones = [_longest(manager, zone) for zone in range(top, -1, -1)]
        longest = max(self.zones, key=lambda row: row.frames)
        self.pfn = longest.pfn
        self.frames = longest.frames

    def lines(self):
        """Yield the lines of the printed table."""
        yield "{:<6} {:<14} {:>10} {:>10} {:>6}".format("Zone", "From", "Frames", "Size", "Order")
        for row in self.zones:
            yield "{:<6} {:<14} {:>10} {:>10} {:>6}".format(
                Zone.NAMES[row.zone],
                phys_text(row.pfn << PAGE_SHIFT) if row.frames else "-",
                row.frames,
                human_size(row.frames << PAGE_SHIFT),
                row.order if row.order >= 0 else "-",
            )


def _longest(manager, zone):
    longest = words(LONGEST_WORDS)
    # By region, as `alloc_contiguous` looks for a run.
    for region in manager.regions:
        if region.usable:
            start = max(region.start, Zone.BOUNDS[zone])
            end = min(region.end, Zone.BOUNDS[zone + 1])
            if start < end:
                longest_free(manager.array.address, start, end, longest)
    orders = zone_at(manager.hhdm + manager.array.control_phys, zone).orders
    order = -1
    while orders:
        orders >>= 1
        order += 1
    return FreeRange(zone, longest[LONGEST_PFN], longest[LONGEST_FRAMES], order)
