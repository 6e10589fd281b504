"""pfm/alloc/references.py: how many references a block may have, and what the last one does."""

from allocation import entry, lists, refused, without_heap
from ktap import equal
from maps import SMALL_8M, frames
from recount import ODD_32M, busy

from pfm import PFN, FrameStateError, RefcountError
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


def test_counted_by_any_frame():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for allocate, count in (
            (pfm.alloc, 1),
            (lambda: pfm.alloc(5), 32),
            (lambda: pfm.alloc(5, compound=True), 32),
            (lambda: pfm.alloc_contiguous(37), 37),
            (lambda: pfm.alloc_at(1025, 30), 30),
        ):
            pfn = allocate()
            for refs in (1, 2, 3):
                without_heap(pfm.count_refs, pfn + count - 1)
                equal([pfm.count_refs(pfn + at) for at in range(count)], [refs] * count)
                pfm.ref(pfn)
            for _ in range(4):
                pfm.unref(pfn)
            equal([pfm.count_refs(pfn + at) for at in range(count)], [0] * count)
        virt = pfm.malloc(3000)
        frame = pfm.as_phys(virt) >> 12
        before = pfm.count_refs(frame)
        # Another from the same slab; the stock had it before.
        pfm.mfree(pfm.malloc(3000))
        equal(pfm.count_refs(frame), before)
        assert before > 2


def test_counted_agrees_with_identify():
    with FakeMachine(ODD_32M) as machine:
        pfm = machine.boot()
        busy(pfm)
        for pfn in range(pfm.min(), pfm.max() + 1):
            equal(pfm.count_refs(pfn), pfm.identify(PFN(pfn)).rc or 0)


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


def test_references_of_tails_and_parts_are_refused():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        plain = pfm.alloc(2)
        run = pfm.alloc_at(1025, 6)
        for pfn in (plain + 1, plain + 3, run + 1, run + 2, run + 3):
            for call in (pfm.ref, pfm.unref):
                equal(refused(pfm, FrameStateError, call, pfn).pfn, pfn)


def test_references_of_reserved_frames():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for pfn in (0, frames(pfm.array.start_phys)):
            for call in (pfm.ref, pfm.unref):
                equal(refused(pfm, FrameStateError, call, pfn).state, "reserved")
