"""pfm/report/meminfo.py, pfm/report/loops.py: what was counted agrees with a recount of every entry."""

from ktap import equal
from recount import verified, with_busy

from pfm import Zone
from pfm.frame.entry import ABSENT, CACHED, COMPOUND_TAIL, FREE, PART, RESERVED, USED
from pfm.memmap.regions import FRAME_ARRAY

ONE_PATH = "reports read entries and counters, whichever path wrote them"


def test_meminfo_agrees_with_each_entry():
    def check(manager, recount):
        report = manager.meminfo()
        verified(report)
        for zone, row in enumerate(report.zones):
            equal(row.name, Zone.NAMES[zone])
            equal(row.free, recount.count(zone, FREE, CACHED))
            equal(row.cached, recount.count(zone, CACHED))
            equal(row.used, recount.count(zone, USED, PART, COMPOUND_TAIL))
            equal(row.reserved, recount.count(zone, RESERVED))
            equal(row.present, row.reserved + row.used + row.free)
            equal(row.managed, row.used + row.free)
        equal(report.total.free, sum(manager.count_free()))
        equal(report.array * 4096, manager.array.end_phys - manager.array.start_phys)

    with_busy(check)


def test_buddyinfo_agrees_with_each_entry():
    def check(manager, recount):
        report = manager.buddyinfo()
        verified(report)
        equal([list(row) for row in report.blocks], recount.blocks)

    with_busy(check)


def test_memmap_agrees_with_each_entry():
    def check(manager, recount):
        report = manager.memmap()
        verified(report)
        equal(len(report.regions), len(manager.regions))
        for row, region in [(row, manager.regions[i]) for i, row in enumerate(report.regions)]:
            equal(
                (row.start, row.end, row.type, row.present),
                (region.start, region.end, region.type, region.present),
            )
            kinds = [recount.kinds.get(pfn, ABSENT) for pfn in range(row.start, row.end)]
            equal(row.free, len([kind for kind in kinds if kind in (FREE, CACHED)]))
        assert FRAME_ARRAY in [row.type for row in report.regions]

    with_busy(check)
