"""pfm/array/resume.py: an array that outlives its manager."""

from array import array

import uctypes
from allocation import zone
from ktap import equal, raises
from maps import MIB, RECLAIMABLE, frames

from pfm import AlreadyInitialisedError, FrameStateError, PageFlags, PageFrameManager
from pfm.array import populate, resume
from pfm.testing import FakeMachine


def _saved():
    # Of 64-bit words, for its struct is aligned.
    return array("Q", bytes((uctypes.sizeof(resume.SAVED) + 7) & -8))


def test_manager_resumes_what_the_one_before_it_built():
    for lazy in (False, True):
        with FakeMachine(RECLAIMABLE, lazy=lazy) as machine:
            first = machine.boot()
            saved = _saved()
            first.save(uctypes.addressof(saved))
            free = first.count_free()
            kept = first.alloc(3, tag=7)
            run = first.alloc_contiguous(777, tag=7)
            first.alloc_many(500)
            first.alloc_contiguous(1000)
            first.alloc(4, compound=True)
            first.ref(first.alloc(2))
            first.get(42)
            machine.soft_reset()
            second = PageFrameManager()
            assert second.resume(uctypes.addressof(saved), (7,), machine)
            second.check()
            equal(sum(second.count_free()), sum(free) - 8 - 777)
            second.set_flags(42, PageFlags.DIRTY)
            raises(FrameStateError, second.alloc_at, run + 776)
            second.free(kept)
            second.free(run)
            equal(second.count_free(), free)
            raises(AlreadyInitialisedError, second.resume, uctypes.addressof(saved), (), machine)


def test_reclaimed_memory_stays_so_over_a_resume():
    with FakeMachine(RECLAIMABLE) as machine:
        first = machine.boot()
        saved = _saved()
        first.save(uctypes.addressof(saved))
        first.reclaim(acpi=True)
        free = first.count_free()
        machine.soft_reset()
        second = PageFrameManager()
        assert second.resume(uctypes.addressof(saved), (), machine)
        equal(second.count_free(), free)
        equal(second.reclaim(acpi=True), (0, 0))
        second.check()


def test_nothing_saved_is_nothing_to_resume():
    with FakeMachine(RECLAIMABLE) as machine:
        pfm = PageFrameManager()
        assert not pfm.resume(uctypes.addressof(_saved()), (), machine)
        pfm.init(machine)
        pfm.check()


def test_resume_releases_every_lock():
    """Whatever was locked when the interpreter ended: frames, zones, the pool of the array."""
    with FakeMachine(RECLAIMABLE) as machine:
        first = machine.boot()
        saved = _saved()
        first.save(uctypes.addressof(saved))
        free = first.count_free()
        first.alloc_many(70)
        first.get(42)
        for number in range(3):
            zone(first, number).lock = 1
        populate.pool_at(machine.hhdm + first.array.control_phys).lock = 1
        machine.soft_reset()
        second = PageFrameManager()
        assert second.resume(uctypes.addressof(saved), (), machine)
        second.check()
        equal(second.count_free(), free)
        second.get(42).release()
        # A page of the array that was never written takes a frame of the pool.
        second.set_flags(frames(20 * MIB), PageFlags.DIRTY)
        second.free_many(second.alloc_many(100))
        equal(second.reclaim(), (frames(5 * MIB), 0))


def test_resume_of_what_was_saved_right_after_init():
    """Before anything was allocated: what comes later in a boot may fail."""
    with FakeMachine(RECLAIMABLE) as machine:
        first = machine.boot()
        saved = _saved()
        first.save(uctypes.addressof(saved))
        walked = first.check()
        machine.soft_reset()
        second = PageFrameManager()
        assert second.resume(uctypes.addressof(saved), (), machine)
        equal(second.check(), walked)
        raises(
            AlreadyInitialisedError,
            PageFrameManager().resume,
            uctypes.addressof(saved),
            (),
            machine,
        )
