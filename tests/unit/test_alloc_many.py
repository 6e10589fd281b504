"""pfm/alloc/many.py: arrays of single frames."""

from array import array

from allocation import entry, lists, refused, zone
from ktap import equal, raises
from maps import GIB, MIB, SMALL_8M, THREE_ZONES, frames

from pfm import (
    ArgumentError,
    FrameNotPresentError,
    FrameRangeError,
    FrameStateError,
    LockHeldError,
    LockTimeoutError,
    OutOfFramesError,
    RefcountError,
    Zone,
    lock,
)
from pfm.alloc import many
from pfm.memmap import protocol
from pfm.testing import FakeMachine

# A context that keeps a lock.
_OTHER = 2


def test_frames_are_distinct_and_come_back():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        for count in (1, 2, 31, 64, 1000, 3000):
            found = pfm.alloc_many(count)
            equal(len(found), count)
            equal(len(set(found)), count)
            equal(pfm.check().used, count)
            pfm.free_many(found)
            equal(lists(pfm), before)


def test_alloc_many_fills_an_array():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        given = array("I", [0] * 100)
        assert pfm.alloc_many(given) is given
        assert min(given) > 0
        # Each is freed on its own as well.
        for pfn in given:
            pfm.free(pfn)
        equal(pfm.check().used, 0)
        empty = array("I")
        assert pfm.alloc_many(empty) is empty
        pfm.free_many(empty)
        # A part of an array, without a copy.
        pfm.alloc_many(memoryview(given)[10:20])
        equal(pfm.check().used, 10)
        pfm.free_many(memoryview(given)[10:20])
        equal(pfm.check().used, 0)


def test_free_many_in_any_order_merges():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        found = pfm.alloc_many(1000)
        shuffled = array("I", [found[i * 7 % 1000] for i in range(1000)])
        pfm.free_many(shuffled)
        equal(lists(pfm), before)
        for pfn in found:
            equal(entry(pfm, pfn).rc, 0)


def test_running_out_in_the_middle_frees_the_rest():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        total = sum(pfm.count_free())
        error = refused(pfm, OutOfFramesError, pfm.alloc_many, total)
        equal(error.free, pfm.count_free())
        equal(lists(pfm), before)
        # One more than DMA has.
        dma = pfm.count_free()[0]
        refused(pfm, OutOfFramesError, pfm.alloc_many, dma + 1, Zone.DMA)
        equal(lists(pfm), before)
        pfm.free_many(pfm.alloc_many(dma, Zone.DMA))
        equal(lists(pfm), before)


def test_bad_counts_and_arrays():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for count in (0, -1, pfm.check().free + 1, 1 << 64):
            equal(refused(pfm, ArgumentError, pfm.alloc_many, count).name, "frames")
        # Elements of another size would be written past their end.
        wrongs = (
            array("H", [0] * 8),
            array("i", [0] * 8),
            array("Q", [0] * 8),
            array("f", [0] * 8),
            bytearray(8),
            b"12345678",
            [0] * 8,
            (0, 0),
        )
        for wrong in wrongs:
            refused(pfm, TypeError, pfm.alloc_many, wrong)
            refused(pfm, TypeError, pfm.free_many, wrong)
        equal(list(wrongs[0]), [0] * 8)
        for wrong in (None, 1.5):
            refused(pfm, TypeError, pfm.alloc_many, wrong)
            refused(pfm, TypeError, pfm.free_many, wrong)
        refused(pfm, ArgumentError, pfm.alloc_many, 1, 7)
        for number in range(3):
            equal(zone(pfm, number).lock, 0)


def test_row_of_frames_across_zones_comes_back():
    with FakeMachine([(0, 32 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        pfm.drain()
        before = lists(pfm)
        dma, dma32, _ = pfm.count_free()
        found = sorted(list(pfm.alloc_many(dma, Zone.DMA)) + list(pfm.alloc_many(dma32)))
        assert found[0] < Zone.BOUNDS[1] < found[-1]
        pfm.free_many(array("I", found))
        equal(lists(pfm), before)
        pfm.check()


def test_frames_of_a_higher_zone_before_a_row_across_zones_come_back():
    with FakeMachine([(0, 32 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        edge = Zone.BOUNDS[1]
        rows = list(range(edge + 64, edge + 72)) + list(range(edge - 8, edge + 8))
        for pfn in rows:
            pfm.alloc_at(pfn)
        pfm.free_many(array("I", rows))
        equal(lists(pfm), before)
        pfm.check()


def test_free_many_refuses_all_for_one():
    _refuse_all_for_one(True)


def test_free_many_as_one_of_several_processors():
    _refuse_all_for_one(False)


def _refuse_all_for_one(alone):
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        good = pfm.alloc_many(20)
        shared = pfm.alloc()
        pfm.ref(shared)
        block = pfm.alloc(3)
        run = pfm.alloc_at(1021, 3)
        compound = pfm.alloc(2, compound=True)
        freed = pfm.alloc()
        pfm.free(freed)
        array_start = frames(pfm.array.start_phys)

        def free_many(array_):
            many.alone = lambda: alone
            try:
                pfm.free_many(array_)
            finally:
                many.alone = lock.alone

        for bad, wanted in (
            (good[3], FrameStateError),
            (shared, RefcountError),
            (block, FrameStateError),
            (block + 1, FrameStateError),
            (run, FrameStateError),
            (run + 1, FrameStateError),
            (compound, FrameStateError),
            (compound + 1, FrameStateError),
            (freed, FrameStateError),
            (array_start, FrameStateError),
            (frames(GIB), FrameNotPresentError),
            (0, FrameRangeError),
            (0xFFFFFFFF, FrameRangeError),
        ):
            frames_ = array("I", good)
            frames_.append(bad)
            equal(refused(pfm, wanted, free_many, frames_).pfn, bad)
        with pfm.get(good[7]):
            equal(refused(pfm, LockHeldError, free_many, good).what, good[7])
        free_many(good)
        pfm.check()


def test_lock_of_a_zone_that_does_not_come_changes_nothing():
    with FakeMachine([(0, 32 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        dma, dma32, _ = pfm.count_free()
        found = pfm.alloc_many(dma32 + 8)
        rest = sum(pfm.count_free())
        # Frames of the highest zone first and last, so that one zone's come before the other's.
        for frames_ in (found, array("I", reversed(found))):
            for number in (Zone.DMA, Zone.DMA32):
                zone(pfm, number).lock = _OTHER
                error = raises(LockTimeoutError, pfm.free_many, frames_)
                equal((error.what, error.owner), (Zone.NAMES[number], _OTHER))
                zone(pfm, number).lock = 0
                equal(sum(pfm.count_free()), rest)
                walked = pfm.check()
                equal((walked.used, walked.free), (len(found), rest))
        pfm.free_many(found)
        equal(lists(pfm), before)
        # As many as need both zones.
        for number in (Zone.DMA, Zone.DMA32):
            zone(pfm, number).lock = _OTHER
            error = raises(LockTimeoutError, pfm.alloc_many, dma32 + 8)
            equal((error.what, error.owner), (Zone.NAMES[number], _OTHER))
            zone(pfm, number).lock = 0
            equal(lists(pfm), before)
            pfm.check()


def test_order_is_the_users_to_write():
    """The field `order` of an entry says nothing to the allocator: its `state` does."""
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        frames = pfm.alloc_many(20)
        single = pfm.alloc()
        block = pfm.alloc(3)
        for pfn in (frames[0], frames[7], single, block):
            with pfm.get(pfn) as held:
                held.order = 9
        pfm.check()
        refused(pfm, FrameStateError, pfm.free_many, array("I", (block,)))
        pfm.free_many(frames)
        pfm.free(single)
        pfm.free(block)
        equal(lists(pfm), before)
        pfm.check()
