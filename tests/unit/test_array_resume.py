"""pfm/array/resume.py, pfm/softreset.py: an array that outlives its manager."""

from array import array

import uctypes
from allocation import lists, zone
from ktap import equal, raises
from maps import MIB, RECLAIMABLE, frames

from pfm import AlreadyInitialisedError, FrameStateError, PageFlags, PageFrameManager
from pfm.alloc import buddy, magazine, references
from pfm.alloc.compound import mark_tails
from pfm.arguments import elements_virt
from pfm.array import populate, resume
from pfm.lock import context
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


def _take(pfm, order, compound=False):
    """Take a block as a call does that is ended before it writes the head."""
    pfn = buddy.take(pfm._zones[pfm._top], pfm._base, order)
    if compound:
        mark_tails(pfm._zones[0], pfm._base, pfn, 1 << order)


def _drop(pfm, pfn):
    """Drop the last reference as a call does that is ended before it gives the block back."""
    assert references.drop_ref(pfm._base + (pfn << 5), context(), 0) > 0


def _mark(pfm, frames):
    first = elements_virt(frames)
    pfm._mark_freeing(frames, first, first + 4 * len(frames))


def _pop(pfm):
    pfm.free(pfm.alloc())
    assert magazine.pop(pfm._magazine())


def test_frames_of_a_call_that_was_ended_inside_are_free_again():
    for ended in (
        lambda pfm, turn: _take(pfm, 0),
        lambda pfm, turn: _take(pfm, 3),
        # Its entries are in pages of the array that were never written.
        lambda pfm, turn: _take(pfm, 10),
        lambda pfm, turn: _take(pfm, 4, True),
        lambda pfm, turn: _pop(pfm),
        lambda pfm, turn: _drop(pfm, pfm.alloc(5)),
        lambda pfm, turn: _drop(pfm, pfm.alloc(5, compound=True)),
        lambda pfm, turn: _drop(pfm, pfm.alloc_contiguous(77)),
        lambda pfm, turn: pfm._take_run(pfm._top, 77, 1, pfm._last),
        lambda pfm, turn: _drop(pfm, pfm.alloc_at(frames(16 * MIB) - 5 - 20 * turn, 11)),
        lambda pfm, turn: _mark(pfm, pfm.alloc_many(33)),
    ):
        for debug in (False, True):
            with FakeMachine(RECLAIMABLE) as machine:
                first = machine.boot(debug)
                saved = _saved()
                first.save(uctypes.addressof(saved))
                before = lists(first)
                # Beside blocks that stay and that go, and beside each other.
                kept = [first.alloc(order, tag=7) for order in (0, 2, 5)]
                kept.append(first.alloc_contiguous(23, tag=7))
                ended(first, 0)
                kept.append(first.alloc(1, tag=7))
                first.alloc(2)
                ended(first, 1)
                machine.soft_reset()
                second = PageFrameManager()
                assert second.resume(uctypes.addressof(saved), (7,), machine)
                second.check()
                for pfn in kept:
                    second.free(pfn)
                second.free_many(second.alloc_many(second.count_free()[second._top]))
                equal(lists(second), before)
                second.check()
