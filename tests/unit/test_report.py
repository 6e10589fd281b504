"""Reports, compared with a recount of every single entry through uctypes."""

from allocation import entry
from ktap import equal, raises
from maps import GIB, MIB, SMALL_8M, frames
from recount import ODD_32M, differs, verified, with_busy

import pfm.testing
from pfm import (
    PFN,
    FlagsRangeError,
    NotInitialisedError,
    PageFlags,
    PageFrameManager,
    Phys,
    Zone,
)
from pfm.alloc.zone import zone_at
from pfm.frame.entry import (
    ABSENT,
    CACHED,
    COMPOUND_TAIL,
    FREE,
    KIND_NAMES,
    PART,
    RESERVED,
    STATE_KIND_SHIFT,
    TAIL,
    USED,
)
from pfm.memmap.regions import FRAME_ARRAY
from pfm.units import human_size

ONE_PATH = "reports read entries and counters, whichever path wrote them"


def test_sizes_are_in_the_largest_unit():
    equal(human_size(0), "0 B")
    equal(human_size(1023), "1023 B")
    equal(human_size(1024), "1 KiB")
    equal(human_size(1536), "1.5 KiB")
    equal(human_size(6 * GIB), "6 GiB")
    equal(human_size(5 << 60), "5 EiB")
    equal(human_size(4096 << 60), "4096 EiB")


def test_size_takes_eight_characters_or_nine():
    equal(human_size(GIB - 1), "1.0 GiB")
    equal(human_size(1005 * MIB + 200 * 1024), "1005 MiB")
    equal(human_size(MIB - 513), "1023 KiB")
    equal(human_size(MIB - 512), "1.0 MiB")
    for size in range(1, 1 << 40, (1 << 40) // 1009):
        assert len(human_size(size)) <= 9, human_size(size)


def test_before_init():
    manager = PageFrameManager()
    for call in (
        manager.meminfo,
        manager.buddyinfo,
        manager.memmap,
        manager.page_types,
        manager.chart,
        lambda: manager.flag_ranges(1),
        lambda: manager.identify(0),
    ):
        raises(NotInitialisedError, call)


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


def test_page_types_agree_with_each_entry():
    def check(manager, recount):
        report = manager.page_types()
        verified(report)
        expected = {}
        for pfn, kind in recount.kinds.items():
            if kind != ABSENT:
                key = (kind, recount.flags[pfn])
                expected[key] = expected.get(key, 0) + 1
        equal({(row.kind, row.flags): row.count for row in report.types}, expected)
        equal(report.total, sum(expected.values()))
        for kind, name in enumerate(KIND_NAMES):
            frames_of = sum([count for key, count in expected.items() if key[0] == kind])
            equal(report.kinds.get(name, 0), frames_of)

    with_busy(check)


def test_page_types_with_more_combinations_than_the_table_has_slots():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for flags in range(1000):
            manager.set_flags(500 + flags, flags)
        report = manager.page_types()
        verified(report)
        found = {row.flags: row.count for row in report.types if row.kind == FREE}
        equal([found[flags] for flags in range(1, 1000)], [1] * 999)


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


def test_runs_agree_with_check_flags():
    wanted = (
        0,
        PageFlags.RESERVED,
        PageFlags.DIRTY,
        PageFlags.DIRTY | PageFlags.LRU,
        PageFlags.COMPOUND,
        0xFFFF,
    )

    def check(manager, recount):
        for flags in wanted:
            frames_of = []
            for first, count in manager.flag_ranges(flags):
                frames_of.extend(range(first, first + count))
                assert not manager.min() <= first - 1 or not manager.check_flags(first - 1, flags)
            bounds = range(manager.min(), manager.max() + 1)
            equal(frames_of, [pfn for pfn in bounds if manager.check_flags(pfn, flags)])
            report = manager.flag_ranges(flags)
            assert "verified" in repr(report), repr(report)

    with_busy(check)


def test_runs_are_found_as_one_iterates():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for pfn in (100, 200, 300):
            manager.set_flags(pfn, PageFlags.LRU)
        runs = iter(manager.flag_ranges(PageFlags.LRU))
        equal(next(runs), (100, 1))
        manager.clear_flags(200, PageFlags.LRU)
        equal(list(runs), [(300, 1)])


def test_flag_ranges_of_flags_outside_16_bits():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for flags in (-1, 1 << 16):
            raises(FlagsRangeError, manager.flag_ranges, flags)
        raises(TypeError, manager.flag_ranges, None)


def _zone(manager, zone):
    return zone_at(manager.hhdm + manager.array.control_phys, zone)


def test_poked_free_counter():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        free = _zone(manager, Zone.DMA).free
        _zone(manager, Zone.DMA).free += 3
        text = f"DMA free on lists: {free} counted, {free + 3} kept"
        differs(manager.meminfo(), text)
        differs(manager.page_types(), text)
        differs(manager.chart(), f"{free} counted, {free + 3} kept")


def test_poked_counters_of_a_zone():
    for field in ("managed", "present"):
        with pfm.testing.FakeMachine(ODD_32M) as machine:
            manager = machine.boot()
            zone = _zone(manager, Zone.DMA32)
            setattr(zone, field, getattr(zone, field) - 1)
            differs(manager.meminfo(), f"DMA32 {field}")


def test_poked_count_of_blocks():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        blocks = manager.buddyinfo().blocks[Zone.DMA]
        order = max([order for order in range(19) if blocks[order]])
        _zone(manager, Zone.DMA).lists[order].blocks += 1
        differs(manager.buddyinfo(), f"DMA blocks of order {order}")


def test_poked_free_block_of_order_beyond_18():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        entry(manager, 1024).state = FREE << STATE_KIND_SHIFT | 31
        differs(manager.buddyinfo(), "DMA blocks of order 31: 1 counted, 0 kept")
        assert not manager.meminfo().verified
        assert not manager.page_types().verified
        assert not manager.chart().verified


def test_poked_head_of_a_block():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        pfn = manager.alloc(4)
        entry(manager, pfn).state = TAIL << STATE_KIND_SHIFT
        differs(manager.meminfo(), "DMA in no block: 16 counted, 0 kept")
        equal(manager.page_types().kinds["tail"], 16)


def test_poked_frame_of_a_region():
    with pfm.testing.FakeMachine(ODD_32M) as machine:
        manager = machine.boot()
        pfn = frames(6 * MIB) + 3
        entry(manager, pfn).state = ABSENT << STATE_KIND_SHIFT
        differs(manager.memmap(), "absent: 1 counted, 0 kept")
        differs(manager.identify(Phys(pfn << 12)), "RAM: False counted, True kept")
        differs(manager.meminfo(), "DMA present")


def test_poked_reservation_of_a_usable_frame():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        pfn = manager.alloc()
        entry(manager, pfn).state = RESERVED << STATE_KIND_SHIFT
        differs(manager.memmap(), "reserved: 1 counted, 0 kept")
        differs(manager.identify(PFN(pfn)), "reserved: True counted, False kept")


def test_poked_link_of_a_compound_tail():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        pfn = manager.alloc(3, compound=True)
        entry(manager, pfn + 5).next = 0xFFFFFFFF
        differs(manager.identify(PFN(pfn + 5)), "head 4294967295 has no RAM")
        entry(manager, pfn + 5).next = pfn - 64
        differs(manager.identify(PFN(pfn + 5)), "outside of the block")


def test_flags_of_a_poked_frame_change_no_verdict():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        manager.set_flags(42, 0xF800)
        report = manager.page_types()
        verified(report)
        assert "0xf800" in repr(report)


def test_reports_take_no_lock():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        guard = manager.get(42)
        _zone(manager, Zone.DMA).lock = 2
        for report in (
            manager.meminfo(),
            manager.buddyinfo(),
            manager.memmap(),
            manager.page_types(),
            manager.chart(),
            manager.identify(PFN(42)),
        ):
            verified(report)
        equal(list(manager.flag_ranges(PageFlags.LOCKED)), [])
        _zone(manager, Zone.DMA).lock = 0
        guard.release()


def test_reports_after_reclaim():
    with pfm.testing.FakeMachine(ODD_32M) as machine:
        manager = machine.boot()
        before = manager.meminfo().total
        given, _ = manager.reclaim()
        equal(given, frames(MIB))
        for report in (manager.meminfo(), manager.buddyinfo(), manager.memmap(), manager.chart()):
            verified(report)
        equal(manager.meminfo().total.free, before.free + given)
