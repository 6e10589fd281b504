"""No path of alloc and free touches the Python heap: proven with the heap locked."""

from array import array

from allocation import lists, without_heap
from ktap import equal
from maps import SMALL_8M, THREE_ZONES

from pfm import Zone
from pfm.alloc.magazine import MAGAZINE_FRAMES
from pfm.testing import FakeMachine


def _booted(call, machine=THREE_ZONES, debug=False):
    with FakeMachine(machine) as fake:
        pfm = fake.boot(debug)
        before = lists(pfm)
        for _ in range(2):
            # Again, now that the lists have been split and merged.
            without_heap(call, pfm)
        equal(lists(pfm), before)
        pfm.check()


def _blocks(pfm):
    for order in range(11):
        pfm.free(pfm.alloc(order))


def _zones(pfm):
    for zone in range(3):
        pfm.free(pfm.alloc(2, zone))
        pfm.free(pfm.alloc(0, zone))


def _compound(pfm):
    pfn = pfm.alloc(4, None, True, 7, True)
    pfm.ref(pfn + 3)
    pfm.unref(pfn + 5)
    pfm.unref(pfn)


def _magazine(pfm):
    at = 0
    while at < 4 * MAGAZINE_FRAMES:
        _taken[at] = pfm.alloc()
        at += 1
    while at:
        at -= 1
        pfm.free(_taken[at])
    pfm.drain()


def _pages(pfm):
    pfm.free(pfm.alloc_contiguous(100))
    pfm.free(pfm.alloc_contiguous(3, 64, Zone.DMA32, 9000, True, 5))
    pfm.free(pfm.alloc_contiguous(700, 1, Zone.DMA))


def _pages_over_blocks(pfm):
    hold = pfm.alloc_at(1, 510)
    other = pfm.alloc_at(512, 513)
    pfm.free(pfm.alloc_contiguous(400, 1, Zone.DMA, 1540))
    pfm.free(hold)
    pfm.free(other)


def _at(pfm):
    pfm.free(pfm.alloc_at(601, 77))
    pfm.free(pfm.alloc_at(5))


def _many(pfm):
    pfm.alloc_many(_taken)
    pfm.free_many(_taken)
    pfm.alloc_many(_taken, Zone.DMA, 3)
    pfm.free_many(_taken)


def _shared(pfm):
    pfn = pfm.alloc()
    pfm.ref(pfn)
    pfm.unref(pfn)
    pfm.unref(pfn)


def _flags(pfm):
    pfm.set_flags(5, 2)
    pfm.check_flags(5, 2)
    pfm.clear_flags(5, 2)


_taken = array("I", [0] * (4 * MAGAZINE_FRAMES))


def test_blocks():
    _booted(_blocks)


def test_zones():
    _booted(_zones)


def test_compound():
    _booted(_compound)


def test_magazine():
    _booted(_magazine)


def test_pages():
    _booted(_pages)


def test_pages_over_blocks():
    _booted(_pages_over_blocks, SMALL_8M)


def test_at():
    _booted(_at)


def test_many():
    _booted(_many)


def test_shared():
    _booted(_shared)


def test_flags():
    _booted(_flags)


def test_debug_mode():
    for call in (_blocks, _compound, _magazine, _pages, _at, _many, _shared):
        _booted(call, debug=True)
