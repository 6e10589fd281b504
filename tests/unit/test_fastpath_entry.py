"""pfm/fastpath/entry.py: which cases are left to the slow path."""

from fastpaths import FastPaths
from ktap import equal, raises
from maps import SMALL_8M, THREE_ZONES, frames

from pfm import FrameRangeError, LockHeldError
from pfm.array.populate import populate_range
from pfm.fastpath import entry
from pfm.testing import FakeMachine

ONE_PATH = "the fast paths are called by themselves"

PFN = 700
DIRTY = 2
# Of THREE_ZONES, in the middle of a free block of 16 MiB.
SHARED = 10000
# Of the map of 8 MiB, and as a number that is no small integer.
BEYOND = frames(8 << 20)
LARGE = 1 << 70


def test_frame_whose_page_of_the_array_is_shared_is_left():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        fast = FastPaths(entry, pfm)
        equal(fast.call("set_flags", SHARED, DIRTY), (None, True))
        equal(fast.call("set_flags", SHARED, DIRTY), (None, False))
        equal(fast.call("check_flags", SHARED, DIRTY), (True, False))
        equal(fast.call("clear_flags", SHARED, DIRTY), (None, False))
        equal(fast.call("check_flags", SHARED, DIRTY), (False, False))
        guard, left = fast.call("get", SHARED)
        equal(left, False)
        guard.release()


def test_guarded_frame_is_left():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        fast = FastPaths(entry, pfm)
        populate_range(pfm._zones[0], pfm._base, PFN, PFN + 1)
        guard, left = fast.call("get", PFN)
        equal(left, False)
        for name in ("set_flags", "clear_flags"):
            raises(LockHeldError, fast.call, name, PFN, DIRTY)
            equal(fast.left, [name])
        raises(LockHeldError, fast.call, "get", PFN)
        equal(fast.left, ["get"])
        equal(fast.call("check_flags", PFN, DIRTY), (False, False))
        guard.release()


def test_other_arguments_are_left():
    with FakeMachine(SMALL_8M) as machine:
        fast = FastPaths(entry, machine.boot())
        for name, *more in (("set_flags", 1), ("clear_flags", 1), ("check_flags", 1), ("get",)):
            for pfn, error in (
                (BEYOND, FrameRangeError),
                (-1, FrameRangeError),
                (LARGE, FrameRangeError),
                ("0", TypeError),
            ):
                raises(error, fast.call, name, pfn, *more)
                equal(fast.left, [name])
