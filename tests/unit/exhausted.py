"""The Python heap filled up, for tests that run on both ports: all of it is taken but for a hole of a given size."""

import gc

# Bytes of a block of the collector's heap on a 64-bit machine.
BLOCK = 32

# Sizes to fill with: large ones for speed, then a block at a time.
_SIZES = (1 << 16, 1 << 12, 1 << 8)


def _fill():
    kept = ()
    for size in _SIZES:
        try:
            while True:
                kept = (kept, bytearray(size))
        except MemoryError:
            pass
    try:
        while True:
            kept = (kept,)
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
    del hole
    try:
        answer[1] = call(pfm, given)
        answer[0] = True
    except MemoryError:
        pass
    del kept
    gc.collect()
    return answer
