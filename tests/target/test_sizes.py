"""How much memory the heap and the RAM disk get, of what the command line orders."""

import pyheap
import shares
from ktap import equal

from pfm import PFM, OutOfFramesError
from pfm.address import PAGE_SIZE

FREE = 100000
RESERVE = 2000


class _Free:
    """A manager of which only the free frames count."""

    def __init__(self, frames):
        self._frames = frames

    def count_free(self):
        return (self._frames // 2, self._frames - self._frames // 2, 0)


class _TablesRunOut:
    """PFM, but for page tables: there are no frames left when the heap is mapped."""

    def __init__(self):
        self.space = self
        self.mapped = 0

    def __getattr__(self, name):
        return getattr(PFM, name)

    def reserve(self, pages):
        return PFM.space.reserve(pages)

    def map(self, virt, phys, count, flags):
        self.mapped += count
        raise OutOfFramesError(0, 0, 1, PFM.count_free())


def test_an_order_is_of_whole_frames():
    for size, frames in (1, 1), (PAGE_SIZE, 1), (PAGE_SIZE + 1, 2), (80000 * PAGE_SIZE, 80000):
        equal(shares.ordered(_Free(FREE), size, RESERVE), frames)


def test_an_order_leaves_an_eighth_or_the_reserve():
    for free, reserve, most in (
        (FREE, RESERVE, FREE - FREE // 8),
        (FREE, FREE // 4, FREE * 3 // 4),
        (FREE, FREE, FREE // 4),
        (FREE, 2 * FREE, FREE // 4),
        (0, RESERVE, 0),
    ):
        for size in FREE * PAGE_SIZE, 100 << 30, 10**30:
            equal(shares.ordered(_Free(free), size, reserve), most)


def test_a_heap_that_cannot_be_mapped_leaves_no_frames_lost():
    PFM.drain()
    before = PFM.count_free()
    manager = _TablesRunOut()
    equal(pyheap.grow(manager, 1 << 20), 0)
    PFM.drain()
    equal((manager.mapped, PFM.count_free()), ((1 << 20) // PAGE_SIZE, before))
    PFM.check()
