"""pfm/frame/guard.py: guards on frames of any state, their release, and guards that are lost."""

import gc
from array import array

from allocation import entry, overwrite
from calls import signature
from ktap import equal, raises
from maps import MIB, SMALL_8M, frames

from pfm import (
    FrameCorruptError,
    FrameStateError,
    LockHeldError,
    LockTimeoutError,
    OutOfFramesError,
    ReleasedError,
    lock,
    processor,
)
from pfm.frame.entry import PageFrame
from pfm.frame.guard import unlock
from pfm.memmap import protocol
from pfm.testing import FakeMachine


def test_running_out_under_a_guard_of_a_free_frame_keeps_nothing():
    for debug in (False, True):
        with FakeMachine(SMALL_8M) as machine:
            pfm = machine.boot(debug)
            free = sum(pfm.count_free())
            before = signature(pfm)
            with pfm.get(600):
                raises(OutOfFramesError, pfm.alloc_many, array("I", bytes(4 * (free + 1))))
            equal(signature(pfm), before)


def test_overwritten_frame_under_a_guard_is_named_and_stays_free():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot(debug=True)
        pfm.free(pfm.alloc_at(600))
        everything = array("I", bytes(4 * sum(pfm.count_free())))
        before = signature(pfm)
        for call in (lambda: pfm.alloc_at(600), lambda: pfm.alloc_many(everything)):
            overwrite(pfm, 600)
            with pfm.get(600):
                equal(raises(FrameCorruptError, call).pfn, 600)
            equal(signature(pfm), before)
        # Its poison is whole again.
        pfm.free(pfm.alloc_at(600))


def test_guard_survives_reclaim():
    entries = [(0, 6 * MIB, protocol.USABLE), (8 * MIB, MIB, protocol.BOOTLOADER_RECLAIMABLE)]
    with FakeMachine(entries) as machine:
        pfm = machine.boot()
        pfn = frames(8 * MIB) + 2
        guard = pfm.get(pfn)
        pfm.reclaim()
        raises(LockHeldError, pfm.get, pfn)
        guard.release()
        pfm.get(pfn).release()
        pfm.check()


def test_lost_guard_is_named_and_unlocked():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.get(600)
        gc.collect()
        error = raises(LockHeldError, pfm.set_flags, 600, 1)
        assert str(error).endswith("by a guard"), error
        pfm.unlock(600)
        pfm.set_flags(600, 1)
        equal(signature(pfm)[3], 0)
        raises(FrameStateError, pfm.unlock, 600)


def test_guard_released_after_unlock_changes_nothing():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        guard = pfm.get(600)
        pfm.unlock(600)
        guard.release()
        raises(ReleasedError, guard.release)
        equal(signature(pfm)[3], 0)
        pfm.get(600).release()


def test_unlock_of_what_another_context_holds():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.get(600).release()
        entry = PageFrame.at(pfm.array.base + 600 * PageFrame.SIZE)
        entry.lock = 2
        equal(raises(LockTimeoutError, pfm.unlock, 600).owner, 2)
        equal(entry.lock, 2)


def test_guard_released_twice():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        guard = pfm.get(42)
        guard.release()
        for call in (guard.release, lambda: guard.rc, lambda: setattr(guard, "rc", 1)):
            equal(raises(ReleasedError, call).pfn, 42)
        # The lock may be another's by now, which a late release must not take.
        with pfm.get(42):
            raises(ReleasedError, guard.release)
            equal(entry(pfm, 42).lock, lock.context())


def test_guard_released_inside_its_with_statement():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        guard = pfm.get(42)
        with guard:
            guard.release()
        pfm.get(42).release()


def test_guard_is_released_when_its_block_raises():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()

        def fail():
            with pfm.get(42):
                raise ValueError("inside")

        raises(ValueError, fail)
        equal(entry(pfm, 42).lock, 0)


def test_guard_of_another_processor_is_not_released():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        guard = pfm._get(600)
        other = lock.context() + 1
        entry(pfm, 600).lock = other
        # The unix port has one processor, so only the call that the kernel makes can tell.
        error = raises(LockTimeoutError, unlock, pfm._base + 600 * 32, pfm._cpu)
        equal((error.what, error.owner), (600, other))
        entry(pfm, 600).lock = lock.context()
        guard.release()
        equal(processor.guards(pfm._cpu), 0)
