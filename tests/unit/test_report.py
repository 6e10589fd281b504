"""Reports, compared with a recount of every single entry through uctypes."""

from array import array

from allocation import entry
from ktap import equal, raises, skip
from maps import GIB, MIB, Q35_6G, SMALL_8M, TIB, frames

import pfm.testing
from pfm import (
    PFN,
    ArgumentError,
    FlagsRangeError,
    NotInitialisedError,
    PageFlags,
    PageFrame,
    PageFrameManager,
    Phys,
    Zone,
    limine,
)
from pfm.frame import (
    ABSENT,
    CACHED,
    COMPOUND_TAIL,
    FREE,
    KIND_NAMES,
    KIND_SHIFT,
    ORDER_MASK,
    PART,
    RESERVED,
    TAIL,
    USED,
)
from pfm.memmap import FRAME_ARRAY
from pfm.paging import WRITE
from pfm.units import human_size
from pfm.zone import zone_at, zone_of

# Two zones, a hole, a device, a loader's range, a partly usable frame: all in a few thousand entries.
ODD_32M = [
    (0x1800, 0x9D000, limine.USABLE),
    (0x100000, 5 * MIB, limine.USABLE),
    (6 * MIB, MIB, limine.BOOTLOADER_RECLAIMABLE),
    (7 * MIB, MIB // 2, limine.EXECUTABLE_AND_MODULES),
    (12 * MIB, 16 * MIB, limine.USABLE),
    (28 * MIB, MIB, limine.RESERVED),
    (29 * MIB, 3 * MIB, limine.USABLE),
]


def _entry(manager, pfn):
    return PageFrame.at(manager.frames.base + pfn * PageFrame.SIZE)


class _Recount:
    """Every entry looked at in turn, by the layout alone; a head speaks for the tails behind it."""

    def __init__(self, manager):
        self.kinds = {}
        self.flags = {}
        self.blocks = [[0] * 19 for _ in Zone.NAMES]
        self.zones = [{} for _ in Zone.NAMES]
        kind_now, end_now = TAIL, 0
        for pfn in range(manager.min(), manager.max() + 1):
            entry = _entry(manager, pfn)
            kind = entry.state >> KIND_SHIFT
            order = entry.state & ORDER_MASK
            if kind == TAIL:
                kind = kind_now if pfn < end_now else TAIL
            elif kind != COMPOUND_TAIL:
                kind_now, end_now = kind, pfn + (1 << order)
                if kind == FREE:
                    self.blocks[zone_of(pfn)][order] += 1
            self.kinds[pfn] = kind
            self.flags[pfn] = entry.flags
            zone = self.zones[zone_of(pfn)]
            zone[kind] = zone.get(kind, 0) + 1

    def count(self, zone, *kinds):
        return sum([self.zones[zone].get(kind, 0) for kind in kinds])


def _busy(manager):
    """Allocate in every way, and set some flags."""
    manager.alloc(3, compound=True, tag=7)
    for order in (0, 0, 1, 5):
        manager.alloc(order)
    manager.alloc(2, zone=Zone.DMA)
    run = manager.alloc_pages(300)
    manager.set_flags(run + 17, PageFlags.DIRTY | PageFlags.LRU)
    manager.set_flags(run + 18, PageFlags.DIRTY)
    manager.set_flags(manager.min() + 50, PageFlags.FILE)
    many = manager.alloc_many(9)
    manager.free_many(array("I", many[3:]))
    manager.free(many[0])


def _with_busy(check):
    for sparse in (True, False):
        with pfm.testing.FakeMachine(ODD_32M, sparse=sparse) as machine:
            manager = machine.boot()
            check(manager, _Recount(manager))
            _busy(manager)
            check(manager, _Recount(manager))


def _verified(report):
    equal(report.differences, [])
    assert report.verified
    assert "verified" in repr(report), repr(report)


def _differs(report, text):
    assert not report.verified
    assert text in report.verdict(), report.differences
    assert text in repr(report) and "verified" not in repr(report), repr(report)


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
        lambda: manager.runs(1),
        lambda: manager.identify(0),
    ):
        raises(NotInitialisedError, call)


def test_meminfo_agrees_with_each_entry():
    def check(manager, recount):
        report = manager.meminfo()
        _verified(report)
        for zone, row in enumerate(report.zones):
            equal(row.name, Zone.NAMES[zone])
            equal(row.free, recount.count(zone, FREE, CACHED))
            equal(row.cached, recount.count(zone, CACHED))
            equal(row.used, recount.count(zone, USED, PART, COMPOUND_TAIL))
            equal(row.reserved, recount.count(zone, RESERVED))
            equal(row.present, row.reserved + row.used + row.free)
            equal(row.managed, row.used + row.free)
        equal(report.total.free, sum(manager.free_frames()))
        equal(report.array * 4096, manager.frames.end_phys - manager.frames.start_phys)

    _with_busy(check)


def test_buddyinfo_agrees_with_each_entry():
    def check(manager, recount):
        report = manager.buddyinfo()
        _verified(report)
        equal([list(row) for row in report.blocks], recount.blocks)

    _with_busy(check)


def test_page_types_agree_with_each_entry():
    def check(manager, recount):
        report = manager.page_types()
        _verified(report)
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

    _with_busy(check)


def test_page_types_with_more_combinations_than_the_table_has_slots():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for flags in range(1000):
            manager.set_flags(500 + flags, flags)
        report = manager.page_types()
        _verified(report)
        found = {row.flags: row.count for row in report.types if row.kind == FREE}
        equal([found[flags] for flags in range(1, 1000)], [1] * 999)


def test_memmap_agrees_with_each_entry():
    def check(manager, recount):
        report = manager.memmap()
        _verified(report)
        equal(len(report.regions), len(manager.regions))
        for row, region in [(row, manager.regions[i]) for i, row in enumerate(report.regions)]:
            equal(
                (row.start, row.end, row.type, row.present),
                (region.start, region.end, region.type, region.present),
            )
            kinds = [recount.kinds.get(pfn, ABSENT) for pfn in range(row.start, row.end)]
            equal(row.free, len([kind for kind in kinds if kind in (FREE, CACHED)]))
        assert FRAME_ARRAY in [row.type for row in report.regions]

    _with_busy(check)


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
            for first, count in manager.runs(flags):
                frames_of.extend(range(first, first + count))
                assert not manager.min() <= first - 1 or not manager.check_flags(first - 1, flags)
            bounds = range(manager.min(), manager.max() + 1)
            equal(frames_of, [pfn for pfn in bounds if manager.check_flags(pfn, flags)])
            report = manager.runs(flags)
            assert "verified" in repr(report), repr(report)

    _with_busy(check)


def test_runs_are_found_as_one_iterates():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for pfn in (100, 200, 300):
            manager.set_flags(pfn, PageFlags.LRU)
        runs = iter(manager.runs(PageFlags.LRU))
        equal(next(runs), (100, 1))
        manager.clear_flags(200, PageFlags.LRU)
        equal(list(runs), [(300, 1)])


def test_runs_of_flags_outside_16_bits():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for flags in (-1, 1 << 16):
            raises(FlagsRangeError, manager.runs, flags)
        raises(TypeError, manager.runs, None)


def test_identify_agrees_with_each_entry():
    def check(manager, recount):
        for pfn in range(manager.min(), manager.max() + 1, 7):
            found = manager.identify(Phys(pfn << 12))
            _verified(found)
            equal((found.pfn, found.present), (pfn, recount.kinds[pfn] != ABSENT))
            if not found.present:
                equal((found.kind, found.head, found.flags), (None, None, None))
                continue
            equal(found.zone, Zone.NAMES[zone_of(pfn)])
            assert found.region.start <= pfn < found.region.end
            equal(found.flags, recount.flags[pfn])
            kind = USED if recount.kinds[pfn] == COMPOUND_TAIL else recount.kinds[pfn]
            equal(found.kind, kind)
            assert found.head <= pfn < found.head + (1 << found.order)
            equal(_entry(manager, found.head).state, kind << KIND_SHIFT | found.order)
            assert found.first <= pfn < found.first + found.frames

    _with_busy(check)


def test_identify_run_and_compound_block():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        run = manager.alloc_pages(300, tag=9)
        for pfn in (run, run + 5, run + 299):
            found = manager.identify(PFN(pfn))
            equal((found.first, found.frames, found.rc, found.tag), (run, 300, 1, 9))
        equal(found.kind, PART)
        block = manager.alloc(3, compound=True, tag=11)
        manager.ref(block + 2)
        found = manager.identify(PFN(block + 7))
        equal((found.kind, found.head, found.order, found.rc, found.tag), (USED, block, 3, 2, 11))
        equal(found.flags, PageFlags.COMPOUND)


def test_identify_same_byte_by_either_address():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        pfn = manager.alloc(4)
        phys = (pfn + 3 << 12) + 0x123
        for addr in (Phys(phys), phys, manager.as_virt(phys)):
            found = manager.identify(addr)
            equal((found.phys, found.virt), (phys, manager.hhdm + phys))
            equal((found.pfn, found.head, found.order), (pfn + 3, pfn, 4))
            if manager.space:
                equal(found.mapping[0], phys)


def test_identify_entry_in_the_array():
    with pfm.testing.FakeMachine(Q35_6G) as machine:
        manager = machine.boot()
        for pfn in (1, frames(3 * GIB), frames(5 * GIB)):
            found = manager.identify(manager.frames.base + 32 * pfn)
            _verified(found)
            equal(found.entry_of, pfn)
            equal(found.region.type, FRAME_ARRAY)
            assert manager.frames.start_phys <= found.phys < manager.frames.end_phys


def test_identify_entry_of_a_page_written_since():
    with pfm.testing.FakeMachine(Q35_6G) as machine:
        manager = machine.boot()
        if not manager.space:
            skip("no address space for the array")
        pfn = frames(GIB) + 300
        shared = manager.identify(manager.frames.base + 32 * pfn)
        manager.set_flags(pfn, PageFlags.DIRTY)
        found = manager.identify(manager.frames.base + 32 * pfn)
        _verified(found)
        equal((found.entry_of, found.region.type), (pfn, FRAME_ARRAY))
        assert found.mapping[2] & WRITE and not shared.mapping[2] & WRITE
        equal(_entry(manager, pfn).flags, PageFlags.DIRTY)
        assert found.phys != shared.phys
        copy = PageFrame.at(manager.as_virt(found.phys))
        equal(copy.flags, PageFlags.DIRTY)


def test_identify_outside_of_everything():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for addr in (8 * MIB, TIB, (1 << 52) - 1):
            found = manager.identify(Phys(addr))
            _verified(found)
            equal((found.phys, found.present, found.region), (addr, False, None))
        found = manager.identify((1 << 64) - 1)
        equal((found.phys, found.pfn, found.mapping), (None, None, None))
        for addr in (-1, Phys(1 << 52), 1 << 64):
            raises(ArgumentError, manager.identify, addr)
        for addr in (None, 1.5, "1"):
            raises(TypeError, manager.identify, addr)


def _cells(manager, chart):
    """Return the characters of every cell with RAM that the chart left out, which must be none."""
    shown = set()
    for start, marks in chart.rows:
        for i in range(len(marks)):
            shown.add(start + i * chart.cell)
    missing = []
    for region in manager.regions:
        if region.present:
            first = region.start // chart.cell * chart.cell
            missing.extend([at for at in range(first, region.end, chart.cell) if at not in shown])
    return missing


def test_chart_fits_a_terminal():
    scattered = [(n * 512 * GIB, 40 * MIB + n * 4096, limine.USABLE) for n in range(1, 31)]
    for entries in (SMALL_8M, ODD_32M, Q35_6G, scattered):
        if entries is scattered and not pfm.testing.ffi:
            continue
        with pfm.testing.FakeMachine(entries) as machine:
            manager = machine.boot()
            chart = manager.chart()
            _verified(chart)
            lines = repr(chart).split("\n")
            assert len(lines) <= 24, len(lines)
            assert max([len(line) for line in lines]) <= 79, lines
            equal(_cells(manager, chart), [])


def test_chart_agrees_with_each_entry():
    def check(manager, recount):
        chart = manager.chart()
        _verified(chart)
        usable = set()
        for region in manager.regions:
            if region.usable:
                usable.update(range(region.start, region.end))
        for start, marks in chart.rows:
            for i, mark in enumerate(marks):
                at = start + i * chart.cell
                kinds = [recount.kinds.get(pfn, ABSENT) for pfn in range(at, at + chart.cell)]
                present = len([kind for kind in kinds if kind != ABSENT])
                mine = len([pfn for pfn in range(at, at + chart.cell) if pfn in usable])
                free = len([kind for kind in kinds if kind in (FREE, CACHED)])
                used = mine - free
                if not present:
                    expected = " "
                elif present - mine > mine:
                    expected = "AKLR"
                elif not used:
                    expected = "."
                else:
                    expected = "#" if not free else "-" if used <= free else "+"
                assert mark in expected, (at, mark, expected)

    _with_busy(check)


def test_chart_marks_types():
    with pfm.testing.FakeMachine(ODD_32M) as machine:
        manager = machine.boot()
        drawn = "".join([marks for _, marks in manager.chart().rows])
        for mark in "AKL.":
            assert mark in drawn, drawn


def test_holes_of_a_chart_are_one_line():
    if not pfm.testing.ffi:
        skip("no ffi for a terabyte of addresses")
    entries = [(0, 64 * MIB, limine.USABLE), (TIB, 64 * MIB, limine.USABLE)]
    with pfm.testing.FakeMachine(entries) as machine:
        text = repr(machine.boot().chart())
        equal(len([line for line in text.split("\n") if "hole of" in line]), 1)


def _zone(manager, zone):
    return zone_at(manager.hhdm + manager.frames.control_phys, zone)


def test_poked_free_counter():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        free = _zone(manager, Zone.DMA).free
        _zone(manager, Zone.DMA).free += 3
        text = f"DMA free on lists: {free} counted, {free + 3} kept"
        _differs(manager.meminfo(), text)
        _differs(manager.page_types(), text)
        _differs(manager.chart(), f"{free} counted, {free + 3} kept")


def test_poked_counters_of_a_zone():
    for field in ("managed", "present"):
        with pfm.testing.FakeMachine(ODD_32M) as machine:
            manager = machine.boot()
            zone = _zone(manager, Zone.DMA32)
            setattr(zone, field, getattr(zone, field) - 1)
            _differs(manager.meminfo(), f"DMA32 {field}")


def test_poked_count_of_blocks():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        blocks = manager.buddyinfo().blocks[Zone.DMA]
        order = max([order for order in range(19) if blocks[order]])
        _zone(manager, Zone.DMA).lists[order].blocks += 1
        _differs(manager.buddyinfo(), f"DMA blocks of order {order}")


def test_poked_free_block_of_order_beyond_18():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        entry(manager, 1024).state = FREE << KIND_SHIFT | 31
        _differs(manager.buddyinfo(), "DMA blocks of order 31: 1 counted, 0 kept")
        assert not manager.meminfo().verified
        assert not manager.page_types().verified
        assert not manager.chart().verified


def test_poked_head_of_a_block():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        pfn = manager.alloc(4)
        entry(manager, pfn).state = TAIL << KIND_SHIFT
        _differs(manager.meminfo(), "DMA in no block: 16 counted, 0 kept")
        equal(manager.page_types().kinds["tail"], 16)


def test_poked_frame_of_a_region():
    with pfm.testing.FakeMachine(ODD_32M) as machine:
        manager = machine.boot()
        pfn = frames(6 * MIB) + 3
        entry(manager, pfn).state = ABSENT << KIND_SHIFT
        _differs(manager.memmap(), "absent: 1 counted, 0 kept")
        _differs(manager.identify(Phys(pfn << 12)), "RAM: False counted, True kept")
        _differs(manager.meminfo(), "DMA present")


def test_poked_reservation_of_a_usable_frame():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        pfn = manager.alloc()
        entry(manager, pfn).state = RESERVED << KIND_SHIFT
        _differs(manager.memmap(), "reserved: 1 counted, 0 kept")
        _differs(manager.identify(PFN(pfn)), "reserved: True counted, False kept")


def test_poked_link_of_a_compound_tail():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        pfn = manager.alloc(3, compound=True)
        entry(manager, pfn + 5).next = 0xFFFFFFFF
        _differs(manager.identify(PFN(pfn + 5)), "head 4294967295 has no RAM")
        entry(manager, pfn + 5).next = pfn + 64
        _differs(manager.identify(PFN(pfn + 5)), "outside of the block")


def test_flags_of_a_poked_frame_change_no_verdict():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        manager.set_flags(42, 0xF800)
        report = manager.page_types()
        _verified(report)
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
            _verified(report)
        equal(list(manager.runs(PageFlags.LOCKED)), [])
        _zone(manager, Zone.DMA).lock = 0
        guard.release()


def test_reports_after_reclaim():
    with pfm.testing.FakeMachine(ODD_32M) as machine:
        manager = machine.boot()
        before = manager.meminfo().total
        given, _ = manager.reclaim()
        equal(given, frames(MIB))
        for report in (manager.meminfo(), manager.buddyinfo(), manager.memmap(), manager.chart()):
            _verified(report)
        equal(manager.meminfo().total.free, before.free + given)
