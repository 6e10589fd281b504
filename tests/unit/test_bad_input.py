"""Memory maps and arguments that are wrong: a clear error or the documented safe reading."""

import uctypes
from ktap import equal, raises
from maps import GIB, KIB, MIB, SMALL_8M, TIB, frames

from pfm import (
    ArgumentError,
    FlagsRangeError,
    FrameRangeError,
    GarbledMemoryMapError,
    NoMemoryMapError,
    NoRoomError,
    PageFlags,
)
from pfm.frame.entry import ENTRY_SIZE
from pfm.memmap import protocol
from pfm.testing import FakeMachine

USABLE = protocol.USABLE
RESERVED = protocol.RESERVED


def _usable(entries):
    """Return the frames below 16 MiB that are not RESERVED, plus those of the array."""
    with FakeMachine(entries) as machine:
        pfm = machine.boot()
        return [
            pfn
            for pfn in range(pfm.min(), min(pfm.max() + 1, frames(16 * MIB)))
            if not pfm.check_flags(pfn, PageFlags.RESERVED)
        ]


def test_no_response():
    with FakeMachine(SMALL_8M) as machine:
        machine._request.response = 0
        raises(NoMemoryMapError, machine.boot)


def test_empty_map():
    with FakeMachine([]) as machine:
        raises(NoMemoryMapError, machine.boot)


def test_map_without_ram():
    with FakeMachine([(0, MIB, RESERVED), (MIB, MIB, protocol.FRAMEBUFFER)]) as machine:
        raises(NoMemoryMapError, machine.boot)


def test_map_of_zero_lengths():
    with FakeMachine([(MIB, 0, USABLE), (2 * MIB, 0, USABLE)]) as machine:
        raises(NoMemoryMapError, machine.boot)


def test_count_beyond_1024():
    with FakeMachine(SMALL_8M) as machine:
        machine._response.entry_count = 1025
        error = raises(GarbledMemoryMapError, machine.boot)
        equal(error.value, 1025)


def test_null_pointers():
    for name in ("response", "entries"):
        with FakeMachine(SMALL_8M) as machine:
            if name == "response":
                machine._request.response = 8
            else:
                machine._response.entries = 0
            raises(GarbledMemoryMapError, machine.boot)


def test_null_and_unaligned_entry_pointer():
    for value in (0, 0x1001):
        with FakeMachine(SMALL_8M) as machine:
            pointer = uctypes.struct(machine._response.entries, protocol.MEMMAP_POINTER)
            pointer.value = value
            equal(raises(GarbledMemoryMapError, machine.boot).value, hex(value))


def test_1024_entries():
    entries = [(0x1000 * 3 * n, 0x2000, USABLE) for n in range(1, 1024)]
    entries.append((32 * MIB, MIB, USABLE))
    with FakeMachine(entries) as machine:
        pfm = machine.boot()
        for n in range(1, 1024):
            assert not pfm.check_flags(3 * n, PageFlags.RESERVED)
            assert pfm.check_flags(3 * n + 2, PageFlags.RESERVED)
            assert not pfm.present(3 * n + 2)


def test_unsorted_is_as_sorted():
    entries = [(0x1000 * 4 * n, 0x3000, USABLE) for n in range(1, 100)] + [(8 * MIB, MIB, USABLE)]
    equal(_usable(list(reversed(entries))), _usable(entries))


def test_overlap_with_anything_is_not_usable():
    entries = [(0, 8 * MIB, USABLE), (2 * MIB + 1, 4 * KIB, RESERVED), (3 * MIB, 0x1000, 77)]
    usable = _usable(entries)
    for pfn in (frames(2 * MIB), frames(2 * MIB) + 1, frames(3 * MIB)):
        assert pfn not in usable
    assert frames(2 * MIB) + 2 in usable


def test_usable_overlapping_usable_counts_once():
    equal(
        _usable([(0, 4 * MIB, USABLE), (2 * MIB, 6 * MIB, USABLE)]),
        _usable([(0, 8 * MIB, USABLE)]),
    )


def test_past_the_address_space():
    entries = SMALL_8M + [
        ((1 << 52) - 0x1000, 0x2000, USABLE),
        (1 << 60, 0x1000, USABLE),
        ((1 << 64) - 0x1000, 0x1000, USABLE),
        ((1 << 44) - 0x1000, (1 << 64) - (1 << 44), RESERVED),
        (1 << 44, 0x5000, USABLE),
    ]
    with FakeMachine(entries) as machine:
        equal(machine.boot().max(), frames(8 * MIB) - 1)


def test_frame_0_is_never_handed_out():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        assert pfm.check_flags(0, PageFlags.RESERVED)
        assert 0 not in set(pfm.alloc_many(sum(pfm.count_free())))


def test_no_room_for_the_array():
    with FakeMachine(
        [(MIB, 8 * KIB, USABLE), (GIB, 16 * KIB, protocol.BOOTLOADER_RECLAIMABLE)]
    ) as machine:
        error = raises(NoRoomError, machine.boot)
        equal(error.largest, 2)


def test_32_mib_and_64_gib():
    for size in (32 * MIB, 64 * GIB):
        with FakeMachine([(MIB, size - MIB, USABLE)]) as machine:
            pfm = machine.boot()
            equal(pfm.max(), frames(size) - 1)
            array = frames(pfm.array.end_phys - pfm.array.start_phys)
            equal(sum(pfm.count_free()), frames(size - MIB) - array)
            assert not pfm.check_flags(pfm.min(), PageFlags.RESERVED)


def test_hole_of_1_tib():
    with FakeMachine([(MIB, 64 * MIB, USABLE), (TIB, 64 * MIB, USABLE)]) as machine:
        pfm = machine.boot()
        assert pfm.present(frames(TIB)) and not pfm.present(frames(TIB) - 1)
        array = pfm.array.end_phys - pfm.array.start_phys
        assert array <= 128 * MIB * 8 // 1000 + 4 * MIB, array


def test_types_of_ram_are_present_and_reserved():
    kinds = (
        protocol.ACPI_RECLAIMABLE,
        protocol.ACPI_NVS,
        protocol.BAD_MEMORY,
        protocol.BOOTLOADER_RECLAIMABLE,
        protocol.EXECUTABLE_AND_MODULES,
    )
    entries = [(n << 20, MIB, kind) for n, kind in enumerate(kinds, 1)] + [
        (8 * MIB, 8 * MIB, USABLE)
    ]
    with FakeMachine(entries) as machine:
        pfm = machine.boot()
        for n, kind in enumerate(kinds, 1):
            assert pfm.present(n << 8) and pfm.check_flags(n << 8, PageFlags.RESERVED), kind


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
        )
        for call in calls:
            for pfn in (-1, 2048, 1 << 27, 1 << 64, (1 << 64) + 42, -(1 << 64) + 42):
                equal(raises(FrameRangeError, call, pfn).pfn, pfn)
            for pfn in (1.0, None, "1"):
                raises(TypeError, call, pfn)


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


def test_nothing_outside_the_array_is_written():
    entries = [(0, 8 * MIB, USABLE), (8 * MIB, 0x1000, protocol.EXECUTABLE_AND_MODULES)]
    with FakeMachine(entries) as machine:
        memory = uctypes.bytearray_at(machine.hhdm, 8 * MIB + 4 * KIB)
        for i in range(0, len(memory), 4096):
            memory[i : i + 4096] = b"\xa5" * 4096
        pfm = machine.boot()
        pfm.free_many(pfm.alloc_many(500))
        pfm.set_flags(2048, PageFlags.DIRTY)
        start = pfm.array.start_phys
        end = pfm.array.end_phys
        for i in range(0, len(memory), 4096):
            if not start <= i < end:
                assert memory[i : i + 4096] == b"\xa5" * 4096, hex(i)


def test_stale_data_under_the_array_is_overwritten():
    with FakeMachine(SMALL_8M) as machine:
        memory = uctypes.bytearray_at(machine.hhdm, 8 * MIB)
        for i in range(0, len(memory), 4096):
            memory[i : i + 4096] = b"\xff" * 4096
        pfm = machine.boot()
        equal(
            sum(pfm.count_free()),
            frames(pfm.array.start_phys) - 1 + 2048 - frames(pfm.array.end_phys),
        )
        for pfn in range(1, frames(pfm.array.start_phys)):
            entry = uctypes.bytearray_at(pfm.array.base + pfn * ENTRY_SIZE, 2)
            equal(bytes(entry), b"\0\0")
