"""pfm/questions/largest.py: what is said to be free in one piece can be had, and not a frame more."""

from allocation import entry
from ktap import equal, raises
from maps import RECLAIMABLE, THREE_ZONES
from recount import busy

from pfm import ArgumentError, OutOfFramesError, Zone
from pfm.testing import FakeMachine


def _had(manager, zone):
    """Expect that exactly the longest range of the zone can be allocated."""
    report = manager.largest_free(zone)
    own = report.zones[0]
    equal((own.zone, len(report.zones)), (zone, zone + 1))
    equal(report.frames, max([row.frames for row in report.zones]))
    if own.frames:
        manager.free(manager.alloc_at(own.pfn, own.frames))
        pfn = manager.alloc_contiguous(own.frames, zone=zone)
        manager.free(pfn)
    if report.frames == own.frames:
        raises(OutOfFramesError, manager.alloc_contiguous, own.frames + 1, zone=zone)


def test_each_zone():
    for entries in (THREE_ZONES, RECLAIMABLE):
        with FakeMachine(entries) as machine:
            manager = machine.boot()
            for _ in range(3):
                for zone in range(3):
                    if manager.largest_free(zone).zones[0].frames:
                        _had(manager, zone)
                busy(manager)


def test_range_of_several_blocks_and_of_cached_frames():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        manager.alloc_contiguous(manager.largest_free().zones[0].frames)
        while manager.largest_free().zones[0].frames:
            manager.alloc_contiguous(manager.largest_free().zones[0].frames)
        run = manager.largest_free(Zone.DMA32)
        equal(run.zones[0].frames, run.frames)
        top = [block.pfn for block in manager.blocks("used", Zone.NORMAL)][0]
        manager.free(top)
        freed = manager.largest_free().zones[0]
        held = manager.alloc_at(freed.pfn, freed.frames)
        equal(manager.largest_free().zones[0], (Zone.NORMAL, 0, 0, -1))
        manager.free(held)
        equal(manager.largest_free().zones[0], freed)


def test_order_is_that_of_the_largest_block_on_the_lists():
    def largest(manager, zone):
        orders = [at for at, count in enumerate(manager.buddyinfo().blocks[zone]) if count]
        return max(orders + [-1])

    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        for _ in range(3):
            for row in manager.largest_free().zones:
                equal(row.order, largest(manager, row.zone))
            busy(manager)


def test_printed():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        lines = repr(manager.largest_free()).split("\n")
        equal([line.split()[0] for line in lines], ["Zone", "NORMAL", "DMA32", "DMA"])


def test_arguments():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        equal(raises(ArgumentError, manager.largest_free, 3).name, "zone")
        raises(TypeError, manager.largest_free, "DMA")


def test_head_that_makes_no_sense():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        entry(manager, 1024).state = 0x3F
        assert manager.largest_free(Zone.DMA).frames <= 4096
