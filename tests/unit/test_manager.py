"""pfm/manager.py and pfm/state.py: init, memory that is reclaimed later, and bad arguments of the calls on one frame."""

import uctypes
from ktap import equal, raises
from maps import GIB, MIB, RECLAIMABLE, SMALL_8M, frames
from recount import ODD_32M

from pfm import (
    PFN,
    AlreadyInitialisedError,
    ArgumentError,
    FlagsRangeError,
    FrameNotPresentError,
    FrameRangeError,
    FrameStateError,
    NotInitialisedError,
    PageFlags,
    PageFrameManager,
)
from pfm.testing import FakeMachine

LOADER = frames(8 * MIB)
ACPI = frames(24 * MIB)


def test_second_manager_of_a_machine():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        walked = pfm.check()
        for call in (lambda: PageFrameManager().init(machine), lambda: pfm.init(machine)):
            raises(AlreadyInitialisedError, call)
        text = str(raises(AlreadyInitialisedError, PageFrameManager().init, machine))
        assert str(pfm) in text and "pfm.testing.FakeMachine" in text, text
        equal(pfm.check(), walked)


class CountingMachine(FakeMachine):
    """A machine that counts how often the loader's memory was left."""

    left = 0

    def leave_loader(self, manager):
        self.left += 1


def test_text_at_the_prompt():
    equal(repr(PageFrameManager()), "<PageFrameManager: not initialised>")
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        free = repr(pfm)
        assert " MiB of RAM, " in free and free.endswith(" MiB free>"), free
        pfm.alloc(9)
        assert repr(pfm) != free, free


def test_loaders_memory_is_reclaimed_once():
    with CountingMachine(RECLAIMABLE) as machine:
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
    with FakeMachine(RECLAIMABLE) as machine:
        pfm = machine.boot()
        pfm.reclaim()
        assert pfm.check_flags(ACPI, PageFlags.RESERVED)
        equal(pfm.reclaim(acpi=True), (0, frames(MIB)))
        equal(pfm.alloc_at(ACPI, frames(MIB)), ACPI)
        assert pfm.check_flags(ACPI + frames(MIB), PageFlags.RESERVED)
        pfm.check()


def test_frames_of_a_higher_zone_arrive_while_a_magazine_holds_lower_ones():
    with FakeMachine(RECLAIMABLE) as machine:
        pfm = machine.boot()
        pfm.free(pfm.alloc())
        pfm.reclaim()
        pfm.check()
        equal(pfm.count_free()[2], frames(2 * MIB))
        assert pfm.alloc() >= frames(4 * GIB)
        pfm.check()


def test_reclaim_before_init():
    raises(NotInitialisedError, PageFrameManager().reclaim)


def test_bad_frame_numbers():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        calls = (
            lambda pfn: pfm.set_flags(pfn, 1),
            lambda pfn: pfm.clear_flags(pfn, 1),
            lambda pfn: pfm.check_flags(pfn, 1),
            pfm.get,
            pfm.free,
            pfm.ref,
            pfm.unref,
            pfm.count_refs,
            pfm.memory,
        )
        for call in calls:
            for pfn in (-1, 2048, 1 << 27, 1 << 64, (1 << 64) + 42, -(1 << 64) + 42):
                equal(raises(FrameRangeError, call, pfn).pfn, pfn)
            for pfn in (1.0, None, "1"):
                raises(TypeError, call, pfn)


def _store(memory, data):
    memory[:4096] = data


def test_memory_of_frames():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        block = pfm.alloc(2, zero=True)
        memory = pfm.memory(block, 4)
        equal(len(memory), 4 * 4096)
        equal(bytes(memory), bytes(4 * 4096))
        memory[4095:4098] = b"abc"
        equal(bytes(pfm.memory(block)[4094:]), b"\0a")
        equal(bytes(pfm.memory(PFN(block + 1))[:3]), b"bc\0")
        equal(uctypes.addressof(memory) & (1 << 64) - 1, pfm.as_virt(block << 12))
        # A view has the size that it has.
        for size in (0, 1, 4095, 4097):
            raises(ValueError, _store, memory, bytes(size))
        pfm.free(block)
        equal(memory[4096], ord("b"))
        # All RAM, and not a frame more.
        first, last = pfm.min(), pfm.max()
        equal(len(pfm.memory(first, last - first + 1)), last - first + 1 << 12)
        for pfn, count in ((first, last - first + 2), (last, 2), (last, 1 << 70)):
            equal(raises(FrameRangeError, pfm.memory, pfn, count).pfn, pfn + count - 1)
        for count in (0, -1):
            raises(ArgumentError, pfm.memory, block, count)
        for count in (1.0, None, "1"):
            raises(TypeError, pfm.memory, block, count)


def test_memory_of_holes():
    with FakeMachine(ODD_32M) as machine:
        pfm = machine.boot()
        hole = 15 * MIB // 2 >> 12
        for pfn, count in ((hole, 1), (hole - 1, 2), (hole - 1, 2000)):
            equal(raises(FrameNotPresentError, pfm.memory, pfn, count).pfn, hole)
        equal(len(pfm.memory(hole - 1)), 4096)


def test_bad_flags():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for call in (pfm.set_flags, pfm.clear_flags, pfm.check_flags):
            for flags in (-1, 1 << 16, 1 << 64):
                equal(raises(FlagsRangeError, call, 42, flags).flags, flags)
            for flags in (1.0, None):
                raises(TypeError, call, 42, flags)
        # The frame's lock is free after each of them.
        pfm.get(42).release()


def test_bad_addresses():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        raises(ArgumentError, pfm.as_virt, -1)
        raises(ArgumentError, pfm.as_virt, 1 << 52)
        raises(ArgumentError, pfm.as_phys, pfm.hhdm - 1)
