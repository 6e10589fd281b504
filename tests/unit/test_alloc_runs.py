"""pfm/alloc/runs.py: runs of any length, and frames at a given place."""

from array import array

from allocation import entry, lists, refused, zone
from ktap import equal
from maps import GIB, MIB, SMALL_8M, THREE_ZONES, frames

from pfm import (
    ArgumentError,
    FrameNotPresentError,
    FrameRangeError,
    FrameStateError,
    OutOfFramesError,
    PageFlags,
)
from pfm.memmap import protocol
from pfm.testing import FakeMachine


def test_run_of_any_length_comes_back_merged():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        for count in (1, 2, 3, 5, 7, 8, 63, 64, 65, 511, 512, 513, 1000):
            pfn = pfm.alloc_contiguous(count)
            equal(pfm.check().used, count)
            pfm.free(pfn)
            equal(lists(pfm), before)


def test_run_is_aligned():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for align in (1, 2, 64, 512, 1024):
            for count in (1, 3, 100):
                pfn = pfm.alloc_contiguous(count, align)
                equal(pfn % align, 0)
                pfm.free(pfn)


def test_run_below_a_frame():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        for below in (frames(MIB), frames(2 * MIB) + 17, frames(GIB), frames(4 * GIB)):
            for count in (1, 40, 200):
                pfn = pfm.alloc_contiguous(count, below=below)
                assert pfn + count <= below, pfn
                pfm.free(pfn)


def test_run_below_a_frame_inside_a_free_block():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        # The first block that is long enough ends beyond: 512..1024, of which 64 are below.
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 600, 1, None, 512 + 64)
        equal(pfm.alloc_contiguous(500, below=512), 1)
        error = refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 70, 64, None, 512 + 69)
        equal(error.count, 70)
        equal(pfm.alloc_contiguous(70, 64, below=512 + 70), 512)


def test_run_below_any_number():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.free(pfm.alloc_contiguous(3, below=1 << 64))
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 1, 1, None, 0)
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 1, 1, None, 1)
        equal(pfm.alloc_contiguous(1, below=2), 1)


def test_run_over_several_blocks():
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


def test_run_of_frames_in_the_magazine():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.free(pfm.alloc())
        assert pfm.check().cached
        largest = max([1 << order for order, blocks in enumerate(lists(pfm)[0]) if blocks])
        pfm.free(pfm.alloc())
        pfm.free(pfm.alloc_contiguous(largest))
        pfm.free(pfm.alloc_contiguous(pfm.array.start_phys // 4096 - 1))


def test_bad_lengths_of_a_run():
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


def test_bad_alignments_of_a_run():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for align in (0, -1, 3, 6, 1000, 1 << 33, (1 << 64) + 1, -4):
            equal(refused(pfm, ArgumentError, pfm.alloc_contiguous, 1, align).name, "align")
        for align in (None, 2.0):
            refused(pfm, TypeError, pfm.alloc_contiguous, 1, align)
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 1, 1 << 32)


def test_bad_bounds_of_a_run():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        equal(refused(pfm, ArgumentError, pfm.alloc_contiguous, 1, 1, None, -1).name, "below")
        # Of the wrong type, and noticed before a zone is locked.
        for below in (7.5, "9"):
            refused(pfm, TypeError, pfm.alloc_contiguous, 1, 1, None, below)
        for number in range(3):
            equal(zone(pfm, number).lock, 0)


def test_alloc_at_gives_exactly_these():
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


def test_alloc_at_takes_a_frame_out_of_the_magazine():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc()
        pfm.free(pfn)
        equal(pfm.describe(pfn), "cached")
        equal(pfm.alloc_at(pfn), pfn)
        pfm.check()


def test_alloc_at_of_one_frame_is_small():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.alloc_at(77)
        assert pfm.check_flags(77, PageFlags.SMALL)
        pfm.free_many(array("I", [77]))
        equal(pfm.check().used, 0)


def test_alloc_at_over_a_frame_in_use():
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


def test_alloc_at_over_reserved_frames_and_holes():
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


def test_alloc_at_across_zones():
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


def test_run_stays_in_one_zone():
    with FakeMachine([(0x1000, 64 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        edge = frames(16 * MIB)
        # All is taken but a stretch around the edge, larger on either side than nothing.
        pfm.alloc_at(1, edge - 51)
        end = frames(pfm.array.start_phys)
        pfm.alloc_at(edge + 50, end - edge - 50)
        if end <= edge + 50:
            raise AssertionError("the array ends above the edge")
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 90, 1, None, end)
        assert pfm.alloc_contiguous(45, below=end) >= edge
