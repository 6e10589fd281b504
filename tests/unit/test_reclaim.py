"""Memory that is taken in later, and an array that outlives its manager."""

from array import array

import uctypes
from allocation import zone
from ktap import equal, raises
from maps import GIB, MIB, frames

from pfm import (
    AlreadyInitialisedError,
    FrameStateError,
    NotInitialisedError,
    PageFlags,
    PageFrameManager,
)
from pfm.array import populate, resume
from pfm.memmap import protocol
from pfm.testing import FakeMachine

LOADER = frames(8 * MIB)
ACPI = frames(24 * MIB)
ENTRIES = [
    (0, 8 * MIB, protocol.USABLE),
    (8 * MIB, 3 * MIB, protocol.BOOTLOADER_RECLAIMABLE),
    (11 * MIB, 13 * MIB, protocol.USABLE),
    (24 * MIB, MIB, protocol.ACPI_RECLAIMABLE),
    (25 * MIB, 2 * MIB, protocol.ACPI_NVS),
    (4 * GIB, 2 * MIB, protocol.BOOTLOADER_RECLAIMABLE),
]


class CountingMachine(FakeMachine):
    """A machine that counts how often the loader's memory was left."""

    left = 0

    def leave_loader(self, manager):
        self.left += 1


def _saved():
    # Of 64-bit words, for its struct is aligned.
    return array("Q", bytes((uctypes.sizeof(resume.SAVED) + 7) & -8))


def test_loaders_memory_is_reclaimed_once():
    with CountingMachine(ENTRIES) as machine:
        pfm = machine.boot()
        before = sum(pfm.count_free())
        raises(FrameStateError, pfm.alloc_at, LOADER)
        equal(pfm.reclaim(), (frames(5 * MIB), 0))
        equal(machine.left, 1)
        equal(sum(pfm.count_free()), before + frames(5 * MIB))
        assert not pfm.check_flags(LOADER, PageFlags.RESERVED)
        equal(pfm.alloc_at(LOADER - 100, 1000), LOADER - 100)
        pfm.free(LOADER - 100)
        pfm.check()
        equal(pfm.reclaim(), (0, 0))
        equal(machine.left, 1)


def test_acpi_memory_is_reclaimed_on_request():
    with FakeMachine(ENTRIES) as machine:
        pfm = machine.boot()
        pfm.reclaim()
        assert pfm.check_flags(ACPI, PageFlags.RESERVED)
        equal(pfm.reclaim(acpi=True), (0, frames(MIB)))
        equal(pfm.alloc_at(ACPI, frames(MIB)), ACPI)
        assert pfm.check_flags(ACPI + frames(MIB), PageFlags.RESERVED)
        pfm.check()


def test_frames_of_a_higher_zone_arrive_while_a_magazine_holds_lower_ones():
    with FakeMachine(ENTRIES) as machine:
        pfm = machine.boot()
        pfm.free(pfm.alloc())
        pfm.reclaim()
        pfm.check()
        equal(pfm.count_free()[2], frames(2 * MIB))
        assert pfm.alloc() >= frames(4 * GIB)
        pfm.check()


def test_reclaim_before_init():
    raises(NotInitialisedError, PageFrameManager().reclaim)


def test_manager_resumes_what_the_one_before_it_built():
    for lazy in (False, True):
        with FakeMachine(ENTRIES, lazy=lazy) as machine:
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
    with FakeMachine(ENTRIES) as machine:
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
    with FakeMachine(ENTRIES) as machine:
        pfm = PageFrameManager()
        assert not pfm.resume(uctypes.addressof(_saved()), (), machine)
        pfm.init(machine)
        pfm.check()


def test_resume_releases_every_lock():
    """Whatever was locked when the interpreter ended: frames, zones, the pool of the array."""
    with FakeMachine(ENTRIES) as machine:
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
    with FakeMachine(ENTRIES) as machine:
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
