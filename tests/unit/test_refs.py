"""References to blocks, runs and compound blocks: how many there may be, and the last one's end."""

from allocation import entry, lists, refused
from ktap import equal, raises
from maps import SMALL_8M, frames

from pfm import FrameStateError, RefcountError
from pfm.frame.entry import RC_MAX
from pfm.testing import FakeMachine


def test_last_reference_frees():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        for allocate in (
            pfm.alloc,
            lambda: pfm.alloc(5),
            lambda: pfm.alloc(5, compound=True),
            lambda: pfm.alloc_contiguous(37),
            lambda: pfm.alloc_at(1025, 30),
            lambda: pfm.alloc_many(1)[0],
        ):
            pfn = allocate()
            equal(pfm.ref(pfn), 2)
            equal(pfm.ref(pfn), 3)
            equal(pfm.unref(pfn), 2)
            equal(pfm.unref(pfn), 1)
            equal(entry(pfm, pfn).rc, 1)
            equal(pfm.unref(pfn), 0)
            refused(pfm, FrameStateError, pfm.unref, pfn)
            equal(lists(pfm), before)


def test_free_of_a_shared_block():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc(2)
        pfm.ref(pfn)
        error = refused(pfm, RefcountError, pfm.free, pfn)
        equal((error.action, error.pfn, error.rc), ("free", pfn, 2))
        pfm.unref(pfn)
        pfm.free(pfn)


def test_overflow():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc(1, compound=True)
        for count in range(2, RC_MAX + 1):
            assert pfm.ref(pfn) == count
        for frame in (pfn, pfn + 1):
            error = refused(pfm, RefcountError, pfm.ref, frame)
            equal((error.action, error.rc), ("reference", RC_MAX))
        equal(entry(pfm, pfn).rc, RC_MAX)
        # The neighbours of the count in the entry are untouched.
        equal((entry(pfm, pfn).size_class, entry(pfm, pfn).order), (0, 1))
        for count in range(RC_MAX - 1, -1, -1):
            assert pfm.unref(pfn) == count
        pfm.check()


def test_underflow():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc(3)
        equal(pfm.unref(pfn), 0)
        for _ in range(2):
            refused(pfm, FrameStateError, pfm.unref, pfn)
            refused(pfm, FrameStateError, pfm.ref, pfn)
        equal(pfm.alloc(3), pfn)
        equal(entry(pfm, pfn).rc, 1)


def test_tails_of_a_compound_block_stand_for_it():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        head = pfm.alloc(3, compound=True)
        for number, pfn in enumerate(range(head, head + 8), 2):
            equal(pfm.ref(pfn), number)
        for pfn in range(head, head + 8):
            equal(pfm.unref(pfn), head + 8 - pfn)
        equal(pfm.unref(head + 5), 0)
        for pfn in range(head, head + 8):
            refused(pfm, FrameStateError, pfm.unref, pfn)


def test_tail_of_a_compound_block_cannot_be_freed():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        head = pfm.alloc(3, compound=True)
        error = refused(pfm, FrameStateError, pfm.free, head + 1)
        equal(error.state, "tail of the compound block at {}".format(head))
        pfm.free(head)


def test_tails_of_a_plain_block_and_parts_of_a_run_do_not():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        plain = pfm.alloc(2)
        run = pfm.alloc_at(1025, 6)
        for pfn in (plain + 1, plain + 3, run + 1, run + 2, run + 3):
            for call in (pfm.ref, pfm.unref):
                equal(refused(pfm, FrameStateError, call, pfn).pfn, pfn)


def test_compound_tails_are_plain_again_after_free():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        head = pfm.alloc(3, compound=True)
        pfm.free(head)
        equal(pfm.alloc(3), head)
        for pfn in range(head + 1, head + 8):
            equal((entry(pfm, pfn).flags, entry(pfm, pfn).state), (0, 0))
            raises(FrameStateError, pfm.ref, pfn)
        pfm.check()


def test_references_of_reserved_frames():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for pfn in (0, frames(pfm.array.start_phys)):
            for call in (pfm.ref, pfm.unref):
                equal(refused(pfm, FrameStateError, call, pfn).state, "reserved")
