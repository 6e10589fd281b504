"""pfm/fastpath/objects.py: which cases are left to the slow path."""

from fastpaths import FastPaths
from ktap import equal, raises
from maps import SMALL_8M

from pfm import ArgumentError, Cache, DoubleFreeError, ForeignFreeError
from pfm.fastpath import objects
from pfm.testing import FakeMachine

ONE_PATH = "the fast paths are called by themselves"

SIZE = 40
# slab/classes.py
STOCK_OBJECTS = 64


def test_objects_are_left_when_the_stock_is_empty_or_full():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        fast = FastPaths(objects, pfm)
        virt, left = fast.call("malloc", SIZE)
        equal(left, True)
        other, left = fast.call("malloc", SIZE)
        equal(left, False)
        for each in (virt, other):
            equal(fast.call("mfree", each), (None, False))
        taken = [pfm.malloc(SIZE) for _ in range(2 * STOCK_OBJECTS)]
        assert True in [fast.call("mfree", each)[1] for each in taken]
        pfm.check()


def test_other_arguments_are_left():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        fast = FastPaths(objects, pfm)
        for size, error in ((0, ArgumentError), (1 << 70, ArgumentError), ("40", TypeError)):
            raises(error, fast.call, "malloc", size)
            equal(fast.left, ["malloc"])
        raises(TypeError, fast.call, "mfree", "40")
        equal(fast.left, ["mfree"])
        virt, left = fast.call("malloc", SIZE, 7)
        equal(left, True)
        pfm.mfree(virt)
        pfm.check()


def test_wrong_frees_are_left():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        fast = FastPaths(objects, pfm)
        virt = pfm.malloc(SIZE)
        pfm.mfree(virt)
        raises(DoubleFreeError, fast.call, "mfree", virt)
        equal(fast.left, ["mfree"])
        cache = Cache(SIZE, "fast", manager=pfm)
        virt = cache.alloc()
        raises(ForeignFreeError, fast.call, "mfree", virt)
        equal(fast.left, ["mfree"])
        cache.free(virt)
        cache.close()
        pfm.check()


def test_cache():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        cache = Cache(SIZE, "fast", manager=pfm)
        left = []

        def slow_alloc(tag=0):
            left.append("alloc")
            return cache._take_any(tag)

        def slow_free(virt):
            left.append("free")
            cache._give_any(virt)

        slow = cache._number, cache._generation, slow_alloc, slow_free
        alloc, free = objects.cache_calls(pfm, *slow)
        taken = [alloc(), alloc()]
        equal(left, ["alloc"])
        for virt in taken:
            free(virt)
        equal(left, ["alloc"])
        raises(DoubleFreeError, free, taken[0])
        equal(left, ["alloc", "free"])
        pfm.fast_path = False
        equal(objects.cache_calls(pfm, *slow), (slow_alloc, slow_free))
        cache.close()
        pfm.check()
