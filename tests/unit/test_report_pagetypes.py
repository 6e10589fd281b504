"""pfm/report/pagetypes.py: frames counted by kind and flags, and ranges of frames with a flag."""

from ktap import equal, raises
from maps import SMALL_8M
from recount import verified, with_busy

import pfm.testing
from pfm import FlagsRangeError, PageFlags
from pfm.frame.entry import ABSENT, FREE, KIND_NAMES

ONE_PATH = "reports read entries and counters, whichever path wrote them"


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


def test_flag_ranges_agree_with_check_flags():
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


def test_flag_ranges_are_found_as_one_iterates():
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
