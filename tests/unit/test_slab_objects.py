"""pfm/slab/objects.py, pfm/slab/slabs.py, pfm/slab/stock.py: objects allocated, freed, and what is refused."""

from array import array

from allocation import entry, lists, refused, without_heap
from ktap import equal, raises
from maps import MIB, SMALL_8M, THREE_ZONES
from uctypes import addressof, bytearray_at

from pfm import (
    ArgumentError,
    Cache,
    DoubleFreeError,
    ForeignFreeError,
    FrameStateError,
    NotInitialisedError,
    ObjectStateError,
    OutOfFramesError,
    PageFlags,
    PageFrameManager,
)
from pfm.memmap import protocol
from pfm.slab.caches import cache_at
from pfm.slab.classes import GENERAL, SIZE_MAX, SLAB_OBJECT_MAX, class_of, order_for, size_of
from pfm.testing import FakeMachine


def _pfn(pfm, virt):
    return pfm.as_phys(virt) >> 12


def _each_mode(machine=THREE_ZONES):
    """Yield a manager as usual, and one in debug mode."""
    for debug in (False, True):
        with FakeMachine(machine) as fake:
            yield fake.boot(debug)


def test_each_size():
    for pfm in _each_mode():
        before = lists(pfm)
        sizes = [1, 15, 16, 17, SIZE_MAX] + [size_of(n) for n in range(1, GENERAL)]
        objects = []
        for size in sizes:
            virt = pfm.malloc(size)
            equal(virt % 16, 0)
            head = entry(pfm, _pfn(pfm, virt))
            if head.state >> 5 == 2:
                equal(head.size_class, class_of(size))
            assert pfm.check_flags(_pfn(pfm, virt), PageFlags.SLAB) or head.state >> 5 == 5
            objects.append((virt, size))
        for at, (virt, size) in enumerate(objects):
            block = bytearray_at(virt, size)
            block[0] = block[size - 1] = at
        pfm.check()
        for at, (virt, size) in enumerate(objects):
            block = bytearray_at(virt, size)
            equal((block[0], block[size - 1]), (at, at))
            pfm.mfree(virt)
        equal(lists(pfm), before)
        pfm.check()


def test_objects_do_not_overlap():
    for pfm in _each_mode():
        objects = [(pfm.malloc(n), n) for n in range(1, 3000, 7)]
        objects.sort()
        for at in range(1, len(objects)):
            assert objects[at - 1][0] + objects[at - 1][1] <= objects[at][0]
        for virt, _ in objects:
            pfm.mfree(virt)


def test_address_in_either_form():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for shift in (0, 64):
            virt = pfm.malloc(100)
            pfm.mfree(virt | 0 if not shift else virt)
        raises(ObjectStateError, pfm.mfree, (1 << 64) - 4096)
        raises(ObjectStateError, pfm.mfree, -4096)


def test_python_heap_is_left_alone():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        cache = Cache(100, "heap", manager=pfm)
        for _ in range(2):
            without_heap(_many, pfm)
            without_heap(_many, pfm)
            without_heap(_of_cache, cache)
        pfm.check()


# Not an array: it would make each address an object.
_taken = [0] * 300


def _many(pfm):
    for size in (16, 100, 3000, 30000):
        at = 0
        while at < 300:
            _taken[at] = pfm.malloc(size)
            at += 1
        while at:
            at -= 1
            pfm.mfree(_taken[at])
    pfm.mfree(pfm.malloc(100000))
    pfm.drain()


def _of_cache(cache):
    at = 0
    while at < 300:
        _taken[at] = cache.alloc()
        at += 1
    while at:
        at -= 1
        cache.free(_taken[at])


def test_sizes_that_are_none():
    for pfm in _each_mode(SMALL_8M):
        for size in (0, -1, SIZE_MAX + 1, 1 << 64, -(1 << 64)):
            equal(refused(pfm, ArgumentError, pfm.malloc, size).value, size)
        for size in (True, False, 1.0, None, "16", b"16"):
            refused(pfm, TypeError, pfm.malloc, size)
        for tag in (-1, 1 << 32):
            refused(pfm, ArgumentError, pfm.malloc, 16, tag)
        refused(pfm, TypeError, pfm.malloc, 16, None)


def test_addresses_that_are_none():
    for pfm in _each_mode(SMALL_8M):
        for virt in (None, 1.0, "a", True, False):
            refused(pfm, TypeError, pfm.mfree, virt)
        frame = pfm.alloc()
        block = pfm.alloc(3, compound=True)
        run = pfm.alloc_contiguous(5)
        for virt in (
            0,
            16,
            -16,
            1 << 63,
            pfm.as_virt(frame << 12),
            pfm.as_virt(block + 3 << 12),
            pfm.as_virt(run + 2 << 12),
            pfm.as_virt(pfm.max() + 1 << 12),
            # Of a free frame, and of one that is never free.
            pfm.as_virt(1500 << 12),
            pfm.as_virt(pfm.array.start_phys),
        ):
            error = refused(pfm, ObjectStateError, pfm.mfree, virt)
            equal(error.virt & (1 << 64) - 1, virt & (1 << 64) - 1)


def test_free_inside_an_object():
    for pfm in _each_mode():
        for size in (16, 100, 5000, SLAB_OBJECT_MAX, 100000, SIZE_MAX):
            virt = pfm.malloc(size)
            for offset in (1, 8, size // 2 | 1, size - 1):
                refused(pfm, ObjectStateError, pfm.mfree, virt + offset)
            pfm.mfree(virt)


def test_address_behind_the_last_object():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        stride = size_of(class_of(1500))
        virt = pfm.malloc(1500)
        slab = pfm.as_virt(_pfn(pfm, virt) << 12)
        if pfm.check_flags(_pfn(pfm, virt), PageFlags.COMPOUND):
            head = entry(pfm, _pfn(pfm, virt))
            slab = pfm.as_virt((head.next or _pfn(pfm, virt)) << 12)
        size = 4096 << order_for(stride)
        refused(pfm, ObjectStateError, pfm.mfree, slab + size // stride * stride)


def test_free_twice():
    for pfm in _each_mode():
        for size in (16, 100, 5000):
            virt = pfm.malloc(size)
            other = pfm.malloc(size)
            pfm.mfree(virt)
            error = refused(pfm, DoubleFreeError, pfm.mfree, virt)
            equal((error.virt, error.cache), (virt, "malloc {}".format(size_of(class_of(size)))))
            # In its slab instead of in a stock.
            pfm.drain()
            refused(pfm, DoubleFreeError, pfm.mfree, virt)
            pfm.mfree(other)
        virt = pfm.malloc(100000)
        pfm.mfree(virt)
        refused(pfm, ObjectStateError, pfm.mfree, virt)


def test_free_of_what_was_never_allocated():
    for pfm in _each_mode():
        virt = pfm.malloc(64)
        stride = 96 if pfm.debug else 64
        start = virt >> 12 << 12
        free = [at for at in range(start, start + 4096 - stride, stride) if at != virt]
        for at in free:
            refused(pfm, DoubleFreeError, pfm.mfree, at)
        pfm.mfree(virt)


def test_object_that_looks_free_is_freed():
    """Its owner wrote what marks a free object."""
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        virt = pfm.malloc(32)
        pfm.mfree(virt)
        mark = bytes(bytearray_at(virt, 32))
        equal(pfm.malloc(32), virt)
        bytearray_at(virt, 32)[:] = mark
        pfm.mfree(virt)
        refused(pfm, DoubleFreeError, pfm.mfree, virt)


def test_calls_on_frames_leave_slabs_alone():
    for pfm in _each_mode():
        for size in (16, 5000, 100000):
            virt = pfm.malloc(size)
            head = _pfn(pfm, virt)
            if entry(pfm, head).state >> 5 == 5:
                head = entry(pfm, head).next
            many = array("I", [head])
            for call in (pfm.free, pfm.ref, pfm.unref):
                refused(pfm, FrameStateError, call, head)
            if not entry(pfm, head).state & 31 and not entry(pfm, head).next:
                refused(pfm, FrameStateError, pfm.free_many, many)
            refused(pfm, FrameStateError, pfm.alloc_at, head)
            pfm.mfree(virt)
            # Empty, and kept.
        pfm.drain()


def test_empty_slab_that_is_kept_is_no_block():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        virt = pfm.malloc(4096)
        pfm.mfree(virt)
        refused(pfm, FrameStateError, pfm.free, _pfn(pfm, virt))
        equal(pfm.malloc(4096), virt)


def test_flags_of_a_slab_are_the_users():
    """As RESERVED and PAGETABLE are: what the allocator goes by is elsewhere in the entry."""
    for pfm in _each_mode(SMALL_8M):
        virt = pfm.malloc(100)
        pfm.clear_flags(_pfn(pfm, virt), 0xFFFF)
        frame = pfm.alloc()
        pfm.set_flags(frame, PageFlags.SLAB)
        pfm.check()
        refused(pfm, ObjectStateError, pfm.mfree, pfm.as_virt(frame << 12))
        pfm.mfree(virt)
        pfm.free(frame)
        pfm.drain()
        pfm.check()


def test_freed_slab_leaves_no_flag():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        objects = [pfm.malloc(n) for n in (64, 5000, 100000)]
        assert pfm.count_flags(PageFlags.SLAB)
        for virt in objects:
            pfm.mfree(virt)
        pfm.drain()
        equal(pfm.count_flags(PageFlags.SLAB), 0)


def test_empty_slabs_go_back():
    for pfm in _each_mode():
        before = lists(pfm)
        objects = [pfm.malloc(200) for _ in range(5000)]
        held = sum(pfm.count_free())
        for virt in objects:
            pfm.mfree(virt)
        # Without being asked, all but a few.
        assert sum(pfm.count_free()) > held + 200, (held, pfm.count_free())
        pfm.drain()
        equal(lists(pfm), before)


def test_pair_at_the_edge_of_a_slab_keeps_it():
    """An empty slab is kept, so that one object more or less does not cost a slab each time."""
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.mfree(pfm.malloc(32768))
        pfm.drain()
        kept = pfm.malloc(32768)
        pfm.mfree(pfm.malloc(32768))
        free = pfm.count_free()
        for _ in range(10):
            pfm.mfree(pfm.malloc(32768))
            equal(pfm.count_free(), free)
        pfm.mfree(kept)


# Room for as many objects of 128 bytes as 8 MiB has.
_objects = array("q", bytes(8 << 16))


def test_exhaustion_and_recovery():
    for pfm in _each_mode(SMALL_8M):
        before = lists(pfm)
        for size in (128, 1000, 28000, 100000):
            count = 0
            try:
                while True:
                    _objects[count] = pfm.malloc(size)
                    count += 1
            except OutOfFramesError:
                pass
            refused(pfm, OutOfFramesError, pfm.malloc, size)
            assert count * size > 5 * MIB, (size, count)
            for at in range(count):
                pfm.mfree(_objects[at])
            equal(lists(pfm), before)
            pfm.check()


def test_frames_that_run_out_take_empty_slabs_back():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        total = sum(pfm.count_free())
        for virt in [pfm.malloc(n) for n in (16, 100, 1000, 5000)]:
            pfm.mfree(virt)
        assert sum(pfm.count_free()) < total
        frames = pfm.alloc_many(total)
        pfm.free_many(frames)
        for virt in [pfm.malloc(n) for n in (16, 100, 1000, 5000)]:
            pfm.mfree(virt)
        taken = []
        try:
            while True:
                taken.append(pfm.alloc())
        except OutOfFramesError:
            equal(len(taken), total)
        pfm.free_many(array("I", taken))


def test_small_slab_where_there_is_no_room_for_a_large_one():
    with FakeMachine([(0, 2 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        taken = []
        try:
            while True:
                taken.append(pfm.alloc(3))
        except OutOfFramesError:
            pass
        pfm.free(taken.pop())
        # A slab of these takes 256 KiB, if there are as many in a row.
        virt = pfm.malloc(28000)
        pfm.check()
        pfm.mfree(virt)


def test_guard_on_a_slab_does_not_stop_it():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        virt = pfm.malloc(64)
        with pfm.get(_pfn(pfm, virt)):
            pfm.mfree(pfm.malloc(64))
            pfm.mfree(virt)
            pfm.drain()
        pfm.check()


def test_foreign_object():
    for pfm in _each_mode(SMALL_8M):
        cache = Cache(64, "own", manager=pfm)
        virt = cache.alloc()
        error = refused(pfm, ForeignFreeError, pfm.mfree, virt)
        equal((error.virt, error.cache, error.owner), (virt, "malloc", "own"))
        cache.free(virt)


def test_soft_reset_frees_what_does_not_last():
    """Objects of `malloc` have no owner that lasts; caches last with their tag."""
    for debug in (False, True):
        with FakeMachine(THREE_ZONES) as machine:
            first = machine.boot(debug)
            saved = array("Q", bytes(64))
            first.save(addressof(saved))
            lasting = Cache(100, "lasting", tag=7, manager=first)
            passing = Cache(100, "passing", tag=8, manager=first)
            kept = [lasting.alloc() for _ in range(100)]
            for virt in kept:
                bytearray_at(virt, 100)[:] = b"a" * 100
            for _ in range(100):
                passing.alloc()
            for size in (16, 1000, 100000):
                first.malloc(size)
            machine.soft_reset()
            second = PageFrameManager()
            assert second.resume(addressof(saved), (7,), machine)
            second.check()
            equal([row.name for row in second.slabinfo().caches], ["lasting"])
            again = Cache.open("lasting", manager=second)
            assert again.alloc() not in kept
            for virt in kept:
                equal(bytes(bytearray_at(virt, 100)), b"a" * 100)
                again.free(virt)
            second.mfree(second.malloc(1000))
            # The name is free again.
            Cache(200, "passing", manager=second).close()
            second.check()


def test_soft_reset_releases_the_lock_of_a_cache():
    with FakeMachine(SMALL_8M) as machine:
        first = machine.boot()
        saved = array("Q", bytes(64))
        first.save(addressof(saved))
        cache_at(first._caches, 3).lock = 1
        machine.soft_reset()
        second = PageFrameManager()
        assert second.resume(addressof(saved), (), machine)
        second.mfree(second.malloc(48))


def test_before_init():
    pfm = PageFrameManager()
    raises(NotInitialisedError, pfm.malloc, 16)
    raises(NotInitialisedError, pfm.mfree, 16)
    raises(NotInitialisedError, pfm.slabinfo)
