"""Reports of single addresses, and the map of memory, against a recount of the entries."""

from ktap import equal, raises, skip
from maps import GIB, MIB, Q35_6G, SMALL_8M, TIB, frames
from recount import ODD_32M, entry_values, verified, with_busy

import pfm.testing
from pfm import PFN, ArgumentError, PageFlags, PageFrame, Phys, Zone
from pfm.alloc.zone import zone_of
from pfm.frame.entry import (
    ABSENT,
    CACHED,
    COMPOUND_TAIL,
    FREE,
    PART,
    STATE_KIND_SHIFT,
    USED,
)
from pfm.memmap import protocol
from pfm.memmap.regions import FRAME_ARRAY
from pfm.paging.tables import WRITE

ONE_PATH = "reports read entries and counters, whichever path wrote them"


def test_identify_agrees_with_each_entry():
    def check(manager, recount):
        for pfn in range(manager.min(), manager.max() + 1, 7):
            found = manager.identify(Phys(pfn << 12))
            verified(found)
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
            equal(entry_values(manager, found.head).state, kind << STATE_KIND_SHIFT | found.order)
            assert found.first <= pfn < found.first + found.frames

    with_busy(check)


def test_identify_run_and_compound_block():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        run = manager.alloc_contiguous(300, tag=9)
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
            found = manager.identify(manager.array.base + 32 * pfn)
            verified(found)
            equal(found.entry_of, pfn)
            equal(found.region.type, FRAME_ARRAY)
            assert manager.array.start_phys <= found.phys < manager.array.end_phys


def test_identify_entry_of_a_page_written_since():
    with pfm.testing.FakeMachine(Q35_6G) as machine:
        manager = machine.boot()
        if not manager.space:
            skip("no address space for the array")
        pfn = frames(GIB) + 300
        shared = manager.identify(manager.array.base + 32 * pfn)
        manager.set_flags(pfn, PageFlags.DIRTY)
        found = manager.identify(manager.array.base + 32 * pfn)
        verified(found)
        equal((found.entry_of, found.region.type), (pfn, FRAME_ARRAY))
        assert found.mapping[2] & WRITE and not shared.mapping[2] & WRITE
        equal(entry_values(manager, pfn).flags, PageFlags.DIRTY)
        assert found.phys != shared.phys
        copy = PageFrame.at(manager.as_virt(found.phys))
        equal(copy.flags, PageFlags.DIRTY)


def test_identify_outside_of_everything():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for addr in (8 * MIB, TIB, (1 << 52) - 1):
            found = manager.identify(Phys(addr))
            verified(found)
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
    scattered = [(n * 512 * GIB, 40 * MIB + n * 4096, protocol.USABLE) for n in range(1, 31)]
    for entries in (SMALL_8M, ODD_32M, Q35_6G, scattered):
        if entries is scattered and not pfm.testing.ffi:
            continue
        with pfm.testing.FakeMachine(entries) as machine:
            manager = machine.boot()
            chart = manager.chart()
            verified(chart)
            lines = repr(chart).split("\n")
            assert len(lines) <= 24, len(lines)
            assert max([len(line) for line in lines]) <= 79, lines
            equal(_cells(manager, chart), [])


def test_chart_agrees_with_each_entry():
    def check(manager, recount):
        chart = manager.chart()
        verified(chart)
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

    with_busy(check)


def test_chart_marks_types():
    with pfm.testing.FakeMachine(ODD_32M) as machine:
        manager = machine.boot()
        drawn = "".join([marks for _, marks in manager.chart().rows])
        for mark in "AKL.":
            assert mark in drawn, drawn


def test_holes_of_a_chart_are_one_line():
    if not pfm.testing.ffi:
        skip("no ffi for a terabyte of addresses")
    entries = [(0, 64 * MIB, protocol.USABLE), (TIB, 64 * MIB, protocol.USABLE)]
    with pfm.testing.FakeMachine(entries) as machine:
        text = repr(machine.boot().chart())
        equal(len([line for line in text.split("\n") if "hole of" in line]), 1)
