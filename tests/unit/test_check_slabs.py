"""pfm/check/slabs.py: the invariants of slabs, caches and stocks broken on purpose."""

import uctypes
from allocation import entry
from breaking import all_are_broken, break_and_check, poke, same
from ktap import equal, raises
from maps import SMALL_8M

from pfm import InvariantError
from pfm.control import STOCK_SHIFT
from pfm.slab.caches import cache_at
from pfm.slab.classes import class_of
from pfm.slab.slabs import END
from pfm.testing import FakeMachine


def _slab(pfm):
    """Return the frame of a slab of two objects in use, of malloc(1024)."""
    virt = pfm.malloc(1024)
    pfm.malloc(1024)
    return pfm.as_phys(virt) >> 12


def _cache(pfm):
    return cache_at(pfm._caches, class_of(1024))


def _stock(pfm):
    return struct_of(pfm._stocks + (class_of(1024) << STOCK_SHIFT))


def struct_of(virt):
    return uctypes.struct(virt, {"first": 0 | uctypes.UINT64, "count": 8 | uctypes.UINT32})


def _drained(pfm):
    """Return the frame of such a slab whose other two objects are on its own list."""
    pfn = _slab(pfm)
    pfm._trim()
    return pfn


def test_slab_class():
    for number in (0, 100, 128, 255):
        break_and_check("slab-class", same, poke("size_class", number), prepare=_slab)


def test_slab_objects():
    def lose(pfm, pfn):
        entry(pfm, pfn).freelist_va = END

    def inside(pfm, pfn):
        entry(pfm, pfn).freelist_va += 16

    def unmarked(pfm, pfn):
        free = uctypes.struct(entry(pfm, pfn).freelist_va, {"mark": 8 | uctypes.UINT32})
        free.mark ^= 1

    def circle(pfm, pfn):
        first = entry(pfm, pfn).freelist_va
        struct_of(first).first = first

    for change in (lose, inside, unmarked, circle, poke("rc", 3), poke("rc", 5)):
        break_and_check("slab-objects", same, change, prepare=_drained)


def test_slab_objects_with_frames_of_their_own():
    def large(pfm):
        return pfm.as_phys(pfm.malloc(40000)) >> 12

    break_and_check("slab-objects", same, poke("rc", 3), prepare=large)
    break_and_check("slab-objects", same, poke("freelist_va", 4096), prepare=large)


def test_slab_list():
    def drop(pfm, pfn):
        _cache(pfm).partial = 0

    def circle(pfm, pfn):
        entry(pfm, pfn).prev = pfn

    def other(pfm, pfn):
        _cache(pfm).partial = pfm.as_phys(pfm.malloc(64)) >> 12

    break_and_check("slab-list", "malloc 1024", drop, prepare=_drained)
    break_and_check("slab-list", same, circle, prepare=_drained)
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        other(pfm, _drained(pfm))
        equal(raises(InvariantError, pfm.check).invariant, "slab-list")


def test_slab_counts():
    for field in ("slabs", "partials", "empty", "taken"):

        def count(pfm, pfn, field=field):
            cache = _cache(pfm)
            setattr(cache, field, getattr(cache, field) + 1)

        break_and_check("slab-counts", "malloc 1024", count, prepare=_drained)


def test_stock():
    def overflow(pfm, pfn):
        _stock(pfm).count = 65

    def drop(pfm, pfn):
        _stock(pfm).count -= 1

    def used(pfm, pfn):
        _stock(pfm).first = pfm.as_virt(pfn << 12) + 2 * 1024

    def circle(pfm, pfn):
        first = _stock(pfm).first
        struct_of(first).first = first

    break_and_check("stock", "malloc 1024", overflow, prepare=_slab)
    for change in (drop, used, circle):
        with FakeMachine(SMALL_8M) as machine:
            pfm = machine.boot()
            change(pfm, _slab(pfm))
            equal(raises(InvariantError, pfm.check).invariant, "stock")


def test_zz_every_invariant_has_been_broken():
    # Tests run in the order of their names, so this one is the last.
    all_are_broken("slab-class")
