"""pfm/memmap/regions.py: memory maps that are wrong or odd, and how each is read."""

import uctypes
from ktap import equal, raises
from maps import KIB, MIB, SMALL_8M, frames

from pfm import GarbledMemoryMapError, NoMemoryMapError, PageFlags
from pfm.memmap import protocol
from pfm.testing import FakeMachine

ONE_PATH = "a memory map is read before there is a manager"

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
