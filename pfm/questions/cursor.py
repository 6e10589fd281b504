"""A walk over the allocations of a manager, span by span, for the questions."""

from array import array

from ..address import PFN_LIMIT
from ..frame.entry import USED
from ..report.report import spans
from .loops import (
    CURSOR_AT,
    CURSOR_END,
    CURSOR_KINDS,
    CURSOR_TAG,
    CURSOR_TAGGED,
    CURSOR_WORDS,
)

WORD_SIZE = 4

ALLOCATIONS = 1 << USED


def words(count):
    """Return `count` 32-bit words of zero for a viper function."""
    return array("I", bytes(count * WORD_SIZE))


def cursors(manager, kinds, tag=None, low=0, high=PFN_LIMIT):
    """Yield a cursor of loops.py at the start of each span of RAM in the frames `low`..`high`.

    `kinds` has a bit for each kind wanted; `tag` is the number of the tag wanted, None for any.
    It is the same array each time.
    """
    cursor = words(CURSOR_WORDS)
    cursor[CURSOR_KINDS] = kinds
    if tag is not None:
        cursor[CURSOR_TAG] = tag
        cursor[CURSOR_TAGGED] = 1
    for start, end in spans(manager.regions, low, high):
        cursor[CURSOR_AT] = start
        cursor[CURSOR_END] = end
        yield cursor
