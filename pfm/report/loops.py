"""Counting walks over the entries, for reports: no lock, no Python heap, no trust in the entries.

Frames `at`..`end` (exclusive) are RAM.  `base` is the array's address as a signed number.  A
walk steps from head to head; if it begins inside a block, it looks for that block's head
first, and a frame in no block counts as TAIL.  Each step is at least one frame, so a walk ends
whatever the entries contain.  A shared page of the array (array/populate.py) has 128 identical
entries: one step, or none where it is inside a block.
"""

import micropython
from micropython import const

from ..alloc.buddy import head_of

# frame/flags.py
_FLAGS_MASK = const(0xFFFF)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_ENTRY_WORDS = const(8)
_GRANULE = const(128)
_FREE = const(1)
_CACHED = const(4)
_COMPOUND_TAIL = const(5)
_RESERVED = const(6)
_STATE_KIND_SHIFT = const(5)
_ORDER_MASK = const(31)
_STATE_SHIFT = const(24)
_KIND_SHIFT = const(29)
_WORD_RC = const(3)
_SHARED_BIT = const(1 << 8)

# Words of a census: frames of each kind, then free blocks of each order that 5 bits can hold.
CENSUS_KINDS = const(8)
CENSUS_WORDS = const(8 + 32)

# Slots of a tally table, pairs of a key and its count, and how many may be filled.
TALLY_SLOTS = const(512)
_TALLY_FULL = const(384)
# A tally's cursor: next frame, end, end of the current block, that block's kind, slots filled.
CURSOR_AT = const(0)
CURSOR_END = const(1)
CURSOR_BLOCK_END = const(2)
CURSOR_BLOCK_KIND = const(3)
CURSOR_FILLED = const(4)
CURSOR_WORDS = const(5)
# A key is (kind << TALLY_KIND_SHIFT | flags) + 1.
TALLY_KIND_SHIFT = const(16)


@micropython.viper
def inside_of(base: int, at: int) -> int:
    """Return kind << 32 | end of the block that the frame `at` is inside of.

    Returns 0 if it is a head or in no block.
    """
    head = int(head_of(base, at))
    if head == 0 or head == at:
        return 0
    state = int(ptr32(base + (head << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT
    return (state >> _STATE_KIND_SHIFT) << 32 | head + (1 << (state & _ORDER_MASK))


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
        e = ptr32(base + (at << _ENTRY_SHIFT))
        state = int(e[0]) >> _STATE_SHIFT
        kind = state >> _STATE_KIND_SHIFT
        size = 1
        if kind == _RESERVED:
            if (at & (_GRANULE - 1)) == 0 and int(e[_WORD_RC]) & _SHARED_BIT:
                size = _GRANULE
        elif kind:
            size = 1 << (state & _ORDER_MASK)
        if size > end - at:
            size = end - at
        counts[kind] = int(counts[kind]) + size
        if kind == _FREE:
            slot = CENSUS_KINDS + (state & _ORDER_MASK)
            counts[slot] = int(counts[slot]) + 1
        at += size


@micropython.viper
def free_by_cell(base: int, at: int, end: int, origin: int, shift: int, cells: ptr32):
    """Add the free frames of `at`..`end` to `cells`, one per 2**`shift` frames from `origin` on.

    Cost: a step per block and per cell.
    """
    inside = int(inside_of(base, at))
    while at < end:
        if inside:
            kind = inside >> 32
            stop = inside - (kind << 32)
            inside = 0
        else:
            e = ptr32(base + (at << _ENTRY_SHIFT))
            state = int(e[0]) >> _STATE_SHIFT
            kind = state >> _STATE_KIND_SHIFT
            stop = at + 1
            if kind == _RESERVED:
                if (at & (_GRANULE - 1)) == 0 and int(e[_WORD_RC]) & _SHARED_BIT:
                    stop = at + _GRANULE
            elif kind:
                stop = at + (1 << (state & _ORDER_MASK))
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
    """Count frames by kind and flags, in the slot of `table` for the key (kind << 16 | flags) + 1.

    A frame inside a block has its head's kind and its own flags.  Continues at `cursor`, and
    returns 1 at its end, or 0 when the table must be emptied first (with the number of slots
    filled in `cursor`).  Cost: a step per frame.
    """
    at = int(cursor[CURSOR_AT])
    end = int(cursor[CURSOR_END])
    block_end = int(cursor[CURSOR_BLOCK_END])
    block_kind = int(cursor[CURSOR_BLOCK_KIND])
    filled = int(cursor[CURSOR_FILLED])
    e = ptr32(base + (at << _ENTRY_SHIFT))
    i = 0
    while at < end and filled < _TALLY_FULL:
        word = int(e[i])
        kind = word >> _KIND_SHIFT
        if kind == 0:
            if at < block_end:
                kind = block_kind
        elif kind != _COMPOUND_TAIL:
            block_kind = kind
            block_end = at + (1 << ((word >> _STATE_SHIFT) & _ORDER_MASK))
        key = (kind << TALLY_KIND_SHIFT | (word & _FLAGS_MASK)) + 1
        begin = at
        if (
            (at & (_GRANULE - 1)) == 0
            and int(e[i + _WORD_RC]) & _SHARED_BIT
            and at + _GRANULE <= end
        ):
            at += _GRANULE
            i += _GRANULE * _ENTRY_WORDS
        else:
            at += 1
            i += _ENTRY_WORDS
        # Frames that follow in the same block with the same flags count with this one.
        same = word & _FLAGS_MASK
        if kind == block_kind:
            stop = block_end
            if stop > end:
                stop = end
            while at < stop and int(e[i]) == same:
                if (
                    (at & (_GRANULE - 1)) == 0
                    and int(e[i + _WORD_RC]) & _SHARED_BIT
                    and at + _GRANULE <= stop
                ):
                    at += _GRANULE
                    i += _GRANULE * _ENTRY_WORDS
                else:
                    at += 1
                    i += _ENTRY_WORDS
        slot = ((key ^ key >> 7) & (TALLY_SLOTS - 1)) << 1
        while int(table[slot]) != key and int(table[slot]) != 0:
            slot = (slot + 2) & (TALLY_SLOTS * 2 - 1)
        if int(table[slot]) == 0:
            table[slot] = key
            filled += 1
        table[slot + 1] = int(table[slot + 1]) + at - begin
    cursor[CURSOR_AT] = at
    cursor[CURSOR_BLOCK_END] = block_end
    cursor[CURSOR_BLOCK_KIND] = block_kind
    cursor[CURSOR_FILLED] = filled
    return 1 if at >= end else 0


@micropython.viper
def first_with(base: int, at: int, end: int, flags: int) -> int:
    """Return the first frame of `at`..`end` whose entry has all of `flags`, else `end`."""
    e = ptr32(base + (at << _ENTRY_SHIFT))
    i = 0
    while at < end and (int(e[i]) & flags) != flags:
        if (
            (at & (_GRANULE - 1)) == 0
            and int(e[i + _WORD_RC]) & _SHARED_BIT
            and at + _GRANULE <= end
        ):
            at += _GRANULE
            i += _GRANULE * _ENTRY_WORDS
        else:
            at += 1
            i += _ENTRY_WORDS
    return at


@micropython.viper
def first_without(base: int, at: int, end: int, flags: int) -> int:
    """Return the first frame of `at`..`end` whose entry lacks one of `flags`, else `end`."""
    e = ptr32(base + (at << _ENTRY_SHIFT))
    i = 0
    while at < end and (int(e[i]) & flags) == flags:
        if (
            (at & (_GRANULE - 1)) == 0
            and int(e[i + _WORD_RC]) & _SHARED_BIT
            and at + _GRANULE <= end
        ):
            at += _GRANULE
            i += _GRANULE * _ENTRY_WORDS
        else:
            at += 1
            i += _ENTRY_WORDS
    return at
