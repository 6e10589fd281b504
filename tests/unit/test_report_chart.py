"""pfm/report/chart.py: the chart of memory."""

from ktap import equal, skip
from maps import GIB, MIB, Q35_6G, SMALL_8M, TIB
from recount import ODD_32M, verified, with_busy

import pfm.testing
from pfm.frame.entry import ABSENT, CACHED, FREE
from pfm.memmap import protocol

ONE_PATH = "reports read entries and counters, whichever path wrote them"


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
