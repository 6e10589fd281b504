"""pfm/questions/fragmentation.py: the indices of Gorman and of Linux, on memory whose blocks are known."""

from allocation import zone
from ktap import equal, raises
from maps import SMALL_8M, THREE_ZONES
from recount import busy, differs, verified

from pfm import ArgumentError, OutOfFramesError, Zone
from pfm.testing import FakeMachine


def _every_other(manager):
    """Leave single free frames only, in the zone DMA: every other one is held."""
    held = list(manager.alloc_many(sum(manager.count_free())))
    for pfn in held:
        if pfn % 2:
            manager.free(pfn)
    manager.drain()


def test_one_block_is_not_fragmented():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        report = manager.fragmentation(0)
        verified(report)
        equal((report.index, report.total.failure, report.order), (0, None, 0))
        equal(report.total.suitable, sum(manager.count_free()))


def test_single_frames_are_unusable_for_more():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        _every_other(manager)
        free = sum(manager.count_free())
        equal(manager.fragmentation(0).index, 0)
        for order in (1, 4, 9):
            report = manager.fragmentation(order)
            equal((report.index, report.total.free, report.total.suitable), (1, free, 0))
            # Linux: 1000 - (1000 + free * 1000 / requested) / blocks.
            expected = 1 - (1 + free / (1 << order)) / free
            assert abs(report.total.failure - expected) < 1e-6, report
            raises(OutOfFramesError, manager.alloc, order)
        # Fragmented rather than out of memory, the less the more was asked for.
        failures = [manager.fragmentation(order).total.failure for order in (1, 4, 9)]
        equal(failures, sorted(failures))
        assert failures[-1] > 0.9


def test_share_of_blocks_that_are_too_small():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        busy(manager)
        manager.drain()
        blocks = manager.buddyinfo().blocks
        for order in range(19):
            report = manager.fragmentation(order)
            for number, row in enumerate(report.zones):
                free = manager.count_free()[number]
                small = sum([blocks[number][at] << at for at in range(order)])
                equal((row.name, row.free, row.suitable), (Zone.NAMES[number], free, free - small))
                equal(row.index, small / free)
                equal(row.failure is None, small < free)


def test_nothing_free_has_no_index():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        manager.alloc_many(sum(manager.count_free()))
        report = manager.fragmentation(3)
        equal((report.index, report.total.failure), (None, None))
        assert "Order 3: verified" in repr(report)


def test_wrong_counter():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        zone(manager, Zone.DMA).lists[0].blocks += 1
        differs(manager.fragmentation(1), "DMA blocks of order 0")


def test_arguments():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for order in (-1, 19):
            equal(raises(ArgumentError, manager.fragmentation, order).name, "order")
        raises(TypeError, manager.fragmentation, "9")
