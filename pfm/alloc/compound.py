"""Compound blocks, of which `ref` and `unref` take any frame.

While the block is allocated, each frame after the head is of the kind COMPOUND_TAIL and names
the head in `next`.
"""

import micropython
from micropython import const

from ..array.populate import populate_range

# frame/flags.py
_COMPOUND = const(1 << 5)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_COMPOUND_TAIL = const(5)
_KIND_SHIFT = const(29)
_WORD_NEXT = const(1)


@micropython.viper
def mark_tails(control: int, base: int, pfn: int, count: int):
    """Make the frames after `pfn` tails of its compound block of `count` frames."""
    populate_range(control, base, pfn, pfn + count)
    word = _COMPOUND | int(_COMPOUND_TAIL) << _KIND_SHIFT
    tail = pfn + 1
    end = pfn + count
    while tail < end:
        e = ptr32(base + (tail << _ENTRY_SHIFT))
        e[0] = word
        e[_WORD_NEXT] = pfn
        tail += 1


@micropython.viper
def clear_tails(base: int, pfn: int, count: int):
    """Undo `mark_tails`."""
    tail = pfn + 1
    end = pfn + count
    while tail < end:
        ptr32(base + (tail << _ENTRY_SHIFT))[0] = 0
        tail += 1


@micropython.viper
def head(entry: int, pfn: int) -> int:
    """Return the head that a compound tail names, `pfn` for any other entry."""
    e = ptr32(entry)
    if (int(e[0]) >> _KIND_SHIFT) == _COMPOUND_TAIL:
        return int(e[_WORD_NEXT])
    return pfn
