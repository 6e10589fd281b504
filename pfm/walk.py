"""Viper walks over every entry of a range, for check.py: each stops at the first entry that is wrong.

A walk returns the code of the broken invariant, 0 for none, and writes what it
found to its report, REPORT_WORDS words at the address `place`:

    word   0  frame
           1  value found
           2  value expected
           3  frames of used blocks seen
           4  frames of magazines seen
           5  blocks seen
           6  head of the run that the next block belongs to
           7  frames still missing of that run
       8 + n  free blocks of order n seen
          27  frames on the zone's lists, by its own count
          28  frames that the zone's lists were given, by its own count
          29  frames in magazines, by their own counts

As in buddy.py, `zone`, `base` and `place` are signed virtual addresses and callers hold the zone's lock.
"""

import micropython
from micropython import const

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

# What a walk returns: indices of check.INVARIANTS, from 1.
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

# zone.py
_ZONE_FREE_WORD = const(1)
_START = const(2)
_END = const(3)
_ZONE_MANAGED_WORD = const(4)
_ORDERS = const(6)
_LISTS = const(8)
_ORDER_MAX = const(18)

# frame.py
_FREE = const(1)
_USED = const(2)
_PART = const(3)
_CACHED = const(4)
_COMPOUND_TAIL = const(5)
_ABSENT = const(7)
_BYTE_SHARED = const(12)

# framearray.py: the entries in a page of the array, less one.
_GRANULE_LAST = const(127)


@micropython.viper
def single(base: int, start: int, end: int, kind: int, contexts: int, place: int) -> int:
    """Check that the frames `start`..`end` all are of `kind`, in no block."""
    report = ptr32(place)
    state = kind << 5
    while start < end:
        e = ptr32(base + (start << 5))
        word = int(e[0])
        if (word >> 24) != state or int(e[6]) > contexts:
            report[0] = start
            if int(e[6]) > contexts:
                report[1] = e[6]
                report[2] = 0
                return FRAME_LOCK
            report[1] = word >> 24
            report[2] = state
            return ABSENT_FRAME if kind == _ABSENT else RESERVED_FRAME
        if int(ptr8(base + (start << 5))[_BYTE_SHARED]):
            start |= _GRANULE_LAST
        start += 1
    return 0


@micropython.viper
def _head(base: int, pfn: int, end: int, zone: int, contexts: int, place: int) -> int:
    """Check the entry that stands where a block must begin, and count its block."""
    report = ptr32(place)
    e = ptr32(base + (pfn << 5))
    z = ptr32(zone)
    word = int(e[0])
    kind = word >> 29
    order = (word >> 24) & 31
    size = 1 << order
    left = int(report[7])
    report[0] = pfn
    report[1] = kind
    report[2] = _FREE
    if kind < _FREE or kind > _CACHED:
        return BLOCKS_TILE
    report[1] = e[6]
    report[2] = 0
    if int(e[6]) > contexts:
        return FRAME_LOCK
    report[1] = order
    if order > _ORDER_MAX or (kind == _CACHED and order):
        report[2] = 0 if kind == _CACHED else _ORDER_MAX
        return BLOCK_ORDER
    report[1] = pfn & (size - 1)
    report[2] = 0
    if pfn & (size - 1):
        return BLOCK_ALIGNED
    report[1] = pfn + size
    report[2] = end
    if pfn + size > end:
        return BLOCKS_TILE
    report[1] = kind
    report[2] = _PART
    if kind == _PART:
        if left == 0:
            report[2] = _USED
            return RUN
    elif left:
        return RUN
    report[5] = int(report[5]) + 1
    if kind == _PART:
        report[1] = e[2]
        report[2] = report[6]
        if int(e[2]) != int(report[6]):
            return RUN
        report[1] = size
        report[2] = left
        if size > left:
            return RUN
        report[7] = left - size
        report[3] = int(report[3]) + size
        return 0
    if kind == _USED:
        report[1] = 0
        report[2] = 1
        if (int(e[3]) >> 16) == 0:
            return REFCOUNT
        count = int(e[1])
        if count:
            report[1] = count
            report[2] = size + 1
            if count <= size:
                return RUN
            report[6] = pfn
            report[7] = count - size
        report[3] = int(report[3]) + size
        return 0
    if kind == _CACHED:
        report[4] = int(report[4]) + 1
        return 0
    other = pfn ^ size
    if order < _ORDER_MAX and other >= int(z[_START]) and other + size <= int(z[_END]):
        report[1] = other
        report[2] = 0
        if (int(ptr32(base + (other << 5))[0]) >> 24) == (word >> 24):
            return BUDDIES_MERGED
    report[8 + order] = int(report[8 + order]) + 1
    return 0


@micropython.viper
def _tails(base: int, pfn: int, contexts: int, place: int) -> int:
    """Check the entries behind the head `pfn`, up to the end of its block."""
    report = ptr32(place)
    word = int(ptr32(base + (pfn << 5))[0])
    tail = pfn + 1
    end = pfn + (1 << ((word >> 24) & 31))
    if tail == end:
        return 0
    state = 0
    if (word >> 29) == _USED and int(ptr32(base + (pfn << 5))[1]) == 0:
        if (int(ptr32(base + (tail << 5))[0]) >> 29) == _COMPOUND_TAIL:
            state = _COMPOUND_TAIL << 5
    while tail < end:
        e = ptr32(base + (tail << 5))
        word = int(e[0])
        if (word >> 24) != state or int(e[6]) > contexts:
            report[0] = tail
            report[1] = word >> 24
            report[2] = state
            if (word >> 24) != state:
                return COMPOUND if state else BLOCK_TAIL
            report[1] = e[6]
            report[2] = 0
            return FRAME_LOCK
        if state and int(e[1]) != pfn:
            report[0] = tail
            report[1] = e[1]
            report[2] = pfn
            return COMPOUND
        if int(ptr8(base + (tail << 5))[_BYTE_SHARED]):
            # The page stands for many, and all its entries are alike.
            tail |= _GRANULE_LAST
        tail += 1
    return 0


@micropython.viper
def blocks(base: int, start: int, end: int, zone: int, contexts: int, place: int) -> int:
    """Check that blocks tile the frames `start`..`end` of one region and zone, and each of their entries."""
    while start < end:
        code = int(_head(base, start, end, zone, contexts, place))
        if code == 0:
            code = int(_tails(base, start, contexts, place))
        if code:
            return code
        start += 1 << ((int(ptr32(base + (start << 5))[0]) >> 24) & 31)
    return 0


@micropython.viper
def run_ends(place: int) -> int:
    """Check that no frame is missing of a run, at the end of its region."""
    report = ptr32(place)
    left = int(report[7])
    if left == 0:
        return 0
    report[0] = report[6]
    report[1] = left
    report[2] = 0
    return RUN


@micropython.viper
def note_zone(zone: int, place: int):
    """Note what the zone counts itself, while its lock is held."""
    report = ptr32(place)
    z = ptr32(zone)
    report[ZONE_FREE] = z[_ZONE_FREE_WORD]
    report[ZONE_MANAGED] = z[_ZONE_MANAGED_WORD]


@micropython.viper
def lists(base: int, zone: int, place: int) -> int:
    """Check the zone's free lists, against the free blocks that `blocks` has seen in it too."""
    report = ptr32(place)
    z = ptr32(zone)
    order = 0
    while order <= _ORDER_MAX:
        head = _LISTS + (order << 1)
        list_virt = zone + (head << 2)
        pfn = int(z[head])
        length = int(z[head + 1])
        mask = (int(z[_ORDERS]) >> order) & 1
        report[0] = pfn
        report[1] = mask
        report[2] = 1 if pfn else 0
        if mask != int(report[2]):
            return ORDERS_MASK
        before = 0
        count = 0
        while pfn:
            report[0] = pfn
            report[1] = count + 1
            report[2] = length
            if count == length:
                return LIST_LENGTH
            report[1] = pfn
            report[2] = z[_START]
            if pfn < int(z[_START]) or pfn >= int(z[_END]):
                return LIST_MEMBER
            e = ptr32(base + (pfn << 5))
            report[1] = int(e[0]) >> 24
            report[2] = _FREE << 5 | order
            if int(report[1]) != int(report[2]):
                return LIST_MEMBER
            report[1] = e[2]
            report[2] = before
            if int(e[2]) != before:
                return LIST_LINKED
            report[1] = e[4]
            report[2] = list_virt
            if (int(e[4]) | int(e[5]) << 32) != list_virt:
                return LIST_HEAD
            before = pfn
            pfn = int(e[1])
            count += 1
        report[0] = before
        report[1] = length
        report[2] = count
        if length != count:
            return LIST_LENGTH
        report[2] = report[8 + order]
        if length != int(report[2]):
            return LIST_LENGTH
        order += 1
    return 0


@micropython.viper
def magazine(base: int, cache: int, limit: int, first: int, end: int, place: int) -> int:
    """Check the magazine at `cache`: at most `limit` frames of `first`..`end`, each cached, none twice."""
    report = ptr32(place)
    m = ptr32(cache)
    count = int(m[0])
    report[0] = 0
    report[1] = count
    report[2] = limit
    if count > limit:
        return MAGAZINE
    i = 1
    while i <= count:
        pfn = int(m[i])
        report[0] = pfn
        report[1] = pfn
        report[2] = first
        if pfn < first or pfn >= end:
            return MAGAZINE
        report[1] = int(ptr32(base + (pfn << 5))[0]) >> 24
        report[2] = _CACHED << 5
        if int(report[1]) != int(report[2]):
            return MAGAZINE
        j = 1
        while j < i:
            if int(m[j]) == pfn:
                report[1] = i
                report[2] = j
                return MAGAZINE
            j += 1
        i += 1
    report[IN_MAGAZINES] = int(report[IN_MAGAZINES]) + count
    return 0
