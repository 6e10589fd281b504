"""The buddy system: free blocks of 2**order frames, aligned to their size.

A block splits into two buddies of the next lower order, whose frame numbers
differ in one bit; when both are free again they merge.  Only the entry of a
block's first frame, its head, says anything; all its other entries are TAIL.
The free blocks of one order of a zone form a list through `next` and `prev`
of their heads, and `freelist_va` of each points to the list's head.

Callers hold the zone's lock and have checked their arguments.  `zone` and
`base` are virtual addresses, of the zone's struct and of the frame array, as
signed numbers.  Nothing here touches the Python heap.
Source: Knuth, The Art of Computer Programming, volume 1, 2.5, algorithms R and S.
"""

import micropython
from micropython import const

from .backing import touch

# zone.py
_FREE = const(1)
_START = const(2)
_END = const(3)
_MANAGED = const(4)
_WATERMARK = const(5)
_ORDERS = const(6)
_LISTS = const(32)
_LIST_SIZE = const(8)
_ORDER_MAX = const(18)

# frame.py
_KIND_FREE = const(1 << 5)
_COMPOUND_TAIL = const(5)
_BYTE_SHARED = const(13)

_ORDER_MASK = const(31)

# Frames of the largest block.
_SIZE_MAX = const(1 << 18)
# What a free head's first word has more than that of the order below.
_WORD_STEP = const(0x01010000)

# Frames that a page of the array describes.
_GRANULE = const(1 << 7)


@micropython.viper
def give(zone: int, base: int, pfn: int, order: int):
    """Put the block at `pfn` on the free lists, merged with its buddies as far as they are free.

    Its head's page of the array has a frame of its own, as that of each block that was
    allocated has.  Cost: a step for each order merged.
    """
    z = ptr32(zone)
    start = int(z[_START])
    end = int(z[_END])
    # Of blocks of `order`: how many frames, which is also the bit of their list, and where that is.
    size = 1 << order
    list_virt = zone + _LISTS + (order << 3)
    z[_FREE] = int(z[_FREE]) + size
    ptr32(base + (pfn << 5))[0] = 0
    orders = int(z[_ORDERS])
    free = _KIND_FREE | order
    while size < _SIZE_MAX:
        buddy = pfn ^ size
        if buddy < start or buddy + size > end:
            break
        b = ptr32(base + (buddy << 5))
        if (int(b[0]) >> 24) != free:
            break
        b[0] = 0
        after = int(b[1])
        before = int(b[2])
        if after:
            ptr32(base + (after << 5))[2] = before
        if before:
            ptr32(base + (before << 5))[1] = after
        else:
            ptr32(list_virt)[0] = after
            if after == 0:
                orders ^= size
        ptr32(list_virt)[1] = int(ptr32(list_virt)[1]) - 1
        pfn &= buddy
        size <<= 1
        list_virt += _LIST_SIZE
        free += 1
    z[_ORDERS] = orders | size
    first = int(ptr32(list_virt)[0])
    e = ptr32(base + (pfn << 5))
    e[0] = free << 24 | (free & _ORDER_MASK) << 16
    e[1] = first
    e[2] = 0
    e[3] = int(e[3]) & 0xFFFF
    e[4] = list_virt
    e[5] = list_virt >> 32
    if first:
        ptr32(base + (first << 5))[2] = pfn
    ptr32(list_virt)[0] = pfn
    ptr32(list_virt)[1] = int(ptr32(list_virt)[1]) + 1


@micropython.viper
def take(zone: int, base: int, order: int) -> int:
    """Return the first frame of a block of `order` taken off the free lists, 0 for none.

    Splits the smallest block that is large enough.  The block's head is a tail when
    this returns, so that no buddy merges with it before the caller writes the head.
    Cost: a step for each order split.
    """
    z = ptr32(zone)
    orders = int(z[_ORDERS]) >> order
    if orders == 0:
        return 0
    found = order
    while (orders & 1) == 0:
        orders >>= 1
        found += 1
    size = 1 << found
    list_virt = zone + _LISTS + (found << 3)
    pfn = int(ptr32(list_virt)[0])
    block = base + (pfn << 5)
    ptr32(block)[0] = 0
    after = int(ptr32(block)[1])
    ptr32(list_virt)[0] = after
    ptr32(list_virt)[1] = int(ptr32(list_virt)[1]) - 1
    orders = int(z[_ORDERS])
    if after:
        ptr32(base + (after << 5))[2] = 0
    else:
        orders ^= size
    # Of what is split off, one block goes to each list below, which was empty.
    z[_ORDERS] = orders | (size - (1 << order))
    z[_FREE] = int(z[_FREE]) - (1 << order)
    word = (_KIND_FREE | found) << 24 | found << 16
    high = list_virt >> 32
    stop = 1 << order
    while size > stop:
        size >>= 1
        list_virt -= _LIST_SIZE
        word -= _WORD_STEP
        half = block + (size << 5)
        if size >= _GRANULE and int(ptr8(half)[_BYTE_SHARED]):
            touch(zone, half)
        e = ptr32(half)
        e[0] = word
        e[1] = 0
        e[2] = 0
        e[4] = list_virt
        e[5] = high
        ptr32(list_virt)[0] = pfn + size
        ptr32(list_virt)[1] = 1
    return pfn


@micropython.viper
def claim(zone: int, base: int, pfn: int, order: int):
    """Take the block of `order` at `pfn`, which lies inside a free block, off the free lists.

    What is left of that block goes back.  Cost: a step for each order of the free block.
    """
    z = ptr32(zone)
    found = order
    block = pfn
    while (int(ptr32(base + (block << 5))[0]) >> 24) != (_KIND_FREE | found):
        found += 1
        block = pfn >> found << found
    e = ptr32(base + (block << 5))
    after = int(e[1])
    before = int(e[2])
    if after:
        ptr32(base + (after << 5))[2] = before
    free_list = ptr32(zone + _LISTS + (found << 3))
    if before:
        ptr32(base + (before << 5))[1] = after
    else:
        free_list[0] = after
        if after == 0:
            z[_ORDERS] = int(z[_ORDERS]) ^ (1 << found)
    free_list[1] = int(free_list[1]) - 1
    e[0] = 0
    z[_FREE] = int(z[_FREE]) - (1 << found)
    # No piece that goes back can merge: the block that it would merge into was one until now.
    while found > order:
        found -= 1
        rest = block
        if pfn & (1 << found):
            block += 1 << found
        else:
            rest += 1 << found
        if int(ptr8(base + (rest << 5))[_BYTE_SHARED]):
            touch(zone, base + (rest << 5))
        give(zone, base, rest, found)


@micropython.viper
def holder(base: int, pfn: int) -> int:
    """Return the head of the block that the frame `pfn` lies in, 0 where none covers it.

    The head is the nearest entry below that is no TAIL, at an aligned frame.
    Cost: at most a step for each order.
    """
    order = 0
    while order <= _ORDER_MAX:
        block = pfn >> order << order
        state = int(ptr32(base + (block << 5))[0]) >> 24
        if state >> 5:
            if block == pfn or (state & 31) >= order:
                return block
            return 0
        order += 1
    return 0


@micropython.viper
def piece(start: int, end: int) -> int:
    """Return the order of the largest block that begins at `start` and ends at `end` or before."""
    order = 0
    while order < _ORDER_MAX and (start & ((2 << order) - 1)) == 0 and start + (2 << order) <= end:
        order += 1
    return order


@micropython.viper
def clear(base: int, start: int, end: int):
    """Make the entries `start`..`end` the inside of blocks.  A lock that a guard holds stays held."""
    while start < end:
        e = ptr32(base + (start << 5))
        e[0] = 0
        e[1] = 0
        e[2] = 0
        e[3] = 0
        e[4] = 0
        e[5] = 0
        e[7] = 0
        start += 1


@micropython.viper
def seed(zone: int, base: int, start: int, end: int):
    """Give the frames `start`..`end` to the free lists, as the largest blocks that fit.

    Cost: a step for each block, not for each frame.
    """
    # The blocks grow with the alignment of `start`, then shrink towards `end`.
    order = 0
    while start < end:
        while (
            order < _ORDER_MAX
            and (start & ((2 << order) - 1)) == 0
            and start + (2 << order) <= end
        ):
            order += 1
        while start + (1 << order) > end:
            order -= 1
        if int(ptr8(base + (start << 5))[_BYTE_SHARED]):
            touch(zone, base + (start << 5))
        give(zone, base, start, order)
        start += 1 << order


@micropython.viper
def use(base: int, pfn: int, word: int, count: int, tag: int):
    """Write the head of an allocated block or run: first word, frames of a run (else 0), tag; rc becomes 1."""
    e = ptr32(base + (pfn << 5))
    e[0] = word
    e[1] = count
    e[2] = 0
    e[3] = 1 << 16
    e[4] = 0
    e[5] = 0
    e[7] = tag


@micropython.viper
def dissolve(entry: int) -> int:
    """Make a run's part no head any more and return the order that it had."""
    e = ptr32(entry)
    word = int(e[0])
    e[0] = 0
    return (word >> 24) & 31


@micropython.viper
def spare(zone: int) -> int:
    """Return how many frames the zone has above its watermark."""
    z = ptr32(zone)
    return int(z[_FREE]) - int(z[_WATERMARK])


@micropython.viper
def managed_count(zone: int) -> int:
    """Return how many frames the zone's lists were given in all."""
    return int(ptr32(zone)[_MANAGED])


@micropython.viper
def free_count(zone: int) -> int:
    """Return how many frames are on the zone's lists."""
    return int(ptr32(zone)[_FREE])


@micropython.viper
def cached_count(magazine: int) -> int:
    """Return how many frames the magazine holds."""
    return int(ptr32(magazine)[0])


@micropython.viper
def kind(entry: int) -> int:
    """Return the kind of an entry."""
    return int(ptr32(entry)[0]) >> 29


@micropython.viper
def run_length(entry: int) -> int:
    """Return the frames of the run that a used entry heads, 0 when it heads a block."""
    return int(ptr32(entry)[1])


@micropython.viper
def compound_head(entry: int, pfn: int) -> int:
    """Return the head that a compound block's tail names, `pfn` for any other entry."""
    e = ptr32(entry)
    if (int(e[0]) >> 29) == _COMPOUND_TAIL:
        return int(e[1])
    return pfn
