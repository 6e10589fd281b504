"""What is measured, on the unix port and on the target: rows of `measure.Figure`."""

import gc

from .calls import call_rows
from .copies import copy_rows
from .flagrows import batch_rows, flag_rows
from .inits import inits, large_inits

SIZES = (1 << 16, 1 << 19, 1 << 22, 1 << 24)


def rows():
    """Yield every row."""
    # Written once, the heap has its memory: the host gives none while something is timed.
    bytearray(gc.mem_free() * 3 // 4)
    for frames in SIZES:
        yield from _step(inits, frames)
    yield from _step(large_inits)
    for frames in SIZES:
        yield from _step(flag_rows, frames)
    for frames in (SIZES[0], SIZES[-1]):
        yield from _step(batch_rows, frames)
        yield from _step(call_rows, frames)
    yield from _step(copy_rows)


def _step(measured, *frames):
    gc.collect()
    return measured(*frames)
