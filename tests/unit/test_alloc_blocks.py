"""pfm/alloc/blocks.py: blocks allocated and freed, and what is no head of a block."""

from allocation import entry, lists, refused
from ktap import equal, raises
from maps import GIB, MIB, SMALL_8M, THREE_ZONES, frames

from pfm import (
    ArgumentError,
    FrameNotPresentError,
    FrameRangeError,
    FrameStateError,
    NotInitialisedError,
    OutOfFramesError,
    PageFlags,
    PageFrameManager,
    to,
)
from pfm.alloc.zone import ORDER_MAX
from pfm.memmap import protocol
from pfm.testing import FakeMachine


def test_each_order_is_aligned_and_comes_back():
    with FakeMachine([(0, 3 * GIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        for order in range(ORDER_MAX + 1):
            pfn = pfm.alloc(order)
            equal(pfn % (1 << order), 0)
            head = entry(pfm, pfn)
            equal((head.order, head.rc), (order, 1))
            equal(pfm.check().used, 1 << order)
            pfm.free(pfn)
            equal(lists(pfm), before)


def test_all_frames_one_by_one_and_back():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        total = sum(pfm.count_free())
        taken = []
        while True:
            try:
                taken.append(pfm.alloc())
            except OutOfFramesError as error:
                equal((error.zone, error.order, error.count, error.free), (0, 0, 1, (0, 0, 0)))
                break
        equal(len(taken), total)
        equal(len(set(taken)), total)
        equal(pfm.check().used, total)
        # Every other one first, so that nothing merges until the end.
        for pfn in taken[::2] + taken[1::2]:
            pfm.free(pfn)
        equal(lists(pfm), before)
        pfm.check()


def test_flags_of_a_block():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        single = pfm.alloc()
        assert pfm.check_flags(single, PageFlags.SMALL)
        assert not pfm.check_flags(pfm.alloc(1), PageFlags.SMALL)
        compound = pfm.alloc(2, compound=True)
        for pfn in range(compound, compound + 4):
            assert pfm.check_flags(pfn, PageFlags.COMPOUND)
        # A block of one frame has no tails and is not compound.
        assert not pfm.check_flags(pfm.alloc(0, compound=True), PageFlags.COMPOUND)
        pfm.set_flags(single, PageFlags.DIRTY)
        pfm.free(single)
        again = pfm.alloc()
        equal(again, single)
        assert not pfm.check_flags(again, PageFlags.DIRTY)


def test_zero_clears_every_frame():
    from uctypes import bytearray_at

    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for order in (0, 3):
            pfn = pfm.alloc(order)
            size = 4096 << order
            memory = bytearray_at(pfm.as_virt(pfn << 12), size)
            guard = bytearray_at(pfm.as_virt((pfn << 12) + size), 16)
            memory[:] = b"\xa5" * size
            guard[:] = b"\x5a" * 16
            pfm.free(pfn)
            equal(pfm.alloc(order, zero=True), pfn)
            equal(bytes(memory), bytes(size))
            equal(bytes(guard), b"\x5a" * 16)


def test_orders_out_of_range():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for order in (-1, 19, 1 << 64, -(1 << 64)):
            error = refused(pfm, ArgumentError, pfm.alloc, order)
            equal((error.name, error.value), ("order", order))
        for order in (1.0, "1", (1,)):
            refused(pfm, TypeError, pfm.alloc, order)
        refused(pfm, TypeError, pfm.alloc, None)


def test_zones_and_tags_out_of_range():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for zone in (-1, 3, 1 << 64):
            equal(refused(pfm, ArgumentError, pfm.alloc, 0, zone).name, "zone")
        for tag in (-1, 1 << 32, 1 << 64):
            equal(refused(pfm, ArgumentError, pfm.alloc, 0, None, False, tag).name, "tag")
        for wrong in (0.0, "0"):
            refused(pfm, TypeError, pfm.alloc, 0, wrong)
        for wrong in (0.0, b"0", None):
            refused(pfm, TypeError, pfm.alloc, 0, None, False, wrong)


def test_largest_order_on_a_machine_without_it():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        error = refused(pfm, OutOfFramesError, pfm.alloc, ORDER_MAX)
        equal((error.order, error.count), (ORDER_MAX, 1 << ORDER_MAX))
        equal(error.free, pfm.count_free())


def test_double_free():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        for zone in range(3):
            for order in (0, 3):
                pfn = pfm.alloc(order, zone)
                pfm.free(pfn)
                for call in (pfm.free, pfm.unref, pfm.ref):
                    error = refused(pfm, FrameStateError, call, pfn)
                    equal(error.pfn, pfn)


def test_free_of_a_tail():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc(3)
        for tail in (pfn + 1, pfn + 7):
            error = refused(pfm, FrameStateError, pfm.free, tail)
            equal((error.pfn, error.state), (tail, "inside the used block at {}".format(pfn)))
        pfm.free(pfn)
        # Free now, and merged into a larger block.
        for tail in range(pfn, pfn + 8):
            equal(refused(pfm, FrameStateError, pfm.free, tail).pfn, tail)


def test_free_of_what_was_never_allocated():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        array = frames(pfm.array.start_phys)
        for pfn in (
            1,
            2,
            700,
            frames(4 * GIB),
            array,
            array + 1,
            frames(pfm.array.end_phys) - 1,
            frames(48 * MIB),
        ):
            for call in (pfm.free, pfm.ref, pfm.unref):
                equal(refused(pfm, FrameStateError, call, pfn).pfn, pfn)


def test_free_of_holes_and_out_of_bounds():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        for pfn in (frames(4 * MIB) + 1, frames(5 * MIB), frames(GIB), frames(4 * GIB) - 1):
            for call in (pfm.free, pfm.ref, pfm.unref, pfm.get):
                equal(refused(pfm, FrameNotPresentError, call, pfn).pfn, pfn)
        for pfn in (0, -1, pfm.max() + 1, 1 << 32, 1 << 64):
            for call in (pfm.free, pfm.ref, pfm.unref):
                equal(refused(pfm, FrameRangeError, call, pfn).pfn, pfn)
        for pfn in (None, 1.5, "1"):
            for call in (pfm.free, pfm.ref, pfm.unref):
                refused(pfm, TypeError, call, pfn)


def test_frame_0_where_there_is_one():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for call in (pfm.free, pfm.ref, pfm.unref, pfm.alloc_at):
            equal(refused(pfm, FrameStateError, call, 0).pfn, 0)


def test_frame_numbers_by_their_type():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = to(pfm.alloc(2))
        equal(pfm.ref(pfn), 2)
        equal(pfm.unref(pfn), 1)
        pfm.free(pfn)
        pfm.alloc_at(to(1025), 3)
        pfm.free(to(1025))
        pfm.free(to(pfm.alloc()))
        pfm.check()


def test_describe_says_what_a_frame_is():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc(2)
        compound = pfm.alloc(1, compound=True)
        run = pfm.alloc_at(601, 6)
        equal(pfm.describe(pfn), "used")
        equal(pfm.describe(pfn + 3), "inside the used block at {}".format(pfn))
        equal(pfm.describe(compound + 1), "tail of the compound block at {}".format(compound))
        equal(pfm.describe(run + 1), "part of the run at 601")
        equal(pfm.describe(frames(48 * MIB)), "reserved")
        equal(pfm.describe(frames(GIB)), "absent")
        pfm.free(pfm.alloc())
        equal(pfm.describe(pfm.alloc()), "used")
        raises(FrameRangeError, pfm.describe, 0)


def test_before_init():
    pfm = PageFrameManager()
    for call in (
        pfm.alloc,
        pfm.drain,
        lambda: pfm.free(1),
        lambda: pfm.ref(1),
        lambda: pfm.unref(1),
    ):
        raises(NotInitialisedError, call)
    raises(NotInitialisedError, pfm.describe, 1)
