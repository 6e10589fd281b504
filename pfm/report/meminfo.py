"""Tables of frames by zone, order and region: `meminfo`, `buddyinfo`, `memmap`."""

from array import array
from collections import namedtuple

from ..address import PAGE_SHIFT
from ..alloc.zone import ORDER_MAX, Zone, zone_at
from ..control import ZONES
from ..frame.entry import ABSENT, CACHED, COMPOUND_TAIL, FREE, PART, RESERVED, TAIL, USED
from ..memmap.regions import type_name
from ..units import human_size, phys_text
from .loops import CENSUS_KINDS, CENSUS_WORDS, census
from .report import Report, spans

# In frames.  Managed ones are used or free; of the free ones, `cached` are in magazines.
ZoneInfo = namedtuple(
    "ZoneInfo", ("name", "present", "reserved", "managed", "used", "free", "cached", "watermark")
)

# Frames `start`..`end` (exclusive) of one type of the memory map; `free` of them are free.
RegionInfo = namedtuple("RegionInfo", ("start", "end", "type", "present", "free"))

_COUNT_SIZE = 4


def _census(manager, low, high):
    """Return a census of the frames with RAM in `low`..`high`."""
    counts = array("I", bytes(CENSUS_WORDS * _COUNT_SIZE))
    for start, end in spans(manager.regions, low, high):
        census(manager.array.address, start, end, counts)
    return counts


def _zones(manager):
    """Yield (zone's name, census, zone's struct) for each zone."""
    for zone in range(ZONES):
        counts = _census(manager, Zone.BOUNDS[zone], Zone.BOUNDS[zone + 1])
        yield Zone.NAMES[zone], counts, zone_at(manager.hhdm + manager.array.control_phys, zone)


class MemInfo(Report):
    """The frames of each zone by use: `zones` has a `ZoneInfo` for each, `total` their sum.

    `array` is the number of frames that the array of entries takes, page tables included.
    """

    def __init__(self, manager):
        super().__init__()
        self.array = (manager.array.end_phys - manager.array.start_phys) >> PAGE_SHIFT
        self.zones = []
        kept_free = manager.count_free()
        for name, counts, kept in _zones(manager):
            managed = sum([counts[kind] for kind in (FREE, USED, PART, CACHED, COMPOUND_TAIL)])
            present = sum(counts[:CENSUS_KINDS]) - counts[ABSENT]
            free = counts[FREE] + counts[CACHED]
            self.compare("{} present".format(name), present, kept.present)
            self.compare("{} managed".format(name), managed, kept.managed)
            self.compare("{} free on lists".format(name), counts[FREE], kept.free)
            self.compare("{} free".format(name), free, kept_free[len(self.zones)])
            self.compare("{} in no block".format(name), counts[TAIL], 0)
            self.zones.append(
                ZoneInfo(
                    name,
                    present,
                    counts[RESERVED],
                    managed,
                    managed - free,
                    free,
                    counts[CACHED],
                    kept.watermark,
                )
            )
        sums = [
            sum([zone[field] for zone in self.zones]) for field in range(1, len(self.zones[0]))
        ]
        self.total = ZoneInfo("all", *sums)

    def lines(self):
        """Yield the lines of the printed table."""
        names = ("Present", "Reserved", "Managed", "Used", "Free", "Cached", "Watermark")
        yield "Zone  " + "".join(["{:>10}".format(name) for name in names])
        for row in self.zones + [self.total]:
            sizes = [human_size(frames << PAGE_SHIFT) for frames in row[1:]]
            yield "{:<6}".format(row.name) + "".join(["{:>10}".format(size) for size in sizes])
        yield "Array of entries: {}, {:.2f} % of RAM".format(
            human_size(self.array << PAGE_SHIFT), 100 * self.array / self.total.present
        )
        yield "Free frames: {} ({})".format(self.total.free, self.verdict())


class BuddyInfo(Report):
    """The blocks on the free lists: `blocks[zone][order]` is their number.

    Frames in magazines are on no list and not counted.
    """

    def __init__(self, manager):
        super().__init__()
        self.blocks = []
        for name, counts, kept in _zones(manager):
            row = tuple(counts[CENSUS_KINDS:])
            for order, blocks in enumerate(row):
                listed = kept.lists[order].blocks if order <= ORDER_MAX else 0
                self.compare("{} blocks of order {}".format(name, order), blocks, listed)
            self.blocks.append(row[: ORDER_MAX + 1])

    def lines(self):
        """Yield the lines of the printed table: a row per zone, a column per order."""
        orders = range(ORDER_MAX + 1)
        rows = [("Order",) + tuple(orders)]
        for zone, blocks in enumerate(self.blocks):
            rows.append((Zone.NAMES[zone],) + blocks)
        widths = [max([len(str(row[1 + order])) for row in rows]) for order in orders]
        for row in rows:
            cells = ["{:>{}}".format(row[1 + order], widths[order]) for order in orders]
            yield "{:<6} ".format(row[0]) + " ".join(cells)
        yield "Free blocks: {} ({})".format(sum([sum(row) for row in self.blocks]), self.verdict())


class MemMap(Report):
    """The memory map as the manager uses it: `regions` has a `RegionInfo` for each region."""

    def __init__(self, manager):
        super().__init__()
        self.regions = []
        for region in manager.regions:
            counts = _census(manager, region.start, region.end)
            free = counts[FREE] + counts[CACHED]
            if region.present:
                reserved = 0 if region.usable else region.end - region.start
                where = "frames {}..{}".format(region.start, region.end - 1)
                self.compare("{} reserved".format(where), counts[RESERVED], reserved)
                self.compare("{} absent".format(where), counts[ABSENT], 0)
            self.regions.append(
                RegionInfo(region.start, region.end, region.type, region.present, free)
            )

    def lines(self):
        """Yield the lines of the printed table."""
        yield "{:<14} {:<14} {:>10} {:>10}  Type".format("From", "To", "Size", "Free")
        for region in self.regions:
            yield "{} {} {:>10} {:>10}  {}{}".format(
                phys_text(region.start << PAGE_SHIFT),
                phys_text(region.end << PAGE_SHIFT),
                human_size((region.end - region.start) << PAGE_SHIFT),
                human_size(region.free << PAGE_SHIFT) if region.free else "-",
                type_name(region.type),
                "" if region.present else ", no RAM",
            )
        frames = sum([region.end - region.start for region in self.regions if region.present])
        yield "Frames with RAM: {} ({})".format(frames, self.verdict())
