"""Viper walks over every entry of a range, for invariants.py; each stops at the first wrong entry.

A walk returns the code of the broken invariant, 0 if none, and writes what it found to its
report, REPORT_WORDS words at the address `place`:

    word   0  frame
           1  value found
           2  value expected
           3  frames of used blocks seen
           4  frames of magazines seen
           5  blocks seen
           6  head of the run that the next block belongs to
           7  frames of that run not seen yet
       8 + n  free blocks of order n seen
          27  frames on the free lists, by the zone's counter
          28  frames ever given to the free lists, by the zone's counter
          29  frames in magazines, by their counters

As in buddy.py, `zone`, `base` and `place` are signed virtual addresses and callers hold the
zone's lock.
"""

import micropython
from micropython import const

# frame/entry.py
_ENTRY_SHIFT = const(5)
_GRANULE = const(128)
_FREE = const(1)
_USED = const(2)
_PART = const(3)
_CACHED = const(4)
_COMPOUND_TAIL = const(5)
_ABSENT = const(7)
_STATE_KIND_SHIFT = const(5)
_ORDER_MASK = const(31)
_STATE_SHIFT = const(24)
_KIND_SHIFT = const(29)
_WORD_NEXT = const(1)
_WORD_PREV = const(2)
_WORD_RC = const(3)
_RC_SHIFT = const(16)
_WORD_LIST_LOW = const(4)
_WORD_LIST_HIGH = const(5)
_WORD_LOCK = const(6)
_BYTE_SHARED = const(13)

# alloc/zone.py
_ORDER_MAX = const(18)
_ZONE_FREE = const(1)
_ZONE_START = const(2)
_ZONE_END = const(3)
_ZONE_MANAGED = const(4)
_ZONE_ORDERS = const(6)
_ZONE_LISTS = const(8)

REPORT_WORDS = const(32)
PFN = const(0)
FOUND = const(1)
EXPECTED = const(2)
SEEN_USED = const(3)
SEEN_CACHED = const(4)
SEEN_BLOCKS = const(5)
RUN_HEAD = const(6)
RUN_LEFT = const(7)
SEEN_FREE = const(8)
ZONE_FREE = const(27)
ZONE_MANAGED = const(28)
IN_MAGAZINES = const(29)

# Codes that a walk returns: indices of invariants.INVARIANTS, from 1.
ABSENT_FRAME = const(1)
RESERVED_FRAME = const(2)
FRAME_LOCK = const(3)
BLOCKS_TILE = const(4)
BLOCK_ORDER = const(5)
BLOCK_ALIGNED = const(6)
BLOCK_TAIL = const(7)
REFCOUNT = const(8)
RUN = const(9)
COMPOUND = const(10)
BUDDIES_MERGED = const(11)
LIST_MEMBER = const(12)
LIST_LINKED = const(13)
LIST_HEAD = const(14)
LIST_LENGTH = const(15)
ORDERS_MASK = const(16)
MAGAZINE = const(17)


@micropython.viper
def single(base: int, start: int, end: int, kind: int, contexts: int, place: int) -> int:
    """Check that all frames `start`..`end` are of `kind`, in no block."""
    report = ptr32(place)
    state = kind << _STATE_KIND_SHIFT
    while start < end:
        e = ptr32(base + (start << _ENTRY_SHIFT))
        word = int(e[0])
        if (word >> _STATE_SHIFT) != state or int(e[_WORD_LOCK]) > contexts:
            report[PFN] = start
            if int(e[_WORD_LOCK]) > contexts:
                report[FOUND] = e[_WORD_LOCK]
                report[EXPECTED] = 0
                return FRAME_LOCK
            report[FOUND] = word >> _STATE_SHIFT
            report[EXPECTED] = state
            return ABSENT_FRAME if kind == _ABSENT else RESERVED_FRAME
        if int(ptr8(base + (start << _ENTRY_SHIFT))[_BYTE_SHARED]):
            start |= _GRANULE - 1
        start += 1
    return 0


@micropython.viper
def _head(base: int, pfn: int, end: int, zone: int, contexts: int, place: int) -> int:
    """Check the entry where a block must begin, and count the block."""
    report = ptr32(place)
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    z = ptr32(zone)
    word = int(e[0])
    kind = word >> _KIND_SHIFT
    order = (word >> _STATE_SHIFT) & _ORDER_MASK
    size = 1 << order
    left = int(report[RUN_LEFT])
    report[PFN] = pfn
    report[FOUND] = kind
    report[EXPECTED] = _FREE
    if kind < _FREE or kind > _CACHED:
        return BLOCKS_TILE
    report[FOUND] = e[_WORD_LOCK]
    report[EXPECTED] = 0
    if int(e[_WORD_LOCK]) > contexts:
        return FRAME_LOCK
    report[FOUND] = order
    if order > _ORDER_MAX or (kind == _CACHED and order):
        report[EXPECTED] = 0 if kind == _CACHED else _ORDER_MAX
        return BLOCK_ORDER
    report[FOUND] = pfn & (size - 1)
    report[EXPECTED] = 0
    if pfn & (size - 1):
        return BLOCK_ALIGNED
    report[FOUND] = pfn + size
    report[EXPECTED] = end
    if pfn + size > end:
        return BLOCKS_TILE
    report[FOUND] = kind
    report[EXPECTED] = _PART
    if kind == _PART:
        if left == 0:
            report[EXPECTED] = _USED
            return RUN
    elif left:
        return RUN
    report[SEEN_BLOCKS] = int(report[SEEN_BLOCKS]) + 1
    if kind == _PART:
        report[FOUND] = e[_WORD_PREV]
        report[EXPECTED] = report[RUN_HEAD]
        if int(e[_WORD_PREV]) != int(report[RUN_HEAD]):
            return RUN
        report[FOUND] = size
        report[EXPECTED] = left
        if size > left:
            return RUN
        report[RUN_LEFT] = left - size
        report[SEEN_USED] = int(report[SEEN_USED]) + size
        return 0
    if kind == _USED:
        report[FOUND] = 0
        report[EXPECTED] = 1
        if (int(e[_WORD_RC]) >> _RC_SHIFT) == 0:
            return REFCOUNT
        count = int(e[_WORD_NEXT])
        if count:
            report[FOUND] = count
            report[EXPECTED] = size + 1
            if count <= size:
                return RUN
            report[RUN_HEAD] = pfn
            report[RUN_LEFT] = count - size
        report[SEEN_USED] = int(report[SEEN_USED]) + size
        return 0
    if kind == _CACHED:
        report[SEEN_CACHED] = int(report[SEEN_CACHED]) + 1
        return 0
    other = pfn ^ size
    if order < _ORDER_MAX and other >= int(z[_ZONE_START]) and other + size <= int(z[_ZONE_END]):
        report[FOUND] = other
        report[EXPECTED] = 0
        if (int(ptr32(base + (other << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT) == (
            word >> _STATE_SHIFT
        ):
            return BUDDIES_MERGED
    report[SEEN_FREE + order] = int(report[SEEN_FREE + order]) + 1
    return 0


@micropython.viper
def _tails(base: int, pfn: int, contexts: int, place: int) -> int:
    """Check the entries after the head `pfn`, up to the end of its block."""
    report = ptr32(place)
    word = int(ptr32(base + (pfn << _ENTRY_SHIFT))[0])
    tail = pfn + 1
    end = pfn + (1 << ((word >> _STATE_SHIFT) & _ORDER_MASK))
    if tail == end:
        return 0
    state = 0
    if (word >> _KIND_SHIFT) == _USED and int(
        ptr32(base + (pfn << _ENTRY_SHIFT))[_WORD_NEXT]
    ) == 0:
        if (int(ptr32(base + (tail << _ENTRY_SHIFT))[0]) >> _KIND_SHIFT) == _COMPOUND_TAIL:
            state = _COMPOUND_TAIL << _STATE_KIND_SHIFT
    while tail < end:
        e = ptr32(base + (tail << _ENTRY_SHIFT))
        word = int(e[0])
        if (word >> _STATE_SHIFT) != state or int(e[_WORD_LOCK]) > contexts:
            report[PFN] = tail
            report[FOUND] = word >> _STATE_SHIFT
            report[EXPECTED] = state
            if (word >> _STATE_SHIFT) != state:
                return COMPOUND if state else BLOCK_TAIL
            report[FOUND] = e[_WORD_LOCK]
            report[EXPECTED] = 0
            return FRAME_LOCK
        if state and int(e[_WORD_NEXT]) != pfn:
            report[PFN] = tail
            report[FOUND] = e[_WORD_NEXT]
            report[EXPECTED] = pfn
            return COMPOUND
        if int(ptr8(base + (tail << _ENTRY_SHIFT))[_BYTE_SHARED]):
            # All entries of a shared page are identical.
            tail |= _GRANULE - 1
        tail += 1
    return 0


@micropython.viper
def blocks(base: int, start: int, end: int, zone: int, contexts: int, place: int) -> int:
    """Check that blocks tile `start`..`end` of one region and zone, and check every entry."""
    while start < end:
        code = int(_head(base, start, end, zone, contexts, place))
        if code == 0:
            code = int(_tails(base, start, contexts, place))
        if code:
            return code
        start += 1 << (
            (int(ptr32(base + (start << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT) & _ORDER_MASK
        )
    return 0


@micropython.viper
def run_ends(place: int) -> int:
    """Check that no frame of a run is missing at the end of its region."""
    report = ptr32(place)
    left = int(report[RUN_LEFT])
    if left == 0:
        return 0
    report[PFN] = report[RUN_HEAD]
    report[FOUND] = left
    report[EXPECTED] = 0
    return RUN


@micropython.viper
def note_zone(zone: int, place: int):
    """Copy the zone's own counters to the report, under its lock."""
    report = ptr32(place)
    z = ptr32(zone)
    report[ZONE_FREE] = z[_ZONE_FREE]
    report[ZONE_MANAGED] = z[_ZONE_MANAGED]


@micropython.viper
def lists(base: int, zone: int, place: int) -> int:
    """Check the zone's free lists, also against the free blocks that `blocks` counted."""
    report = ptr32(place)
    z = ptr32(zone)
    order = 0
    while order <= _ORDER_MAX:
        head = _ZONE_LISTS + (order << 1)
        list_virt = zone + (head << 2)
        pfn = int(z[head])
        length = int(z[head + 1])
        mask = (int(z[_ZONE_ORDERS]) >> order) & 1
        report[PFN] = pfn
        report[FOUND] = mask
        report[EXPECTED] = 1 if pfn else 0
        if mask != int(report[EXPECTED]):
            return ORDERS_MASK
        before = 0
        count = 0
        while pfn:
            report[PFN] = pfn
            report[FOUND] = count + 1
            report[EXPECTED] = length
            if count == length:
                return LIST_LENGTH
            report[FOUND] = pfn
            report[EXPECTED] = z[_ZONE_START]
            if pfn < int(z[_ZONE_START]) or pfn >= int(z[_ZONE_END]):
                return LIST_MEMBER
            e = ptr32(base + (pfn << _ENTRY_SHIFT))
            report[FOUND] = int(e[0]) >> _STATE_SHIFT
            report[EXPECTED] = _FREE << _STATE_KIND_SHIFT | order
            if int(report[FOUND]) != int(report[EXPECTED]):
                return LIST_MEMBER
            report[FOUND] = e[_WORD_PREV]
            report[EXPECTED] = before
            if int(e[_WORD_PREV]) != before:
                return LIST_LINKED
            report[FOUND] = e[_WORD_LIST_LOW]
            report[EXPECTED] = list_virt
            if (int(e[_WORD_LIST_LOW]) | int(e[_WORD_LIST_HIGH]) << 32) != list_virt:
                return LIST_HEAD
            before = pfn
            pfn = int(e[_WORD_NEXT])
            count += 1
        report[PFN] = before
        report[FOUND] = length
        report[EXPECTED] = count
        if length != count:
            return LIST_LENGTH
        report[EXPECTED] = report[SEEN_FREE + order]
        if length != int(report[EXPECTED]):
            return LIST_LENGTH
        order += 1
    return 0


@micropython.viper
def magazine(base: int, cache: int, limit: int, first: int, end: int, place: int) -> int:
    """Check the magazine at `cache`: at most `limit` distinct CACHED frames of `first`..`end`."""
    report = ptr32(place)
    m = ptr32(cache)
    count = int(m[0])
    report[PFN] = 0
    report[FOUND] = count
    report[EXPECTED] = limit
    if count > limit:
        return MAGAZINE
    i = 1
    while i <= count:
        pfn = int(m[i])
        report[PFN] = pfn
        report[FOUND] = pfn
        report[EXPECTED] = first
        if pfn < first or pfn >= end:
            return MAGAZINE
        report[FOUND] = int(ptr32(base + (pfn << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT
        report[EXPECTED] = _CACHED << _STATE_KIND_SHIFT
        if int(report[FOUND]) != int(report[EXPECTED]):
            return MAGAZINE
        j = 1
        while j < i:
            if int(m[j]) == pfn:
                report[FOUND] = i
                report[EXPECTED] = j
                return MAGAZINE
            j += 1
        i += 1
    report[IN_MAGAZINES] = int(report[IN_MAGAZINES]) + count
    return 0
