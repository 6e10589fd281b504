"""pfm/lock.py: who holds a lock, who waits for it, and that no error leaves one behind."""

from allocation import entry, zone
from ktap import equal, raises
from maps import MIB, SMALL_8M, frames
from uctypes import addressof, bytes_at

from pfm import LockHeldError, LockTimeoutError, PageFlags, Zone, lock
from pfm.alloc.magazine import MAGAZINE_FRAMES
from pfm.memmap import protocol
from pfm.testing import FakeMachine

_OTHER = 2


def test_frame_lock_held_by_this_context():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc(2, compound=True)
        with pfm.get(pfn) as frame:
            equal(frame.lock, lock.context())
            for call in (pfm.free, pfm.ref, pfm.unref, pfm.get):
                error = raises(LockHeldError, call, pfn)
                equal((error.what, error.owner), (pfn, lock.context()))
            # The tail's references are the head's.
            raises(LockHeldError, pfm.ref, pfn + 1)
            raises(LockHeldError, pfm.set_flags, pfn, PageFlags.DIRTY)
            # Another frame's lock is another.
            pfm.set_flags(pfn + 1, PageFlags.DIRTY)
        equal(entry(pfm, pfn).lock, 0)
        pfm.free(pfn)
        pfm.check()


def test_frame_lock_held_by_another_context():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc()
        entry(pfm, pfn).lock = _OTHER
        for call in (pfm.free, pfm.get):
            error = raises(LockTimeoutError, call, pfn)
            equal((error.what, error.owner), (pfn, _OTHER))
        equal(entry(pfm, pfn).lock, _OTHER)
        entry(pfm, pfn).lock = 0
        pfm.free(pfn)


def test_zone_lock_held():
    with FakeMachine([(0x1000, 64 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc(1)
        single = pfm.alloc()
        edge = frames(16 * MIB)
        zone(pfm, Zone.DMA32).lock = lock.context()
        for call in (
            lambda: pfm.alloc(1),
            lambda: pfm.alloc_contiguous(3),
            lambda: pfm.alloc_many(70),
            # The lower zone's lock is taken first, and must be given back.
            lambda: pfm.alloc_at(edge - 2, 4),
            pfm.drain,
        ):
            error = raises(LockHeldError, call)
            equal((error.what, error.owner), ("DMA32", lock.context()))
            equal(zone(pfm, Zone.DMA).lock, 0)
            equal(zone(pfm, Zone.DMA32).lock, lock.context())
        # The other zone, and the magazine, do not need it.
        pfm.free(pfm.alloc(1, Zone.DMA))
        pfm.free(single)
        zone(pfm, Zone.DMA32).lock = 0
        pfm.free(pfn)
        pfm.check()


def test_what_is_not_freed_stays_as_it_was():
    with FakeMachine([(0x1000, 64 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        block = pfm.alloc(3)
        compound = pfm.alloc(2, compound=True)
        low = pfm.alloc(0, Zone.DMA)
        run = pfm.alloc_contiguous(5)
        # Of two zones, whose locks are both taken or none.
        across = pfm.alloc_at(frames(16 * MIB) - 2, 4)
        heads = (block, compound, low, run, across)
        for pfn in heads:
            entry(pfm, pfn).size_class = 9
            pfm.set_flags(pfn, PageFlags.DIRTY)
        pfm.ref(compound + 1)
        before = [bytes_at(addressof(entry(pfm, pfn)), 32) for pfn in heads]
        walked = pfm.check()
        for number, pfn in enumerate(heads):
            locked = zone(pfm, Zone.DMA if pfn == low else Zone.DMA32)
            locked.lock = _OTHER
            if pfn == compound:
                equal(pfm.unref(pfn), 1)
            for call in (pfm.free, pfm.unref):
                raises(LockTimeoutError, call, pfn)
            locked.lock = 0
            if pfn == compound:
                equal(pfm.ref(pfn), 2)
            equal(bytes_at(addressof(entry(pfm, pfn)), 32), before[number])
            equal(zone(pfm, Zone.DMA).lock, 0)
        equal(pfm.check().used, walked.used)
        pfm.unref(compound)
        for pfn in heads:
            pfm.free(pfn)
        equal(pfm.check().used, 0)


def test_frame_that_a_full_magazine_does_not_take():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        taken = [pfm.alloc() for _ in range(MAGAZINE_FRAMES + 1)]
        pfm.drain()
        for pfn in taken[1:]:
            pfm.free(pfn)
        zone(pfm, Zone.DMA).lock = _OTHER
        raises(LockTimeoutError, pfm.free, taken[0])
        zone(pfm, Zone.DMA).lock = 0
        equal((entry(pfm, taken[0]).rc, pfm.check().used), (1, 1))
        pfm.free(taken[0])
        equal(pfm.check().used, 0)


def test_statistics_never_block():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        free = pfm.count_free()
        for number in range(3):
            zone(pfm, number).lock = _OTHER
        entry(pfm, 42).lock = _OTHER
        equal(pfm.count_free(), free)
        assert not pfm.check_flags(42, PageFlags.RESERVED)
        assert pfm.present(42)
        equal((pfm.min(), pfm.max()), (0, 2047))
        equal(pfm.describe(frames(pfm.array.start_phys)), "reserved")


def test_no_error_leaves_a_lock():
    with FakeMachine([(0x1000, 64 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc()
        calls = [
            (call, args)
            for wrong in (None, 1.5, b"1", (), 1 << 70, -1)
            for call, args in (
                (pfm.alloc, (wrong,)),
                (pfm.alloc, (0, wrong if wrong is not None else 1.5)),
                (pfm.alloc, (0, None, False, wrong)),
                (pfm.free, (wrong,)),
                (pfm.ref, (wrong,)),
                (pfm.unref, (wrong,)),
                (pfm.alloc_contiguous, (wrong,)),
                (pfm.alloc_contiguous, (1, wrong)),
                (pfm.alloc_contiguous, (4, 1, wrong if wrong is not None else 1.5)),
                (pfm.alloc_contiguous, (20000, 1, None, wrong)),
                (pfm.alloc_at, (wrong,)),
                (pfm.alloc_at, (5, wrong)),
                (pfm.alloc_many, (wrong,)),
                (pfm.alloc_many, (5, None, wrong)),
                (pfm.free_many, (wrong,)),
                (pfm.set_flags, (pfn, wrong)),
                (pfm.get, (wrong,)),
            )
            # Nothing to do for no frames.
            if not (wrong == () and call in (pfm.alloc_many, pfm.free_many))
        ]
        free = pfm.count_free()
        for call, args in calls:
            try:
                call(*args)
            except Exception:
                equal(pfm.count_free(), free)
                for number in range(3):
                    equal(zone(pfm, number).lock, 0)
            else:
                raise AssertionError("{}{} passed".format(call, args))
        equal(entry(pfm, pfn).lock, 0)
        equal(pfm.check().used, 1)


def test_bits_are_changed_under_a_lock():
    from array import array

    bits = array("H", (0, 0x1001, 0))
    word = array("I", (0, 0))
    virt = addressof(bits) + 2
    held = addressof(word) + 4
    # Set 0x0110; clear 0x1001, which are set first.
    equal(lock.change16(virt, held, 0x0110), 0)
    equal(bits[1], 0x1111)
    equal(lock.change16(virt, held, 0x8001 | 0x8001 << 16), 0)
    equal(bits[1], 0x1110)
    word[1] = _OTHER
    equal(lock.change16(virt, held, 2), _OTHER)
    equal(list(bits), [0, 0x1110, 0])
    equal(list(word), [0, _OTHER])


def test_lock_without_a_section():
    from array import array

    word = array("I", (0,))
    virt = addressof(word)
    state = lock.lock_masked(virt)
    equal((word[0], state >> 1), (lock.context(), lock.context()))
    equal(lock.lock_masked(virt), -lock.context())
    lock.unlock_masked(virt, state)
    equal(word[0], 0)
    word[0] = _OTHER
    equal(lock.lock_masked(virt), -_OTHER)
    equal(word[0], _OTHER)


def test_exchange_and_compare():
    from array import array

    words = array("I", [0, 7, 0])
    place = addressof(words) + 4
    equal(lock.cmpxchg32(place, 8, 9), 7)
    equal(lock.cmpxchg32(place, 7, 9), 7)
    equal(lock.xchg32(place, 0xFFFFFFFF), 9)
    equal(list(words), [0, 0xFFFFFFFF, 0])
    equal(lock.xchg32(place, 0), 0xFFFFFFFF)
