"""Runs, frames at a given place, and arrays of single frames."""

from array import array

from allocation import entry, lists, refused, zone
from ktap import equal
from maps import GIB, MIB, SMALL_8M, THREE_ZONES, frames

from pfm import (
    ArgumentError,
    FrameNotPresentError,
    FrameRangeError,
    FrameStateError,
    LockHeldError,
    OutOfFramesError,
    PageFlags,
    RefcountError,
    Zone,
)
from pfm.memmap import protocol
from pfm.testing import FakeMachine


def test_pages_of_any_count_come_back_merged():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        for count in (1, 2, 3, 5, 7, 8, 63, 64, 65, 511, 512, 513, 1000):
            pfn = pfm.alloc_contiguous(count)
            equal(pfm.check().used, count)
            pfm.free(pfn)
            equal(lists(pfm), before)


def test_pages_are_aligned():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for align in (1, 2, 64, 512, 1024):
            for count in (1, 3, 100):
                pfn = pfm.alloc_contiguous(count, align)
                equal(pfn % align, 0)
                pfm.free(pfn)


def test_pages_below():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        for below in (frames(MIB), frames(2 * MIB) + 17, frames(GIB), frames(4 * GIB)):
            for count in (1, 40, 200):
                pfn = pfm.alloc_contiguous(count, below=below)
                assert pfn + count <= below, pfn
                pfm.free(pfn)


def test_pages_below_inside_a_free_block():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        # The first block that is long enough ends beyond: 512..1024, of which 64 are below.
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 600, 1, None, 512 + 64)
        equal(pfm.alloc_contiguous(500, below=512), 1)
        error = refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 70, 64, None, 512 + 69)
        equal(error.count, 70)
        equal(pfm.alloc_contiguous(70, 64, below=512 + 70), 512)


def test_pages_below_anything():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.free(pfm.alloc_contiguous(3, below=1 << 64))
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 1, 1, None, 0)
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 1, 1, None, 1)
        equal(pfm.alloc_contiguous(1, below=2), 1)


def test_pages_over_several_blocks():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        # 1025..1535 is free in nine blocks, and nothing else that is long enough.
        pfm.alloc_at(1, 510)
        pfm.alloc_at(512, 513)
        pfm.alloc_at(1536, 1)
        left = pfm.count_free()[0]
        pfn = pfm.alloc_contiguous(511)
        equal(pfn, 1025)
        equal(pfm.count_free()[0], left - 511)
        for part in (1026, 1028, 1032, 1280):
            equal(entry(pfm, part).prev, 1025)
            equal(refused(pfm, FrameStateError, pfm.free, part).state, "part of the run at 1025")
        pfm.free(pfn)
        pfm.check()


def test_pages_of_a_magazine_are_found():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.free(pfm.alloc())
        assert pfm.check().cached
        largest = max([1 << order for order, blocks in enumerate(lists(pfm)[0]) if blocks])
        pfm.free(pfm.alloc())
        pfm.free(pfm.alloc_contiguous(largest))
        pfm.free(pfm.alloc_contiguous(pfm.array.start_phys // 4096 - 1))


def test_pages_bad_counts():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for count in (0, -1, pfm.check().free + 1, 1 << 20, 1 << 64):
            equal(refused(pfm, ArgumentError, pfm.alloc_contiguous, count).value, count)
        for count in (None, 1.0, "1"):
            refused(pfm, TypeError, pfm.alloc_contiguous, count)
        # As many as there are, but not in a row.
        pfm.alloc_at(500)
        error = refused(pfm, OutOfFramesError, pfm.alloc_contiguous, pfm.check().free)
        equal(error.free, pfm.count_free())


def test_pages_bad_alignments():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for align in (0, -1, 3, 6, 1000, 1 << 33, (1 << 64) + 1, -4):
            equal(refused(pfm, ArgumentError, pfm.alloc_contiguous, 1, align).name, "align")
        for align in (None, 2.0):
            refused(pfm, TypeError, pfm.alloc_contiguous, 1, align)
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 1, 1 << 32)


def test_pages_bad_bounds():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        equal(refused(pfm, ArgumentError, pfm.alloc_contiguous, 1, 1, None, -1).name, "below")
        # Of the wrong type, and noticed before a zone is locked.
        for below in (7.5, "9"):
            refused(pfm, TypeError, pfm.alloc_contiguous, 1, 1, None, below)
        for number in range(3):
            equal(zone(pfm, number).lock, 0)


def test_at_gives_exactly_these():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        for pfn, count in ((1, 1), (1025, 1), (1023, 2), (1000, 100), (1, 1023), (512, 512)):
            free = pfm.count_free()[0]
            equal(pfm.alloc_at(pfn, count), pfn)
            equal(pfm.count_free()[0], free - count)
            equal(pfm.check().used, count)
            pfm.free(pfn)
            equal(lists(pfm), before)


def test_at_takes_a_frame_out_of_the_magazine():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc()
        pfm.free(pfn)
        equal(pfm.describe(pfn), "cached")
        equal(pfm.alloc_at(pfn), pfn)
        pfm.check()


def test_at_single_frame_is_small():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.alloc_at(77)
        assert pfm.check_flags(77, PageFlags.SMALL)
        pfm.free_many(array("I", [77]))
        equal(pfm.check().used, 0)


def test_at_over_a_frame_in_use():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.alloc_at(1030)
        block = pfm.alloc_at(1040, 8)
        compound = pfm.alloc(3, compound=True)
        for pfn, count, taken in (
            (1030, 1, 1030),
            (1024, 16, 1030),
            (1029, 2, 1030),
            (1031, 100, 1040),
            (1047, 1, 1047),
            (block + 3, 2, block + 3),
            (compound + 2, 1, compound + 2),
        ):
            equal(refused(pfm, FrameStateError, pfm.alloc_at, pfn, count).pfn, taken)


def test_at_over_reserved_frames_and_holes():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        array_start = frames(pfm.array.start_phys)
        for pfn, count, taken in (
            (array_start, 1, array_start),
            (array_start - 3, 10, array_start),
            (frames(48 * MIB) - 1, 2, frames(48 * MIB)),
        ):
            equal(refused(pfm, FrameStateError, pfm.alloc_at, pfn, count).pfn, taken)
        for pfn, count, taken in (
            (frames(4 * MIB), 2, frames(4 * MIB) + 1),
            (frames(GIB), 1, frames(GIB)),
            (frames(4 * GIB) - 1, 2, frames(4 * GIB) - 1),
        ):
            equal(refused(pfm, FrameNotPresentError, pfm.alloc_at, pfn, count).pfn, taken)
        for pfn, count in ((0, 1), (-1, 1), (pfm.max(), 2), (1, 1 << 64), (1 << 64, 1)):
            refused(pfm, FrameRangeError, pfm.alloc_at, pfn, count)
        for count in (0, -1, -(1 << 64)):
            equal(refused(pfm, ArgumentError, pfm.alloc_at, 1, count).name, "count")
        for wrong in (None, 1.5, "1"):
            refused(pfm, TypeError, pfm.alloc_at, wrong)
            refused(pfm, TypeError, pfm.alloc_at, 1, wrong)


def test_at_across_zones():
    with FakeMachine([(0x1000, 64 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        edge = frames(16 * MIB)
        before = lists(pfm)
        free = pfm.count_free()
        equal(pfm.alloc_at(edge - 5, 12), edge - 5)
        equal(pfm.count_free(), (free[0] - 5, free[1] - 7, 0))
        pfm.check()
        equal(refused(pfm, FrameStateError, pfm.alloc_at, edge).pfn, edge)
        equal(pfm.ref(edge - 5), 2)
        equal((pfm.unref(edge - 5), pfm.unref(edge - 5)), (1, 0))
        equal(lists(pfm), before)


def test_pages_stay_in_one_zone():
    with FakeMachine([(0x1000, 64 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        edge = frames(16 * MIB)
        # All is taken but a stretch around the edge, larger on either side than nothing.
        pfm.alloc_at(1, edge - 51)
        end = frames(pfm.array.start_phys)
        pfm.alloc_at(edge + 50, end - edge - 50)
        if end <= edge + 50:
            raise AssertionError("the array lies in the way")
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 90, 1, None, end)
        assert pfm.alloc_contiguous(45, below=end) >= edge


def test_many_are_distinct_and_come_back():
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


def test_many_into_an_array_given():
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


def test_many_in_any_order_come_back_merged():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        found = pfm.alloc_many(1000)
        shuffled = array("I", [found[i * 7 % 1000] for i in range(1000)])
        pfm.free_many(shuffled)
        equal(lists(pfm), before)
        for pfn in found:
            equal(entry(pfm, pfn).rc, 0)


def test_many_exhausted_in_the_middle_gives_back():
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


def test_many_bad_counts_and_arrays():
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


def test_many_in_one_row_across_zones_come_back():
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


def test_many_of_a_higher_zone_before_a_row_across_zones_come_back():
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
    _refuse_all_for_one(1)


def test_free_many_as_one_of_several_processors():
    _refuse_all_for_one(2)


def _refuse_all_for_one(processors):
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
            pfm._processors = processors
            try:
                pfm.free_many(array_)
            finally:
                pfm._processors = 1

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
