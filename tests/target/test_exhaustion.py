"""Running out of frames and of heap is an error that one goes on after, time and again."""

import gc

from ktap import equal, raises

from pfm import PFM, OutOfFramesError
from pfm.alloc.zone import ORDER_MAX

TIMES = 1000

# A list of this many blocks is more than any machine's free memory makes.
BLOCKS_MAX = 1 << 12

# Blocks of 1 MiB and more are taken once, so that a machine of any size is exhausted as fast.
LARGE = 8


def _take_all(orders, blocks):
    """Allocate every free block of these orders into the list `blocks`; return how many."""
    count = 0
    for order in orders:
        try:
            while True:
                blocks[count] = PFM.alloc(order)
                count += 1
        except OutOfFramesError as error:
            equal(error.order, order)
    return count


def _free_all(blocks, count):
    for i in range(count):
        PFM.free(blocks[i])


def test_running_out_of_frames():
    PFM.drain()
    before = PFM.count_free()
    large = [0] * BLOCKS_MAX
    small = [0] * BLOCKS_MAX
    large_count = _take_all(range(ORDER_MAX, LARGE - 1, -1), large)
    for _ in range(TIMES):
        count = _take_all(range(LARGE - 1, -1, -1), small)
        error = raises(OutOfFramesError, PFM.alloc_contiguous, 2)
        assert isinstance(error, MemoryError)
        equal(sum(error.free), sum(PFM.count_free()))
        _free_all(small, count)
    _free_all(large, large_count)
    PFM.drain()
    equal(PFM.count_free(), before)


def test_asking_for_more_heap_than_there_is():
    before = bytes(1 << 16)
    for _ in range(TIMES // 2):
        raises(MemoryError, bytearray, 1 << 50)
        raises(MemoryError, lambda: [None] * (1 << 45))
    equal(before, bytes(1 << 16))
    gc.collect()
