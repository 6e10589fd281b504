"""Counting walks over the entries, for reports: no lock, no Python heap, and no trust in what they read.

Frames `at`..`end` (exclusive) are RAM.  `base` is the array's address as a
signed number.  A walk steps from head to head; where it begins inside a block
it looks for that block's head first, and a frame that no head speaks for
counts as TAIL.  Each step is one frame at least, so a walk ends whatever the
entries say.  A page of the array that stands for many (see backing.py) has 128
entries that say the same: one step, and none where it is inside a block.
"""

import micropython
from micropython import const

from .buddy import holder

# frame.py
_FREE = const(1)
_CACHED = const(4)
_COMPOUND_TAIL = const(5)
_RESERVED = const(6)
# In an entry's fourth word.
_SHARED = const(1 << 8)
_GRANULE = const(128)

# Words of a census: frames of each kind, then heads of free blocks of each order that 5 bits hold.
CENSUS_KINDS = const(8)
CENSUS_WORDS = const(8 + 32)

# A tally table's slots, pairs of a key and its count, and how many of them are filled at most.
TALLY_SLOTS = const(512)
_TALLY_FULL = const(384)
# A tally's cursor: next frame, end, end of the block that it is in, that block's kind, slots filled.
CURSOR_WORDS = const(5)


@micropython.viper
def inside_of(base: int, at: int) -> int:
    """Return kind << 32 | end of the block that the frame `at` is inside of, 0 where it is a head or in none."""
    head = int(holder(base, at))
    if head == 0 or head == at:
        return 0
    state = int(ptr32(base + (head << 5))[0]) >> 24
    return (state >> 5) << 32 | head + (1 << (state & 31))


@micropython.viper
def census(base: int, at: int, end: int, counts: ptr32):
    """Add the frames `at`..`end` to `counts`, CENSUS_WORDS long.  Cost: a step per block."""
    inside = int(inside_of(base, at))
    if inside:
        kind = inside >> 32
        stop = inside - (kind << 32)
        if stop > end:
            stop = end
        counts[kind] = int(counts[kind]) + stop - at
        at = stop
    while at < end:
        e = ptr32(base + (at << 5))
        state = int(e[0]) >> 24
        kind = state >> 5
        size = 1
        if kind == _RESERVED:
            if (at & (_GRANULE - 1)) == 0 and int(e[3]) & _SHARED:
                size = _GRANULE
        elif kind:
            size = 1 << (state & 31)
        if size > end - at:
            size = end - at
        counts[kind] = int(counts[kind]) + size
        if kind == _FREE:
            slot = CENSUS_KINDS + (state & 31)
            counts[slot] = int(counts[slot]) + 1
        at += size


@micropython.viper
def free_by_cell(base: int, at: int, end: int, origin: int, shift: int, cells: ptr32):
    """Add the free frames among `at`..`end` to `cells`, one for each 2**`shift` frames from `origin` on.

    Cost: a step per block and per cell.
    """
    inside = int(inside_of(base, at))
    while at < end:
        if inside:
            kind = inside >> 32
            stop = inside - (kind << 32)
            inside = 0
        else:
            e = ptr32(base + (at << 5))
            state = int(e[0]) >> 24
            kind = state >> 5
            stop = at + 1
            if kind == _RESERVED:
                if (at & (_GRANULE - 1)) == 0 and int(e[3]) & _SHARED:
                    stop = at + _GRANULE
            elif kind:
                stop = at + (1 << (state & 31))
        if stop > end:
            stop = end
        if kind != _FREE and kind != _CACHED:
            at = stop
        while at < stop:
            cell = (at - origin) >> shift
            bound = origin + ((cell + 1) << shift)
            if bound > stop:
                bound = stop
            cells[cell] = int(cells[cell]) + bound - at
            at = bound


@micropython.viper
def tally(base: int, cursor: ptr32, table: ptr32) -> int:
    """Count frames by kind and flags: add to the slot of key = (kind << 16 | flags) + 1 in `table`.

    A frame inside a block has its head's kind and its own flags.  Goes on from
    `cursor`, and returns 1 at its end, or 0 when the table must be emptied first
    (with the number of slots filled in `cursor`).  Cost: a step per frame.
    """
    at = int(cursor[0])
    end = int(cursor[1])
    block_end = int(cursor[2])
    block_kind = int(cursor[3])
    filled = int(cursor[4])
    e = ptr32(base + (at << 5))
    i = 0
    while at < end and filled < _TALLY_FULL:
        word = int(e[i])
        kind = word >> 29
        if kind == 0:
            if at < block_end:
                kind = block_kind
        elif kind != _COMPOUND_TAIL:
            block_kind = kind
            block_end = at + (1 << ((word >> 24) & 31))
        key = (kind << 16 | (word & 0xFFFF)) + 1
        begin = at
        if (at & (_GRANULE - 1)) == 0 and int(e[i + 3]) & _SHARED and at + _GRANULE <= end:
            at += _GRANULE
            i += _GRANULE * 8
        else:
            at += 1
            i += 8
        # What follows inside the same block with the same flags, and no head.
        same = word & 0xFFFF
        if kind == block_kind:
            stop = block_end
            if stop > end:
                stop = end
            while at < stop and int(e[i]) == same:
                if (
                    (at & (_GRANULE - 1)) == 0
                    and int(e[i + 3]) & _SHARED
                    and at + _GRANULE <= stop
                ):
                    at += _GRANULE
                    i += _GRANULE * 8
                else:
                    at += 1
                    i += 8
        slot = ((key ^ key >> 7) & (TALLY_SLOTS - 1)) << 1
        while int(table[slot]) != key and int(table[slot]) != 0:
            slot = (slot + 2) & (TALLY_SLOTS * 2 - 1)
        if int(table[slot]) == 0:
            table[slot] = key
            filled += 1
        table[slot + 1] = int(table[slot + 1]) + at - begin
    cursor[0] = at
    cursor[2] = block_end
    cursor[3] = block_kind
    cursor[4] = filled
    return 1 if at >= end else 0


@micropython.viper
def first_with(base: int, at: int, end: int, flags: int) -> int:
    """Return the first frame of `at`..`end` whose entry has all of `flags`, else `end`."""
    e = ptr32(base + (at << 5))
    i = 0
    while at < end and (int(e[i]) & flags) != flags:
        if (at & (_GRANULE - 1)) == 0 and int(e[i + 3]) & _SHARED and at + _GRANULE <= end:
            at += _GRANULE
            i += _GRANULE * 8
        else:
            at += 1
            i += 8
    return at


@micropython.viper
def first_without(base: int, at: int, end: int, flags: int) -> int:
    """Return the first frame of `at`..`end` whose entry lacks one of `flags`, else `end`."""
    e = ptr32(base + (at << 5))
    i = 0
    while at < end and (int(e[i]) & flags) == flags:
        if (at & (_GRANULE - 1)) == 0 and int(e[i + 3]) & _SHARED and at + _GRANULE <= end:
            at += _GRANULE
            i += _GRANULE * 8
        else:
            at += 1
            i += 8
    return at
