"""pfm/slab/cache.py, pfm/slab/caches.py: caches by name, of sizes and of layouts, opened, closed and forgotten."""

import gc

import uctypes
from allocation import lists, refused, without_heap
from exhausted import with_blocks_left
from ktap import equal, raises
from maps import SMALL_8M, THREE_ZONES

from pfm import (
    ArgumentError,
    Cache,
    CacheInUseError,
    CacheNameError,
    DoubleFreeError,
    ForeignFreeError,
    LockTimeoutError,
    NotInitialisedError,
    ObjectStateError,
    PageFrameManager,
    sandbox,
)
from pfm.slab.caches import LIST, NAME_MAX, cache_at
from pfm.slab.classes import CLASSES, GENERAL, SIZE_MAX
from pfm.testing import FakeMachine

LAYOUT = {"id": 0 | uctypes.UINT32, "next": 8 | uctypes.UINT64, "data": (16 | uctypes.ARRAY, 9)}


def _each_mode(machine=SMALL_8M):
    for debug in (False, True):
        with FakeMachine(machine) as fake:
            yield fake.boot(debug)


def test_objects_of_a_size():
    for pfm in _each_mode():
        before = lists(pfm)
        cache = Cache(100, "hundred", manager=pfm)
        equal((cache.name, cache.size, repr(cache)), ("hundred", 100, "Cache(100, 'hundred')"))
        objects = [cache.alloc() for _ in range(200)]
        equal(len(set(objects)), 200)
        for virt in objects:
            uctypes.bytearray_at(virt, 100)[:] = b"x" * 100
        pfm.check()
        for virt in objects:
            cache.free(virt)
        cache.close()
        equal(lists(pfm), before)


def test_structs_of_a_layout():
    for pfm in _each_mode():
        layout = {"id": 0 | uctypes.UINT32, "next": 8 | uctypes.UINT64}
        cache = Cache(layout, "nodes", manager=pfm)
        equal(cache.size, uctypes.sizeof(layout))
        first, second = cache.alloc(), cache.alloc()
        first.id, second.id = 1, 2
        first.next = uctypes.addressof(second)
        equal((first.id, second.id), (1, 2))
        cache.free(first)
        refused(pfm, DoubleFreeError, cache.free, first)
        # By its address as well.
        cache.free(uctypes.addressof(second))
        cache.close()


def test_alignment():
    for pfm in _each_mode():
        for align in (1, 16, 64, 256, 4096):
            cache = Cache(72, "aligned {}".format(align), align=align, manager=pfm)
            objects = [cache.alloc() for _ in range(40)]
            for virt in objects:
                equal(virt % max(align, 16), 0)
                cache.free(virt)
            cache.close()
        for align in (0, -16, 3, 48, 8192, 1 << 70):
            error = refused(pfm, ArgumentError, Cache, 72, "bad", align, 0, pfm)
            equal((error.name, error.value), ("align", align))
        for align in (True, 16.0, None, "16"):
            refused(pfm, TypeError, Cache, 72, "bad", align, 0, pfm)


def test_sizes_and_layouts_that_are_none():
    for pfm in _each_mode():
        for size in (0, -1, SIZE_MAX + 1):
            equal(refused(pfm, ArgumentError, Cache, size, "bad", manager=pfm).value, size)
        for size in (True, 1.0, None, "16", (0,)):
            refused(pfm, TypeError, Cache, size, "bad", manager=pfm)
        equal(refused(pfm, ArgumentError, Cache, {}, "bad", manager=pfm).value, 0)
        huge = {"data": (0 | uctypes.ARRAY, (SIZE_MAX + 1) | uctypes.UINT8)}
        refused(pfm, ArgumentError, Cache, huge, "bad", manager=pfm)
        equal(pfm.slabinfo().caches, [])


def test_names_that_are_none():
    for pfm in _each_mode():
        for name in ("", "x" * (NAME_MAX + 1), "\u00e4" * (NAME_MAX // 2 + 1)):
            equal(refused(pfm, ArgumentError, Cache, 16, name, manager=pfm).name, "name")
        for name in (None, 5, b"bytes"):
            refused(pfm, TypeError, Cache, 16, name, manager=pfm)
        cache = Cache(16, "\u00e4" * (NAME_MAX // 2), manager=pfm)
        equal(cache.name, "\u00e4" * (NAME_MAX // 2))
        for tag in (-1, 1 << 32):
            refused(pfm, ArgumentError, Cache, 16, "bad", tag=tag, manager=pfm)


def test_name_is_taken_until_the_cache_is_closed():
    for pfm in _each_mode():
        cache = Cache(16, "one", manager=pfm)
        error = refused(pfm, CacheNameError, Cache, 32, "one", manager=pfm)
        equal(error.name, "one")
        cache.close()
        Cache(32, "one", manager=pfm)


def test_forgotten_cache_is_opened_by_its_name():
    for pfm in _each_mode():
        virt = Cache(100, "forgotten", manager=pfm).alloc()
        gc.collect()
        pfm.check()
        again = Cache.open("forgotten", manager=pfm)
        again.free(virt)
        equal(again.size, 100)
        raises(CacheNameError, Cache.open, "other", manager=pfm)
        raises(ArgumentError, Cache.open, "forgotten", LAYOUT, pfm)
        raises(ArgumentError, Cache.open, "forgotten", 99, pfm)
        again.close()
        raises(CacheNameError, Cache.open, "forgotten", manager=pfm)


def test_opened_with_a_layout():
    for pfm in _each_mode():
        layout = {"id": 0 | uctypes.UINT32}
        virt = uctypes.addressof(Cache(layout, "structs", manager=pfm).alloc())
        again = Cache.open("structs", layout, pfm)
        node = again.alloc()
        node.id = 7
        again.free(node)
        again.free(virt)


def test_closed_only_when_nothing_is_in_use():
    for pfm in _each_mode():
        cache = Cache(1000, "busy", manager=pfm)
        objects = [cache.alloc() for _ in range(3)]
        equal(refused(pfm, CacheInUseError, cache.close).objects, 3)
        for virt in objects:
            cache.free(virt)
        cache.close()
        for call in (cache.alloc, cache.close):
            error = refused(pfm, CacheNameError, call)
            equal((error.name, error.why), ("busy", "closed"))
        refused(pfm, ObjectStateError, cache.free, objects[0])


def test_closed_handle_does_not_reach_the_cache_that_follows():
    for pfm in _each_mode():
        cache = Cache(64, "first", manager=pfm)
        other = Cache.open("first", manager=pfm)
        cache.close()
        second = Cache(128, "second", manager=pfm)
        virt = second.alloc()
        for stale in (cache, other):
            refused(pfm, CacheNameError, stale.alloc)
            equal(refused(pfm, CacheNameError, stale.free, virt).name, "first")
            refused(pfm, CacheNameError, stale.close)
        second.free(virt)


def test_object_of_another_cache():
    for pfm in _each_mode():
        one, two = [Cache(64, name, manager=pfm) for name in ("one", "two")]
        virt = one.alloc()
        error = refused(pfm, ForeignFreeError, two.free, virt)
        equal((error.virt, error.cache, error.owner), (virt, "two", "one"))
        general = pfm.malloc(64)
        refused(pfm, ForeignFreeError, two.free, general)
        refused(pfm, ObjectStateError, two.free, virt + 16)
        for thing in (None, 1.0, "a", True):
            refused(pfm, TypeError, two.free, thing)
        one.free(virt)
        pfm.mfree(general)


def test_more_caches_than_there_are_classes():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        room = CLASSES - GENERAL - 1
        caches = [Cache(48, "cache {}".format(n), manager=pfm) for n in range(room)]
        objects = [cache.alloc() for cache in caches]
        refused(pfm, CacheNameError, Cache, 48, "one more", manager=pfm)
        for at, cache in enumerate(caches):
            cache.free(objects[at])
            cache.close()
        pfm.drain()
        equal(pfm.check().used, 0)


def test_large_objects():
    for pfm in _each_mode(THREE_ZONES):
        cache = Cache(100000, "large", manager=pfm)
        objects = [cache.alloc() for _ in range(20)]
        refused(pfm, CacheInUseError, cache.close)
        for virt in objects:
            uctypes.bytearray_at(virt, 100000)[99999] = 1
            cache.free(virt)
        cache.close()
        pfm.check()


def test_tag_is_that_of_the_frames():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        cache = Cache(5000, "tagged", tag="tags", manager=pfm)
        virt = cache.alloc()
        equal(pfm.identify(virt).tag, 0x74616773)
        cache.free(virt)


def test_struct_that_finds_no_heap_gives_its_object_back():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        cache = Cache({"id": 0 | uctypes.UINT32}, "nodes", manager=pfm)
        kept = cache.alloc()
        done, _ = with_blocks_left(0, lambda pfm, cache: cache.alloc(), pfm, cache)
        assert not done
        equal(pfm.slabinfo().caches[0].used, 1)
        cache.free(kept)
        pfm.check()


def test_free_of_a_struct_takes_no_heap():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        cache = Cache({"id": 0 | uctypes.UINT32}, "nodes", manager=pfm)
        without_heap(cache.free, cache.alloc())


def test_calls_take_no_heap():
    """Over several refills of the stock."""

    def use(cache):
        for _ in range(3):
            first = cache.alloc()
            second = cache.alloc()
            cache.free(first)
            cache.free(second)

    for pfm in _each_mode():
        cache = Cache(20000, "few at a time", manager=pfm)
        use(cache)
        without_heap(use, cache)
        pfm.check()


def _is_fast(call):
    # The slow one is a method.
    return type(call) is not type(PageFrameManager().init)


def test_which_have_a_fast_path():
    fast = PageFrameManager.fast_path
    for pfm in _each_mode():
        cache = Cache(64, "words", manager=pfm)
        structs = Cache(LAYOUT, "structs", manager=pfm)
        for call in (cache.alloc, cache.free, structs._take, structs._give):
            equal(_is_fast(call), fast and not pfm.debug)
        # They make a struct, and an address of it.
        for call in (structs.alloc, structs.free):
            equal(_is_fast(call), False)


class Counting(Cache):
    """Counts the calls of its overrides."""

    calls = 0

    def alloc(self, tag=0):
        self.calls += 1
        return super().alloc(tag)

    def free(self, thing):
        self.calls += 1
        super().free(thing)


def test_overrides_are_called():
    for pfm in _each_mode():
        for cache in (Counting(64, "words", manager=pfm), Counting(LAYOUT, "nodes", manager=pfm)):
            cache.free(cache.alloc("test"))
            cache.free(cache.alloc())
            equal(cache.calls, 4)
            cache.close()


def test_cache_of_a_class_that_is_taken_again():
    """The next generation of a class: the handle of the one before frees nothing of it."""
    for pfm in _each_mode():
        before = None
        for turn in range(5):
            cache = Cache(64, "turn {}".format(turn), manager=pfm)
            objects = [cache.alloc() for _ in range(100)]
            if before:
                refused(pfm, CacheNameError, before.free, objects[turn])
                refused(pfm, CacheNameError, before.alloc)
            for virt in objects:
                cache.free(virt)
            refused(pfm, DoubleFreeError, cache.free, objects[0])
            cache.close()
            before = cache


def test_list_of_caches_is_locked_while_it_changes():
    with FakeMachine(SMALL_8M) as fake:
        pfm = fake.boot()
        cache = Cache(100, "first", manager=pfm)
        of_list = cache_at(pfm._caches, LIST)
        of_cache = cache_at(pfm._caches, GENERAL + 1)
        for held, call, args in (
            (of_list, Cache, (100, "second", 16, 0, pfm)),
            (of_list, Cache.open, ("first", None, pfm)),
            (of_list, cache.close, ()),
            (of_cache, cache.close, ()),
        ):
            held.lock = 2
            equal(refused(pfm, LockTimeoutError, call, *args).owner, 2)
            held.lock = 0
        Cache(100, "second", manager=pfm).close()
        Cache.open("first", None, pfm).close()


def test_of_a_sandbox_that_is_closed():
    for pfm in _each_mode():
        lab = sandbox(1, pfm)
        cache = Cache(64, "gone", manager=lab)
        virt = cache.alloc()
        lab.close(force=True)
        raises(NotInitialisedError, cache.close)
        if not PageFrameManager.fast_path:
            raises(NotInitialisedError, cache.alloc)
            raises(NotInitialisedError, cache.free, virt)
        pfm.check()


def test_before_init():
    raises(NotInitialisedError, Cache, 16, "early", manager=PageFrameManager())
    raises(NotInitialisedError, Cache.open, "early", manager=PageFrameManager())
