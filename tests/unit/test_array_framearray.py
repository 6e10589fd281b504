"""pfm/array/framearray.py: where the array of entries lies and what it overwrites."""

from array import array

import uctypes
from ktap import equal, raises
from maps import GIB, KIB, MIB, SMALL_8M, TIB, frames

from pfm import NoRoomError, OutOfFramesError, PageFlags
from pfm.frame.entry import ENTRY_SIZE
from pfm.memmap import protocol
from pfm.testing import FakeMachine

USABLE = protocol.USABLE


def test_no_room_for_the_array():
    with FakeMachine(
        [(MIB, 8 * KIB, USABLE), (GIB, 16 * KIB, protocol.BOOTLOADER_RECLAIMABLE)]
    ) as machine:
        error = raises(NoRoomError, machine.boot)
        equal(error.largest, 2)


def test_array_of_32_mib_and_of_64_gib():
    for size in (32 * MIB, 64 * GIB):
        with FakeMachine([(MIB, size - MIB, USABLE)]) as machine:
            pfm = machine.boot()
            equal(pfm.max(), frames(size) - 1)
            array = frames(pfm.array.end_phys - pfm.array.start_phys)
            equal(sum(pfm.count_free()), frames(size - MIB) - array)
            assert not pfm.check_flags(pfm.min(), PageFlags.RESERVED)


def test_array_over_a_hole_of_1_tib():
    with FakeMachine([(MIB, 64 * MIB, USABLE), (TIB, 64 * MIB, USABLE)]) as machine:
        pfm = machine.boot()
        assert pfm.present(frames(TIB)) and not pfm.present(frames(TIB) - 1)
        array = pfm.array.end_phys - pfm.array.start_phys
        assert array <= 128 * MIB * 8 // 1000 + 4 * MIB, array


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


def test_machine_whose_usable_memory_the_array_takes_whole():
    """No frame is left over: allocation runs out, and everything else works."""
    with FakeMachine(
        [(MIB, 19 * 4096, protocol.USABLE), (2 * MIB, 4 * MIB, protocol.EXECUTABLE_AND_MODULES)]
    ) as machine:
        pfm = machine.boot()
        equal(pfm.count_free(), (0, 0, 0))
        for call in (
            pfm.alloc,
            lambda: pfm.alloc(3),
            lambda: pfm.alloc(zone=0),
            lambda: pfm.alloc_contiguous(1),
            lambda: pfm.alloc_many(1),
            lambda: pfm.alloc_many(array("I", (0, 0))),
        ):
            equal(raises(OutOfFramesError, call).free, (0, 0, 0))
        pfm.drain()
        pfm.free_many(array("I"))
        equal(pfm.reclaim(True), (0, 0))
        pfm.set_flags(600, 2)
        assert pfm.check_flags(600, 2)
        pfm.check()
        for report in (
            pfm.meminfo(),
            pfm.buddyinfo(),
            pfm.memmap(),
            pfm.chart(),
            pfm.page_types(),
        ):
            assert report.verified, report
