"""pfm/manyflags/calls.py, pfm/manyflags/loops.py: flags of a range and of an array of frames, and their count."""

from array import array

from allocation import entry
from ktap import equal, raises
from maps import GIB, MIB, Q35_6G, SMALL_8M, frames

from pfm import (
    ArgumentError,
    FlagsRangeError,
    FrameNotPresentError,
    FrameRangeError,
    LockHeldError,
    LockTimeoutError,
    NotInitialisedError,
    PageFlags,
    PageFrameManager,
    lock,
)
from pfm.manyflags import calls
from pfm.testing import FakeMachine

DIRTY = PageFlags.DIRTY
LRU = PageFlags.LRU


def _with(pfm, flags, start, end):
    return [pfn for pfn in range(start, end) if pfm.check_flags(pfn, flags)]


def test_range_changes_its_frames_and_no_other():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for start, count in ((100, 1), (101, 7), (200, 8), (300, 131), (255, 2)):
            pfm.set_flags_range(start, count, DIRTY | LRU)
            equal(_with(pfm, DIRTY | LRU, 90, 500), list(range(start, start + count)))
            pfm.clear_flags_range(start, count, DIRTY)
            equal(_with(pfm, DIRTY, 90, 500), [])
            equal(_with(pfm, LRU, 90, 500), list(range(start, start + count)))
            pfm.clear_flags_range(start, count, LRU)


def test_range_over_a_hole_changes_nothing():
    with FakeMachine(Q35_6G) as machine:
        pfm = machine.boot()
        end = frames(2 * GIB) - 33
        error = raises(FrameNotPresentError, pfm.set_flags_range, end - 1000, 5000, DIRTY)
        assert not pfm.present(error.pfn) and pfm.present(error.pfn - 1)
        equal(pfm.count_flags(DIRTY), 0)


def test_range_with_a_locked_frame_changes_nothing():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        with pfm.get(150):
            equal(raises(LockHeldError, pfm.set_flags_range, 100, 100, DIRTY).what, 150)
            pfm.set_flags_range(100, 50, LRU)
        equal(pfm.count_flags(DIRTY), 0)
        equal(pfm.count_flags(LRU), 50)


def test_array_changes_its_frames_and_no_other():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        numbers = array("I", [500, 3, 499, 1000, 128, 3])
        pfm.set_flags_many(numbers, DIRTY)
        equal(_with(pfm, DIRTY, 1, 1500), [3, 128, 499, 500, 1000])
        pfm.clear_flags_many(array("I", [3, 499]), DIRTY)
        equal(_with(pfm, DIRTY, 1, 1500), [128, 500, 1000])


def test_array_with_a_bad_frame_changes_nothing():
    with FakeMachine(Q35_6G) as machine:
        pfm = machine.boot()
        pfm.set_flags(7, DIRTY)
        hole = frames(3 * GIB)
        for bad, error in ((hole, FrameNotPresentError), (1 << 31, FrameRangeError)):
            equal(raises(error, pfm.set_flags_many, array("I", [5, 7, 5, bad, 9]), DIRTY).pfn, bad)
            equal(_with(pfm, DIRTY, 1, 20), [7])
        with pfm.get(8):
            raises(LockHeldError, pfm.clear_flags_many, array("I", [7, 8]), DIRTY)
        equal(_with(pfm, DIRTY, 1, 20), [7])


def test_array_of_any_length_and_over_holes():
    with FakeMachine(Q35_6G) as machine:
        pfm = machine.boot()
        # On both sides of the hole in turn, in several pages of the frame array.
        starts = (frames(2 * GIB) - 2000, frames(4 * GIB))
        numbers = [starts[i & 1] + 60 * i for i in range(11)]
        for count in range(1, len(numbers) + 1):
            pfm.set_flags_many(array("I", numbers[:count]), DIRTY | LRU)
            equal(pfm.count_flags(DIRTY | LRU), count)
            for pfn in numbers[:count]:
                assert pfm.check_flags(pfn, DIRTY | LRU)
            pfm.clear_flags_many(array("I", numbers[:count]), DIRTY)
            equal((pfm.count_flags(DIRTY), pfm.count_flags(LRU)), (0, count))
            pfm.clear_flags_many(array("I", numbers[:count]), LRU)
        for at in range(len(numbers)):
            for bad, error in (
                (0, FrameRangeError),
                (pfm.max() + 1, FrameRangeError),
                (frames(3 * GIB), FrameNotPresentError),
            ):
                tried = array("I", numbers)
                tried[at] = bad
                equal(raises(error, pfm.set_flags_many, tried, DIRTY).pfn, bad)
                equal(pfm.count_flags(DIRTY), 0)


def test_reclaimed_memory_is_in_the_rows():
    with FakeMachine(Q35_6G) as machine:
        pfm = machine.boot()
        numbers = array("I", [pfn for pfn in range(1, 2000) if pfm.present(pfn)])
        pfm.set_flags_many(numbers, LRU)
        pfm.reclaim()
        pfm.set_flags_many(numbers, DIRTY)
        equal(pfm.count_flags(DIRTY), len(numbers))


def _as_one_of_two(call, *args):
    """Call with the frames' locks taken one by one, as where another processor runs."""
    calls.alone = lambda: False
    try:
        call(*args)
    finally:
        calls.alone = lock.alone


def test_one_of_several_processors_takes_each_lock():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        numbers = array("I", [500, 3, 499, 1000, 128, 3])
        _as_one_of_two(pfm.set_flags_many, numbers, DIRTY | LRU)
        equal(_with(pfm, DIRTY | LRU, 1, 1500), [3, 128, 499, 500, 1000])
        _as_one_of_two(pfm.clear_flags_many, numbers, LRU)
        equal((pfm.count_flags(DIRTY), pfm.count_flags(LRU)), (5, 0))
        _as_one_of_two(pfm.set_flags_range, 90, 50, LRU)
        equal(_with(pfm, LRU, 1, 1500), list(range(90, 140)))
        _as_one_of_two(pfm.clear_flags_range, 91, 49, LRU)
        equal(_with(pfm, LRU, 1, 1500), [90])
        equal([pfn for pfn in range(1, 1500) if entry(pfm, pfn).lock], [])


def test_lock_that_does_not_come_changes_nothing():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.set_flags_many(array("I", [7, 9]), LRU)
        before = [pfm.check_flags(pfn, LRU) for pfn in range(1, 20)]
        for owner, error in (
            (lock.context(), LockHeldError),
            (lock.context() + 1, LockTimeoutError),
        ):
            entry(pfm, 8).lock = owner
            for call, args in (
                (pfm.set_flags_many, (array("I", [5, 7, 5, 9, 8]), DIRTY | LRU)),
                (pfm.clear_flags_range, (5, 10, LRU)),
            ):
                stuck = raises(error, _as_one_of_two, call, *args)
                equal((stuck.what, stuck.owner), (8, owner))
            entry(pfm, 8).lock = 0
        equal(pfm.count_flags(DIRTY), 0)
        equal([pfm.check_flags(pfn, LRU) for pfn in range(1, 20)], before)
        equal([pfn for pfn in range(1, 20) if entry(pfm, pfn).lock], [])


def test_count_is_that_of_the_frames():
    with FakeMachine(Q35_6G) as machine:
        pfm = machine.boot()
        reserved = pfm.count_flags(PageFlags.RESERVED)
        equal(pfm.count_present() - reserved, sum(pfm.count_free()))
        pfm.set_flags_many(array("I", [1, 2, 500000]), DIRTY)
        pfm.set_flags(2, LRU)
        equal((pfm.count_flags(DIRTY), pfm.count_flags(DIRTY | LRU)), (3, 1))
        equal(pfm.count_flags(0), pfm.count_present())


def test_bad_arguments():
    raises(NotInitialisedError, PageFrameManager().count_flags, 1)
    with FakeMachine([(MIB, 8 * MIB, 0)]) as machine:
        pfm = machine.boot()
        for call in (pfm.set_flags_range, pfm.clear_flags_range):
            raises(ArgumentError, call, 300, 0, 1)
            raises(FrameRangeError, call, 300, 1 << 20, 1)
            raises(FrameRangeError, call, -1, 1, 1)
            raises(FlagsRangeError, call, 300, 1, 1 << 16)
            raises(TypeError, call, 300.0, 1, 1)
        for call in (pfm.set_flags_many, pfm.clear_flags_many):
            raises(FlagsRangeError, call, array("I", [300]), -1)
            raises(TypeError, call, [300], 1)
            call(array("I"), 1)
        raises(FlagsRangeError, pfm.count_flags, 1 << 16)
