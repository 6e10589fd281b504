"""What is measured, on the unix port and on the target: rows of `measure.Figure`."""

import gc

from pfm.testing import ffi

from .calls import call_rows
from .copies import copy_rows
from .flagrows import batch_rows, flag_rows
from .inits import inits, large_inits

SIZES = (1 << 16, 1 << 19, 1 << 22, 1 << 24)
# Locks cost the target a few microseconds a frame under TCG.
_FLAG_SIZES = SIZES if ffi else SIZES[:2]


def _steps():
    for frames in SIZES:
        yield lambda: inits(frames)
    yield large_inits
    for frames in _FLAG_SIZES:
        yield lambda: flag_rows(frames)
    for frames in (SIZES[0], SIZES[-1]):
        yield lambda: batch_rows(frames)
        yield lambda: call_rows(frames)
    yield copy_rows


def rows():
    """Yield every row."""
    for step in _steps():
        gc.collect()
        yield from step()
