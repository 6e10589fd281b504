"""Walks over the allocations in the entries: no lock, no Python heap, no trust in the entries.

Frames up to `end` (exclusive) are RAM, and `base` is the array's address as a signed number.  A
walk steps from block to block; a run counts as one.  Where it finds itself inside a block,
because memory changed since it stopped, it goes on at that block's end.  Each step is at least
one frame, so a walk ends whatever the entries contain.
"""

import micropython
from micropython import const

from ..alloc.buddy import head_of

# frame/entry.py
_ENTRY_SHIFT = const(5)
_GRANULE = const(128)
_TAIL = const(0)
_FREE = const(1)
_USED = const(2)
_PART = const(3)
_CACHED = const(4)
_COMPOUND_TAIL = const(5)
_RESERVED = const(6)
_STATE_KIND_SHIFT = const(5)
_ORDER_MASK = const(31)
_STATE_SHIFT = const(24)
_WORD_NEXT = const(1)
_WORD_RC = const(3)
_SHARED_BIT = const(1 << 8)
_RC_SHIFT = const(16)
_WORD_TAG = const(7)

# A walk's cursor: what it looks for (the next frame, the end, a bit for each kind, the tag and
# whether only that one), then what it found.
CURSOR_AT = const(0)
CURSOR_END = const(1)
CURSOR_KINDS = const(2)
CURSOR_TAG = const(3)
CURSOR_TAGGED = const(4)
CURSOR_PFN = const(5)
CURSOR_FRAMES = const(6)
CURSOR_KIND = const(7)
CURSOR_FOUND_TAG = const(8)
CURSOR_RC = const(9)
CURSOR_WORDS = const(10)

# Words of an allocation in a snapshot: its first frame, its frames, its tag.
TAKEN_PFN = const(0)
TAKEN_FRAMES = const(1)
TAKEN_TAG = const(2)
TAKEN_WORDS = const(3)

# Slots of a tally (a tag, or the two halves of a call site; frames; allocations), and how many
# may be filled.
TALLY_SLOTS = const(256)
TALLY_HIGH = const(1)
TALLY_FRAMES = const(2)
TALLY_ALLOCATIONS = const(3)
TALLY_WORDS = const(4)
_TALLY_FULL = const(192)

# alloc/sites.py
_SITE_SHIFT = const(3)

# Words of a longest range: its first frame, its frames.
LONGEST_PFN = const(0)
LONGEST_FRAMES = const(1)
LONGEST_WORDS = const(2)


@micropython.viper
def next_block(base: int, cursor: ptr32) -> int:
    """Find the next allocation or block of a wanted kind and tag; return 1, or 0 at the end.

    Reserved frames in a row count as one block.  Cost: a step per block passed, of reserved
    frames one for each 128 that were never written.
    """
    at = int(cursor[CURSOR_AT])
    end = int(cursor[CURSOR_END])
    kinds = int(cursor[CURSOR_KINDS])
    while at < end:
        e = ptr32(base + (at << _ENTRY_SHIFT))
        state = int(e[0]) >> _STATE_SHIFT
        kind = state >> _STATE_KIND_SHIFT
        size = 1 << (state & _ORDER_MASK)
        if kind == _USED:
            if int(e[_WORD_NEXT]):
                size = int(e[_WORD_NEXT])
        elif kind == _RESERVED:
            size = int(_reserved(base, at, end)) - at
        elif kind == _TAIL or kind == _COMPOUND_TAIL:
            size = 1
            head = int(head_of(base, at))
            if head:
                past = head + (
                    1
                    << (
                        (int(ptr32(base + (head << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT)
                        & _ORDER_MASK
                    )
                )
                if past > at:
                    size = past - at
        if size > end - at:
            size = end - at
        if (kinds >> kind) & 1:
            tag = int(e[_WORD_TAG]) if kind == _USED else 0
            if int(cursor[CURSOR_TAGGED]) == 0 or (
                kind == _USED and tag == int(cursor[CURSOR_TAG])
            ):
                cursor[CURSOR_PFN] = at
                cursor[CURSOR_FRAMES] = size
                cursor[CURSOR_KIND] = kind
                cursor[CURSOR_FOUND_TAG] = tag
                cursor[CURSOR_RC] = int(e[_WORD_RC]) >> _RC_SHIFT if kind == _USED else 0
                cursor[CURSOR_AT] = at + size
                return 1
        at += size
    cursor[CURSOR_AT] = end
    return 0


@micropython.viper
def _reserved(base: int, at: int, end: int) -> int:
    """Return the end of the reserved frames from `at` on."""
    while at < end:
        e = ptr32(base + (at << _ENTRY_SHIFT))
        if (int(e[0]) >> _STATE_SHIFT) >> _STATE_KIND_SHIFT != _RESERVED:
            break
        if (at & (_GRANULE - 1)) == 0 and int(e[_WORD_RC]) & _SHARED_BIT:
            at += _GRANULE
        else:
            at += 1
    return at if at < end else end


@micropython.viper
def tally(base: int, sites: int, cursor: ptr32, table: ptr32) -> int:
    """Count the allocations from the cursor on by tag, in the slot of `table` for each tag.

    With `sites`, the address of the call sites (alloc/sites.py), by call site instead.
    Returns 1 at the end, or 0 when the table must be emptied first.  Cost: a step per block.
    """
    filled = 0
    while filled < _TALLY_FULL:
        if int(next_block(base, int(cursor))) == 0:
            return 1
        low = int(cursor[CURSOR_FOUND_TAG])
        high = 0
        if sites:
            site = ptr32(sites + (int(cursor[CURSOR_PFN]) << _SITE_SHIFT))
            low = int(site[0])
            high = int(site[1])
        slot = (low ^ low >> 8 ^ low >> 16 ^ high) & (TALLY_SLOTS - 1)
        at = slot * TALLY_WORDS
        while int(table[at + TALLY_FRAMES]) and (
            int(table[at]) != low or int(table[at + TALLY_HIGH]) != high
        ):
            slot = (slot + 1) & (TALLY_SLOTS - 1)
            at = slot * TALLY_WORDS
        if int(table[at + TALLY_FRAMES]) == 0:
            table[at] = low
            table[at + TALLY_HIGH] = high
            filled += 1
        table[at + TALLY_FRAMES] = int(table[at + TALLY_FRAMES]) + int(cursor[CURSOR_FRAMES])
        table[at + TALLY_ALLOCATIONS] = int(table[at + TALLY_ALLOCATIONS]) + 1
    return 0


@micropython.viper
def collect(base: int, cursor: ptr32, taken: ptr32, at: int, capacity: int) -> int:
    """Write the allocations from the cursor on to `taken`, from index `at` on; return their number.

    Those beyond `capacity` are counted, not written.  Cost: a step per block.
    """
    while int(next_block(base, int(cursor))):
        if at < capacity:
            word = at * TAKEN_WORDS
            taken[word + TAKEN_PFN] = int(cursor[CURSOR_PFN])
            taken[word + TAKEN_FRAMES] = int(cursor[CURSOR_FRAMES])
            taken[word + TAKEN_TAG] = int(cursor[CURSOR_FOUND_TAG])
        at += 1
    return at


@micropython.viper
def only_in(mine: ptr32, count: int, others: ptr32, other_count: int, found: ptr32) -> int:
    """Write to `found` the indices of those of `mine` that are not in `others`; return how many.

    Both are in the order of their frames.  Cost: a step per allocation of either.
    """
    i = 0
    j = 0
    written = 0
    while i < count:
        at = i * TAKEN_WORDS
        pfn = int(mine[at])
        while j < other_count and int(others[j * TAKEN_WORDS]) < pfn:
            j += 1
        other = j * TAKEN_WORDS
        if (
            j == other_count
            or int(others[other]) != pfn
            or int(others[other + TAKEN_FRAMES]) != int(mine[at + TAKEN_FRAMES])
            or int(others[other + TAKEN_TAG]) != int(mine[at + TAKEN_TAG])
        ):
            found[written] = i
            written += 1
        i += 1
    return written


@micropython.viper
def longest_free(base: int, at: int, end: int, longest: ptr32):
    """Make `longest` the longest range of free frames in `at`..`end`, if it is longer.

    Frames in magazines count as free.  Cost: a step per block.
    """
    begin = at
    while at < end:
        state = int(ptr32(base + (at << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT
        kind = state >> _STATE_KIND_SHIFT
        size = 1
        if kind == _TAIL or kind == _COMPOUND_TAIL:
            # Inside a block at the start of a region, or in a block that changed since.
            head = int(head_of(base, at))
            if head:
                state = int(ptr32(base + (head << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT
                kind = state >> _STATE_KIND_SHIFT
                size = head + (1 << (state & _ORDER_MASK)) - at
                if size < 1:
                    size = 1
        else:
            size = 1 << (state & _ORDER_MASK)
        if size > end - at:
            size = end - at
        at += size
        if kind != _FREE and kind != _CACHED:
            begin = at
        elif at - begin > int(longest[LONGEST_FRAMES]):
            longest[LONGEST_PFN] = begin
            longest[LONGEST_FRAMES] = at - begin
