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
COARSE = (0, 1, 2, 3, 4, 6, 9, 16, 60, 400, 10000)

# Bytes of a block of the collector's heap on a 64-bit machine.
BLOCK = 32

# Sizes to fill with before it is done a block at a time, for speed.
_SIZES = (1 << 16, 1 << 12, 1 << 8)


def _fill():
    kept = ()
    for size in _SIZES:
        try:
            while True:
                kept = (kept, bytearray(size))
        except MemoryError:
            pass
    return kept


def with_blocks_left(blocks, call, pfm, given):
    """Make `call(pfm, given)` with that many blocks in a row left of the heap.

    Returns (True, result), or (False, None) when it raised a MemoryError.
    """
    gc.collect()
    hole = bytearray(blocks * BLOCK) if blocks else None
    answer = [False, None]
    kept = _fill()
    # Here, since a function that returns gives back the blocks of its frame.
    try:
        while True:
            kept = (kept,)
    except MemoryError:
        pass
    del hole
    try:
        answer[1] = call(pfm, given)
        answer[0] = True
    except MemoryError:
        pass
    del kept
    gc.collect()
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
