"""The contract of the Rust crate faces-pfm, and each of its weaknesses: here it holds."""

from ktap import equal, raises
from maps import GIB, MIB, Q35_6G, SMALL_8M, TIB, frames

from pfm import (
    AlreadyInitialisedError,
    FrameNotPresentError,
    FrameRangeError,
    FrameStateError,
    LockHeldError,
    NoMemoryMapError,
    NoRoomError,
    NotInitialisedError,
    PageFlags,
    PageFrameManager,
    to,
)
from pfm.memmap import protocol
from pfm.testing import FakeMachine


def test_frames_above_a_hole_are_managed():
    with FakeMachine(Q35_6G) as machine:
        pfm = machine.boot()
        for pfn in (frames(4 * GIB), frames(8 * GIB) - 1):
            assert pfm.present(pfn)
        assert not pfm.check_flags(frames(4 * GIB), PageFlags.RESERVED)
        for pfn in (frames(2 * GIB), frames(3 * GIB), frames(4 * GIB) - 1):
            assert not pfm.present(pfn)
        size = pfm.array.end_phys - pfm.array.start_phys
        assert size <= 6 * GIB // 100, size


def test_reserved_range_below_1_tib_costs_nothing():
    with FakeMachine(Q35_6G) as machine:
        pfm = machine.boot()
        equal(pfm.max(), frames(8 * GIB) - 1)
        raises(FrameRangeError, pfm.check_flags, frames(TIB) - 1, PageFlags.RESERVED)


def test_min_and_max_bound_the_present_frames():
    with FakeMachine([(16 * MIB, 16 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        equal(pfm.min(), frames(16 * MIB))
        equal(pfm.max(), frames(32 * MIB) - 1)
        for pfn in (pfm.min(), pfm.max()):
            assert pfm.present(pfn)
        for pfn in (pfm.min() - 1, pfm.max() + 1, -1, 1 << 64):
            assert not pfm.present(pfn)


def test_usable_range_is_rounded_inward():
    entries = [(0x1800, 0x2000, protocol.USABLE), (MIB + 0x400, 8 * MIB, protocol.USABLE)]
    with FakeMachine(entries) as machine:
        pfm = machine.boot()
        for pfn in (1, 3, 0x100, 0x900):
            assert pfm.present(pfn)
            assert pfm.check_flags(pfn, PageFlags.RESERVED), pfn
        for pfn in (2, 0x101):
            assert not pfm.check_flags(pfn, PageFlags.RESERVED), pfn


def test_whole_array_is_reserved():
    with FakeMachine(Q35_6G) as machine:
        pfm = machine.boot()
        start = frames(pfm.array.start_phys)
        end = frames(pfm.array.end_phys)
        assert end - start > frames(40 * MIB)
        for pfn in range(start, end):
            assert pfm.check_flags(pfn, PageFlags.RESERVED), pfn
        assert not pfm.check_flags(start - 1, PageFlags.RESERVED)
        for pfn in (start, (start + end) // 2, end - 1):
            equal(raises(FrameStateError, pfm.alloc_at, pfn).pfn, pfn)


def test_lock_of_a_frame_taken_twice_is_an_error():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        guard = pfm.get(42)
        for call in (
            lambda: pfm.get(42),
            lambda: pfm.set_flags(42, 1),
            lambda: pfm.clear_flags(42, 1),
        ):
            error = raises(LockHeldError, call)
            equal((error.what, error.owner), (42, 1))
        assert not pfm.check_flags(42, PageFlags.LOCKED)
        guard.release()
        pfm.get(42).release()


def test_entry_takes_32_bytes():
    with FakeMachine([(0, 64 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        size = pfm.array.end_phys - pfm.array.start_phys
        assert size <= frames(64 * MIB) * 32 + 16 * 4096, size


def test_failures_are_named():
    pfm = PageFrameManager()
    for call in (
        pfm.min,
        pfm.max,
        pfm.alloc,
        pfm.drain,
        lambda: pfm.present(1),
        lambda: pfm.get(1),
        lambda: pfm.set_flags(1, 1),
        lambda: pfm.clear_flags(1, 1),
        lambda: pfm.check_flags(1, 1),
        lambda: pfm.free(1),
        lambda: pfm.as_virt(0),
        lambda: pfm.as_phys(0),
        lambda: pfm.alloc_contiguous(1),
        lambda: pfm.alloc_at(1),
        lambda: pfm.alloc_many(1),
    ):
        raises(NotInitialisedError, call)
    raises(NoMemoryMapError, pfm.init)
    with FakeMachine(SMALL_8M) as machine:
        pfm.init(machine)
        raises(AlreadyInitialisedError, pfm.init, machine)
        error = raises(FrameRangeError, pfm.set_flags, 5000, 1)
        equal((error.pfn, error.low, error.high), (5000, 0, 2047))
    with FakeMachine(
        [(0x1000 * n, 0x1000, protocol.USABLE) for n in range(2, 2000, 2)]
    ) as machine:
        error = raises(NoRoomError, machine.boot)
        equal(error.largest, 1)
        assert error.needed > 16


def test_flags_set_clear_check():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = to(42)
        pfm.set_flags(pfn, PageFlags.LOCKED)
        pfm.set_flags(pfn, PageFlags.DIRTY)
        assert pfm.check_flags(pfn, PageFlags.LOCKED)
        assert pfm.check_flags(pfn, PageFlags.LOCKED | PageFlags.DIRTY)
        pfm.clear_flags(pfn, PageFlags.DIRTY)
        assert pfm.check_flags(pfn, PageFlags.LOCKED)
        assert not pfm.check_flags(pfn, PageFlags.DIRTY)
        for neighbour in (41, 43):
            assert not pfm.check_flags(neighbour, PageFlags.LOCKED)


def test_check_flags_wants_all_of_the_bits():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.set_flags(42, PageFlags.LRU)
        assert not pfm.check_flags(42, PageFlags.LRU | PageFlags.FILE)


def test_guard_gives_the_fields():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        with pfm.get(42) as frame:
            frame.order = 2
            frame.rc = 1
        guard = pfm.get(42)
        equal((guard.order, guard.rc), (2, 1))
        guard.size_class = 7
        guard.release()
        with pfm.get(42) as frame:
            equal((frame.order, frame.rc, frame.size_class), (2, 1, 7))


def test_holes_refuse_writes_and_read_as_reserved():
    with FakeMachine(Q35_6G) as machine:
        pfm = machine.boot()
        hole = frames(3 * GIB)
        assert pfm.check_flags(hole, PageFlags.RESERVED)
        for call in (
            lambda: pfm.set_flags(hole, 1),
            lambda: pfm.clear_flags(hole, 1),
            lambda: pfm.get(hole),
        ):
            equal(raises(FrameNotPresentError, call).pfn, hole)
