"""pfm/fastpath/frames.py: which cases are left to the slow path."""

from allocation import zone
from fastpaths import FastPaths
from ktap import equal, raises
from maps import SMALL_8M

from pfm import ArgumentError, FrameStateError, LockHeldError, OutOfFramesError, Zone
from pfm.alloc.zone import ORDER_MAX
from pfm.fastpath import frames
from pfm.lock import context
from pfm.testing import FakeMachine

ONE_PATH = "the fast paths are called by themselves"

ORDER = 3
# alloc/magazine.py
MAGAZINE_FRAMES = 64


def test_single_frames_are_left_when_the_magazine_is_empty():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        fast = FastPaths(frames, pfm)
        pfm.drain()
        pfn, left = fast.call("alloc")
        equal(left, True)
        other, left = fast.call("alloc")
        equal(left, False)
        for each in (pfn, other):
            equal(fast.call("free", each), (None, False))
        pfm.check()


def test_full_magazine_is_drained():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        fast = FastPaths(frames, pfm)
        taken = [pfm.alloc() for _ in range(2 * MAGAZINE_FRAMES)]
        for pfn in taken:
            equal(fast.call("free", pfn), (None, False))
        assert pfm.meminfo().total.cached <= MAGAZINE_FRAMES
        pfm.check()


def test_blocks_are_left_when_their_zone_is_locked():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        fast = FastPaths(frames, pfm)
        block, left = fast.call("alloc", ORDER)
        equal(left, False)
        state = zone(pfm, pfm._top)
        state.lock = context()
        raises(LockHeldError, fast.call, "alloc", ORDER)
        equal(fast.left, ["alloc"])
        raises(LockHeldError, fast.call, "free", block)
        equal(fast.left, ["free"])
        state.lock = 0
        equal(fast.call("free", block), (None, False))
        pfm.check()


def test_other_orders_are_left():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        fast = FastPaths(frames, pfm)
        for order, error in (
            (ORDER_MAX, OutOfFramesError),
            (ORDER_MAX + 1, ArgumentError),
            (-1, ArgumentError),
            (1 << 70, ArgumentError),
            ("0", TypeError),
        ):
            raises(error, fast.call, "alloc", order)
            equal(fast.left, ["alloc"])


def test_options_are_left():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        fast = FastPaths(frames, pfm)
        for options in ((Zone.DMA,), (None, True), (None, False, 7), (None, False, 0, True)):
            block, left = fast.call("alloc", ORDER, *options)
            equal(left, True)
            pfm.free(block)
        pfm.check()


def test_what_is_not_one_block_with_one_reference_is_left():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        fast = FastPaths(frames, pfm)
        for block in (pfm.alloc_contiguous(3), pfm.alloc(ORDER, compound=True)):
            equal(fast.call("free", block), (None, True))
        block = pfm.alloc()
        pfm.free(block)
        raises(FrameStateError, fast.call, "free", block)
        equal(fast.left, ["free"])
        pfm.check()
