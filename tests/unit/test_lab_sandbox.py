"""pfm/lab/sandbox.py: what happens in a sandbox stays there, and all of it goes back."""

from allocation import lists, refused
from calls import CALLS
from exhausted import COARSE, with_blocks_left
from ktap import equal, raises
from maps import MIB, Q35_6G

import pfm
from pfm import (
    ArgumentError,
    NotInitialisedError,
    OutOfFramesError,
    PageFlags,
    PageFrameManager,
    RefcountError,
    SandboxInUseError,
    Zone,
    fill,
)
from pfm.memmap import protocol
from pfm.testing import FakeMachine

SMALL = [(0, 16 * MIB, protocol.USABLE)]


def test_a_manager_with_every_call():
    with FakeMachine(Q35_6G) as machine:
        lender = machine.boot()
        before = lender.check()
        with pfm.sandbox(8, lender) as lab:
            assert isinstance(lab, PageFrameManager)
            for call in CALLS:
                given = call.given(lab)
                call.clean(lab, given, True, call.run(lab, given))
            lab.check()
            for report in (lab.meminfo(), lab.buddyinfo(), lab.memmap(), lab.chart()):
                equal(report.differences, [])
        equal(lender.check(), before)


def test_frames_are_the_lenders_and_count_from_0():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()
        # The memory may hold anything.
        held = lender.alloc_contiguous(1024)
        fill.words(lender.as_virt(held << 12), MIB, 0xA5A5A5A5)
        lender.free(held)
        with pfm.sandbox(4, lender) as lab:
            equal((lab.min(), lab.max()), (0, 1023))
            pfn = lab.alloc(zero=True)
            equal(lab.as_virt(pfn << 12), lender.as_virt((lab.first + pfn) << 12))
            found = [(b.pfn, b.frames) for b in lender.blocks(tag="sbox")]
            equal(found, [(lab.first, 1024)])
            equal(lender.owners().frames("sbox"), 1024)
            lab.set_flags(pfn, PageFlags.DIRTY)
            assert not lender.check_flags(lab.first + pfn, PageFlags.DIRTY)
            lab.check()
            lender.check()


def test_goes_back_as_one_block():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()
        before = lists(lender)
        for _ in range(3):
            with pfm.sandbox(8, lender) as lab:
                lab.alloc(5)
                lab.alloc_many(100)
        equal(lists(lender), before)


def test_two_at_once_and_one_in_another():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()
        before = lists(lender)
        outer = pfm.sandbox(8, lender)
        beside = pfm.sandbox(2, lender)
        inner = pfm.sandbox(2, outer)
        deepest = pfm.sandbox(1, inner)
        pfn = deepest.alloc()
        equal(deepest.as_virt(0) - outer.as_virt(0), (inner.first + deepest.first) << 12)
        equal(raises(SandboxInUseError, outer.close).frames, 512)
        # Those that it lent to go first.
        outer.close(force=True)
        for closed in (outer, inner, deepest):
            raises(NotInitialisedError, closed.alloc)
        raises(NotInitialisedError, deepest.free, pfn)
        beside.check()
        beside.close()
        equal(lists(lender), before)


def test_closed_in_use():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()
        lab = pfm.sandbox(2, lender)
        pfn = lab.alloc(3)
        error = raises(SandboxInUseError, lab.close)
        equal((error.frames, error.guards), (8, 0))
        # It is still open.
        lab.free(pfn)
        lab.close()
        lab.close()
        lab.close(force=True)
        equal(lender.owners().total, 0)


def test_guard_keeps_it_open():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()
        lab = pfm.sandbox(2, lender)
        guard = lab.get(100)
        for force in (False, True):
            equal(raises(SandboxInUseError, lab.close, force).guards, 1)
        guard.release()
        lab.close()


def test_lender_that_refuses_keeps_it_open():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()
        lab = pfm.sandbox(2, lender)
        lender.ref(lab.first)
        raises(RefcountError, lab.close)
        lab.free(lab.alloc())
        lab.check()
        lender.unref(lab.first)
        lab.close()


def test_closed_by_an_error_in_the_block():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()

        def fail():
            with pfm.sandbox(2, lender) as lab:
                lab.alloc()
                raise ValueError("the block's own")

        equal(str(raises(ValueError, fail)), "the block's own")
        equal(lender.owners().total, 0)


def test_forgotten():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()
        pfm.sandbox(2, lender)
        for block in lender.blocks(tag="sbox"):
            lender.free(block.pfn)
        equal(lender.owners().total, 0)
        lender.check()


def test_every_call_of_a_closed_one_says_so():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()
        lab = pfm.sandbox(2, lender)
        lab.alloc = lab.alloc
        lab.close()
        for call in (
            lab.alloc,
            lambda: lab.alloc(1),
            lambda: lab.free(5),
            lambda: lab.get(5),
            lambda: lab.set_flags(5, 1),
            lambda: lab.check_flags(5, 1),
            lambda: lab.alloc_many(3),
            lab.check,
            lab.meminfo,
            lab.recording,
        ):
            raises(NotInitialisedError, call)


def test_sizes():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()
        for mib in (0, -1, 16, 1 << 40):
            equal(refused(lender, ArgumentError, pfm.sandbox, mib, lender).name, "mib")
        for mib in ("64", 1.5, None):
            refused(lender, TypeError, pfm.sandbox, mib, lender)
        held = lender.alloc_contiguous(3000)
        refused(lender, OutOfFramesError, pfm.sandbox, 8, lender)
        lender.free(held)
        with pfm.sandbox(1, lender) as lab:
            assert 200 < lab.count_free()[Zone.DMA] < 256
        raises(NotInitialisedError, pfm.sandbox, 1, PageFrameManager())


def test_debug():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()
        with pfm.sandbox(1, lender, debug=True) as lab:
            assert lab.debug and not lender.debug
            lab.free(lab.alloc(2))
            lab.check()


def test_heap_exhausted():
    with FakeMachine(SMALL) as machine:
        lender = machine.boot()
        before = lender.check()
        failed = 0
        for blocks in COARSE:
            done, lab = with_blocks_left(
                blocks, lambda lender, given: pfm.sandbox(2, lender), lender, None
            )
            if done:
                closed, _ = with_blocks_left(0, lambda lab, given: lab.close(), lab, None)
                assert closed or lab.initialised
                lab.close(force=True)
            failed += not done
            equal(lender.check(), before)
        assert failed
