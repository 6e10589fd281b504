"""pfm/alloc/zones.py: which zone serves an allocation, and what each keeps for itself."""

from allocation import lists, refused, zone
from ktap import equal
from maps import GIB, MIB, SMALL_8M, THREE_ZONES, frames

from pfm import OutOfFramesError, Zone
from pfm.alloc.zone import watermark, zone_of
from pfm.memmap import protocol
from pfm.testing import FakeMachine


def test_counters():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        present = [zone(pfm, number).present for number in range(3)]
        equal(present[0] + present[1], frames(41 * MIB) - 5)
        equal(present[2], frames(16 * MIB))
        for number in range(3):
            state = zone(pfm, number)
            equal((state.free, state.free), (state.managed, pfm.count_free()[number]))
            equal(state.watermark, watermark(state.managed))
            assert state.managed <= state.present


def test_each_zone_by_name():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        for number in (Zone.DMA, Zone.DMA32, Zone.NORMAL):
            for order in (0, 1, 5):
                equal(zone_of(pfm.alloc(order, number)), number)
            equal(zone_of(pfm.alloc_contiguous(33, zone=number)), number)
            equal([zone_of(pfn) for pfn in pfm.alloc_many(40, number)], [number] * 40)
        equal(zone_of(pfm.alloc()), Zone.NORMAL)
        pfm.check()


def test_zone_above_the_highest_is_the_highest():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for number in range(3):
            equal(zone_of(pfm.alloc(0, number)), Zone.DMA)


def test_fallback_downward_stops_at_the_watermark():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        taken = []
        found = []
        while True:
            try:
                taken.append(pfm.alloc())
            except OutOfFramesError as error:
                equal(error.zone, Zone.NORMAL)
                break
            if not found or found[-1] != zone_of(taken[-1]):
                found.append(zone_of(taken[-1]))
        equal(found, [Zone.NORMAL, Zone.DMA32, Zone.DMA])
        free = pfm.count_free()
        equal(free, (zone(pfm, 0).watermark, zone(pfm, 1).watermark, 0))
        # What is left is for those who need it.
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 1)
        refused(pfm, OutOfFramesError, pfm.alloc_many, 1)
        for number in (Zone.DMA32, Zone.DMA):
            for _ in range(free[number]):
                taken.append(pfm.alloc(0, number))
                assert zone_of(taken[-1]) == number
        equal(pfm.count_free(), (0, 0, 0))
        for pfn in taken:
            pfm.free(pfn)
        equal(lists(pfm), before)
        pfm.check()


def test_fallback_of_a_block_keeps_the_watermark_too():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        while True:
            try:
                pfm.alloc(6)
            except OutOfFramesError:
                break
        for number in (Zone.DMA, Zone.DMA32):
            assert pfm.count_free()[number] >= zone(pfm, number).watermark
        pfm.check()


def test_fallback_to_the_last_frame_above_the_watermark():
    entries = [
        (0x1000, MIB, protocol.USABLE),
        (16 * MIB, 16 * MIB, protocol.USABLE),
        (4 * GIB, 2 * MIB, protocol.USABLE),
    ]
    with FakeMachine(entries) as machine:
        pfm = machine.boot()
        pfm.alloc_many(pfm.count_free()[Zone.NORMAL])
        spare = [pfm.count_free()[number] - zone(pfm, number).watermark for number in (0, 1)]
        equal(spare[1], 4096 - 32)
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, spare[1] + 1)
        run = pfm.alloc_contiguous(spare[1])
        equal(zone_of(run), Zone.DMA32)
        pfm.free(run)
        refused(pfm, OutOfFramesError, pfm.alloc_many, sum(spare) + 1)
        refused(pfm, OutOfFramesError, pfm.alloc_many, sum(spare) + 2)
        pfm.free_many(pfm.alloc_many(sum(spare)))
        # Its own zone may be asked for all of it.
        pfm.free(pfm.alloc_contiguous(4096, zone=Zone.DMA32))
        pfm.check()


def test_nothing_for_dma_comes_from_above():
    with FakeMachine(
        [(frames(MIB) << 12, MIB, protocol.USABLE), (32 * MIB, 32 * MIB, protocol.USABLE)]
    ) as machine:
        pfm = machine.boot()
        count = pfm.count_free()[0]
        pfm.alloc_many(count, Zone.DMA)
        error = refused(pfm, OutOfFramesError, pfm.alloc, 0, Zone.DMA)
        equal((error.zone, error.free[0]), (Zone.DMA, 0))
        assert error.free[1] > 0
