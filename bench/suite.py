"""The rows of the benchmark, on the unix port and on the target, as `measure.Figure`."""

import gc

from .calls import call_rows
from .copies import copy_rows
from .flagrows import batch_rows, flag_rows
from .inits import inits, large_inits
from .questionrows import question_rows, sandbox_rows

SIZES = (1 << 16, 1 << 19, 1 << 22, 1 << 24)


def rows():
    """Yield every row."""
    # Write the heap once, so that the host does not have to back it during a measurement.
    bytearray(gc.mem_free() * 3 // 4)
    for frames in SIZES:
        yield from _step(inits, frames)
    yield from _step(large_inits)
    for frames in SIZES:
        yield from _step(flag_rows, frames)
    for frames in (SIZES[0], SIZES[-1]):
        yield from _step(batch_rows, frames)
        yield from _step(call_rows, frames)
        yield from _step(question_rows, frames)
    yield from _step(sandbox_rows)
    yield from _step(copy_rows)


def _step(measured, *frames):
    gc.collect()
    return measured(*frames)
