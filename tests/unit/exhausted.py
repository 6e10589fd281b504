"""The Python heap filled up, for tests that run on both ports: all of it is taken but for a hole of a given size."""

import gc

from calls import signature
from ktap import equal

# Blocks left of the heap, from none to more than any call takes.
BLOCKS = tuple(range(12)) + (
    14,
    17,
    20,
    24,
    30,
    40,
    60,
    100,
    150,
    250,
    400,
    700,
    1200,
    2500,
    5000,
    10000,
)

# Fewer, where a round costs more or is one of many.
COARSE = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 60, 10000)

# Bytes of a block of the collector's heap on a 64-bit machine.
BLOCK = 32

# Bytes of the pieces that the heap is filled with, before blocks are taken one by one.
_SIZES = (1 << 20, 1 << 16, 1 << 12, 1 << 10)

# The most pieces and blocks: twice what the unit tests were seen to need, most of it for holes of earlier tests.
_PIECES_MAX = 1 << 14


def _fill(kept):
    """Put pieces into the list `kept` until the heap has no room for the smallest; return how many."""
    at = 0
    for size in _SIZES:
        try:
            while True:
                kept[at] = bytearray(size)
                at += 1
        except MemoryError:
            pass
    return at


def with_blocks_left(blocks, call, pfm, given):
    """Make `call(pfm, given)` with that many blocks in a row left of the heap.

    Returns (True, result), or (False, None) when it raised a MemoryError.
    """
    gc.collect()
    answer = [False, None]
    kept = [None] * _PIECES_MAX
    hole = bytearray(blocks * BLOCK) if blocks else None
    # Nothing can be collected before the heap is full, and each MemoryError would try several times.
    gc.disable()
    try:
        at = _fill(kept)
        # The errors so far were objects on the heap, to be collected; twice, since the collector
        # may take something on the stack for a reference.  Not in a function, whose frame would
        # be given back in the end.
        for _ in range(2):
            gc.collect()
            try:
                while True:
                    kept[at] = (at,)
                    at += 1
            except MemoryError:
                pass
        gc.enable()
        del hole
        try:
            answer[1] = call(pfm, given)
            answer[0] = True
        except MemoryError:
            pass
    finally:
        # One by one: the collector may take something on the stack for a reference to the list.
        at = _PIECES_MAX
        while at:
            at -= 1
            kept[at] = None
        gc.enable()
    return answer


def sweep(pfm, call, sizes=BLOCKS):
    """Make a `calls.Call` with more and more of the heap left, until it succeeds; return how often it failed.

    A failure is a MemoryError that changed nothing.
    """
    before = signature(pfm)
    failed = 0
    for blocks in sizes:
        given = call.given(pfm)
        prepared = signature(pfm)
        done, result = with_blocks_left(blocks, call.run, pfm, given)
        if not done:
            equal(signature(pfm), prepared)
        call.clean(pfm, given, done, result)
        result = None
        equal(signature(pfm), before)
        if done:
            return failed
        failed += 1
    raise AssertionError("{} takes more than {} blocks".format(call.name, sizes[-1]))
