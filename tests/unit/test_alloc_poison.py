"""pfm/alloc/poison.py: debug mode fills free frames with poison and finds when it was overwritten."""

from array import array

from allocation import OVERWRITTEN, overwrite, refused
from ktap import equal, raises
from maps import SMALL_8M, THREE_ZONES
from uctypes import bytearray_at

from pfm import FrameCorruptError, OutOfFramesError
from pfm.alloc.poison import POISON
from pfm.testing import FakeMachine


def memory(pfm, pfn, count=1):
    return bytearray_at(pfm.as_virt(pfn << 12), count << 12)


def test_free_fills_with_poison():
    poisoned = POISON.to_bytes(4, "little") * 1024
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot(debug=True)
        many = pfm.alloc_many(3)
        blocks = [
            (pfm.alloc(), 1),
            (pfm.alloc(0, 0), 1),
            (pfm.alloc(2), 4),
            (pfm.alloc_at(601, 7), 7),
        ]
        for pfn, count in blocks:
            neighbour = bytes(memory(pfm, pfn + count)[:16])
            pfm.free(pfn)
            for frame in range(pfn, pfn + count):
                equal(bytes(memory(pfm, frame)), poisoned)
            equal(bytes(memory(pfm, pfn + count)[:16]), neighbour)
        pfm.free_many(many)
        for frame in many:
            equal(bytes(memory(pfm, frame)), poisoned)
        pfm.check()


def test_without_debug_nothing_is_written():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc(1)
        memory(pfm, pfn, 2)[:] = b"\xa5" * 8192
        pfm.free(pfn)
        equal(pfm.alloc(1), pfn)
        equal(bytes(memory(pfm, pfn, 2)), b"\xa5" * 8192)


def corrupt(allocate, pfn_of, count, offset):
    """Allocate, free, write to the free frame, and expect `allocate` to find it once."""
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot(debug=True)
        made = allocate(pfm)
        pfn = pfn_of(made)
        pfm.free(pfn) if isinstance(made, int) else pfm.free_many(made)
        frame = pfn + offset // 4096
        overwrite(pfm, pfn, offset)
        error = refused(pfm, FrameCorruptError, allocate, pfm)
        equal((error.pfn, error.phys, error.value), (frame, (pfn << 12) + offset, OVERWRITTEN))
        # It is free again, and filled with poison.
        equal(pfm.check().used, 0)
        again = allocate(pfm)
        equal(pfm.check().used, count)
        pfm.free(again) if isinstance(again, int) else pfm.free_many(again)
        pfm.check()


def itself(made):
    return made


def test_single_frame_written_while_free():
    for offset in (0, 4, 4092):
        corrupt(lambda pfm: pfm.alloc(), itself, 1, offset)


def test_block_written_while_free():
    for offset in (0, 4096, 3 * 4096 + 4092):
        corrupt(lambda pfm: pfm.alloc(2), itself, 4, offset)
        corrupt(lambda pfm: pfm.alloc(2, compound=True), itself, 4, offset)


def test_run_written_while_free():
    for offset in (0, 5 * 4096, 6 * 4096 + 8):
        corrupt(lambda pfm: pfm.alloc_at(1025, 7), itself, 7, offset)
        corrupt(lambda pfm: pfm.alloc_contiguous(7, 1024), itself, 7, offset)


def test_one_of_many_written_while_free():
    for index in (0, 3, 19):
        corrupt(lambda pfm: pfm.alloc_many(20), lambda made: made[index], 20, 16)


def test_frame_never_freed_holds_anything():
    with FakeMachine(SMALL_8M) as machine:
        memory_ = bytearray_at(machine.hhdm, 4 << 20)
        for at in range(0, len(memory_), 4096):
            memory_[at] = 0xFF
        pfm = machine.boot(debug=True)
        pfm.alloc(8)
        pfm.alloc_contiguous(100)
        pfm.alloc_many(100)
        equal(pfm.check().used, 456)


def test_poison_outlives_split_and_merge():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot(debug=True)
        block = pfm.alloc_at(1024, 16)
        pfm.free(block)
        for pfn in range(1024, 1040):
            equal(pfm.alloc_at(pfn), pfn)
        for pfn in range(1024, 1040):
            pfm.free(pfn)
        pfm.drain()
        overwrite(pfm, 1033, 100)
        equal(raises(FrameCorruptError, pfm.alloc_at, 1024, 16).pfn, 1033)
        pfm.check()


def test_zero_after_poison():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot(debug=True)
        pfn = pfm.alloc(1)
        pfm.free(pfn)
        equal(pfm.alloc(1, zero=True), pfn)
        equal(bytes(memory(pfm, pfn, 2)), bytes(8192))


def test_running_out_in_debug_mode_frees_the_rest():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot(debug=True)
        total = pfm.count_free()[0]
        pfm.alloc_at(1)
        refused(pfm, OutOfFramesError, pfm.alloc_many, total)
        refused(pfm, OutOfFramesError, pfm.alloc_many, array("I", [0] * total))
