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

# A walk's cursor: the next frame, the end, a bit for each kind that is wanted, the tag, and
# whether only that one is.
CURSOR_AT = const(0)
CURSOR_END = const(1)
CURSOR_KINDS = const(2)
CURSOR_TAG = const(3)
CURSOR_TAGGED = const(4)
CURSOR_WORDS = const(5)

# Words of what it finds: the first frame, the number of frames, the tag, and the kind and the
# references as kind << FOUND_KIND_SHIFT | rc.
FOUND_PFN = const(0)
FOUND_FRAMES = const(1)
FOUND_TAG = const(2)
FOUND_KIND_RC = const(3)
FOUND_WORDS = const(4)
FOUND_KIND_SHIFT = const(16)

# Slots of a tally: a tag, or the two halves of a call site; frames; allocations.
TALLY_SLOTS = const(512)
TALLY_HIGH = const(1)
TALLY_FRAMES = const(2)
TALLY_ALLOCATIONS = const(3)
TALLY_WORDS = const(4)
# Blocks that are found at once, and slots that may be filled before those are counted.
BATCH = const(128)
TALLY_FULL = const(256)

# alloc/sites.py
_SITE_SHIFT = const(3)

# Words of a longest range: its first frame, its frames.
LONGEST_PFN = const(0)
LONGEST_FRAMES = const(1)
LONGEST_WORDS = const(2)


@micropython.viper
def walk(base: int, cursor: ptr32, found: ptr32, room: int) -> int:
    """Write the next blocks of a wanted kind and tag to `found`, at most `room`; return how many.

    An allocated run is one block, and so are reserved frames in a row.  0 is the end.  Cost: a
    step per block passed, of reserved frames one for each 128 that were never written.
    """
    at = int(cursor[CURSOR_AT])
    end = int(cursor[CURSOR_END])
    kinds = int(cursor[CURSOR_KINDS])
    wanted = int(cursor[CURSOR_TAG])
    tagged = int(cursor[CURSOR_TAGGED])
    count = 0
    i = 0
    while at < end and count < room:
        e = ptr32(base + (at << _ENTRY_SHIFT))
        state = int(e[0]) >> _STATE_SHIFT
        kind = state >> _STATE_KIND_SHIFT
        size = 1 << (state & _ORDER_MASK)
        tag = 0
        references = 0
        if kind == _USED:
            if int(e[_WORD_NEXT]):
                size = int(e[_WORD_NEXT])
            tag = int(e[_WORD_TAG])
            references = int(e[_WORD_RC]) >> _RC_SHIFT
        elif kind == _RESERVED:
            size = int(_reserved(base, at, end)) - at
        elif kind == _TAIL or kind == _COMPOUND_TAIL:
            size = int(_rest(base, at))
        if size > end - at:
            size = end - at
        if (kinds >> kind) & 1 and (tagged == 0 or (kind == _USED and tag == wanted)):
            found[i] = at
            found[i + FOUND_FRAMES] = size
            found[i + FOUND_TAG] = tag
            found[i + FOUND_KIND_RC] = kind << FOUND_KIND_SHIFT | references
            i += FOUND_WORDS
            count += 1
        at += size
    cursor[CURSOR_AT] = at
    return count


@micropython.viper
def _rest(base: int, at: int) -> int:
    """Return how many frames of its block there are from the frame `at`, no head, on."""
    head = int(head_of(base, at))
    if head == 0:
        return 1
    state = int(ptr32(base + (head << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT
    size = head + (1 << (state & _ORDER_MASK)) - at
    return size if size > 0 else 1


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
def tally(sites: int, found: ptr32, count: int, table: ptr32) -> int:
    """Count `count` found allocations, at most BATCH, by tag in `table`; return the slots filled.

    With `sites`, the address of the call sites (alloc/sites.py), by call site instead.  Cost: a
    step per allocation.
    """
    filled = 0
    i = 0
    while count:
        low = int(found[i + FOUND_TAG])
        high = 0
        if sites:
            site = ptr32(sites + (int(found[i]) << _SITE_SHIFT))
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
        table[at + TALLY_FRAMES] = int(table[at + TALLY_FRAMES]) + int(found[i + FOUND_FRAMES])
        table[at + TALLY_ALLOCATIONS] = int(table[at + TALLY_ALLOCATIONS]) + 1
        i += FOUND_WORDS
        count -= 1
    return filled


@micropython.viper
def total(found: ptr32, count: int) -> int:
    """Return the sum of the frames of `count` found blocks."""
    frames = 0
    i = 0
    while count:
        frames += int(found[i + FOUND_FRAMES])
        i += FOUND_WORDS
        count -= 1
    return frames


@micropython.viper
def only_in(mine: ptr32, count: int, others: ptr32, other_count: int, found: ptr32) -> int:
    """Write to `found` the indices of those of `mine` that are not in `others`; return how many.

    Both are in the order of their frames.  Cost: a step per allocation of either.
    """
    i = 0
    j = 0
    written = 0
    while i < count:
        at = i * FOUND_WORDS
        pfn = int(mine[at])
        while j < other_count and int(others[j * FOUND_WORDS]) < pfn:
            j += 1
        other = j * FOUND_WORDS
        if (
            j == other_count
            or int(others[other]) != pfn
            or int(others[other + FOUND_FRAMES]) != int(mine[at + FOUND_FRAMES])
            or int(others[other + FOUND_TAG]) != int(mine[at + FOUND_TAG])
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
        size = 1 << (state & _ORDER_MASK)
        if kind == _TAIL or kind == _COMPOUND_TAIL:
            # Inside a block at the start of a region, or in a block that changed since.
            size = int(_rest(base, at))
            head = int(head_of(base, at))
            if head:
                kind = (
                    int(ptr32(base + (head << _ENTRY_SHIFT))[0])
                    >> _STATE_SHIFT + _STATE_KIND_SHIFT
                )
        if size > end - at:
            size = end - at
        at += size
        if kind != _FREE and kind != _CACHED:
            begin = at
        elif at - begin > int(longest[LONGEST_FRAMES]):
            longest[LONGEST_PFN] = begin
            longest[LONGEST_FRAMES] = at - begin
