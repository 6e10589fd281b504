"""The buddy system: free blocks of 2**order frames, aligned to their size.

A block splits into two buddies of the next lower order, whose frame numbers differ in one bit;
when both are free they merge again.  Only the entry of a block's first frame, its head,
describes the block; all its other entries are TAIL.  The free blocks of one order in a zone
form a list through `next` and `prev` of their heads, and `freelist_va` of each points to the
list's head.

Callers hold the zone's lock and have checked their arguments.  `zone` and `base` are virtual
addresses, of the zone's struct and of the frame array, as signed numbers.  Nothing here uses
the Python heap.
Source: Knuth, The Art of Computer Programming, volume 1, 2.5, algorithms R and S.
"""

import micropython
from micropython import const

from ..array.populate import populate

# frame/entry.py
_ENTRY_SHIFT = const(5)
_GRANULE = const(128)
_FREE = const(1)
_STATE_KIND_SHIFT = const(5)
_ORDER_MASK = const(31)
_ORDER_SHIFT = const(16)
_STATE_SHIFT = const(24)
_WORD_NEXT = const(1)
_WORD_PREV = const(2)
_WORD_RC = const(3)
_WORD_LIST_LOW = const(4)
_WORD_LIST_HIGH = const(5)
_BYTE_SHARED = const(13)

# alloc/zone.py
_ORDER_MAX = const(18)
_ZONE_FREE = const(1)
_ZONE_START = const(2)
_ZONE_END = const(3)
_ZONE_WATERMARK = const(5)
_ZONE_ORDERS = const(6)
_LISTS_OFFSET = const(32)
_LIST_SIZE = const(8)
_LIST_SHIFT = const(3)
_LIST_LENGTH = const(1)

# Frames of the largest block.
_SIZE_MAX = const(1 << 18)
# Difference of the first words of free heads of neighbouring orders.
_WORD_STEP = const(0x01010000)


@micropython.viper
def give(zone: int, base: int, pfn: int, order: int):
    """Put the block at `pfn` on the free lists, merged with its buddies while they are free.

    The array page of its head must be populated, as it is for every block that was allocated.
    Cost: a step per order merged.
    """
    z = ptr32(zone)
    start = int(z[_ZONE_START])
    end = int(z[_ZONE_END])
    # `size` is the number of frames of a block of `order`, and the bit of its list in
    # `orders`.
    size = 1 << order
    list_virt = zone + _LISTS_OFFSET + (order << _LIST_SHIFT)
    z[_ZONE_FREE] = int(z[_ZONE_FREE]) + size
    ptr32(base + (pfn << _ENTRY_SHIFT))[0] = 0
    orders = int(z[_ZONE_ORDERS])
    free = _FREE << _STATE_KIND_SHIFT | order
    while size < _SIZE_MAX:
        buddy = pfn ^ size
        if buddy < start or buddy + size > end:
            break
        b = ptr32(base + (buddy << _ENTRY_SHIFT))
        if (int(b[0]) >> _STATE_SHIFT) != free:
            break
        b[0] = 0
        after = int(b[_WORD_NEXT])
        before = int(b[_WORD_PREV])
        if after:
            ptr32(base + (after << _ENTRY_SHIFT))[_WORD_PREV] = before
        if before:
            ptr32(base + (before << _ENTRY_SHIFT))[_WORD_NEXT] = after
        else:
            ptr32(list_virt)[0] = after
            if after == 0:
                orders ^= size
        ptr32(list_virt)[_LIST_LENGTH] = int(ptr32(list_virt)[_LIST_LENGTH]) - 1
        pfn &= buddy
        size <<= 1
        list_virt += _LIST_SIZE
        free += 1
    z[_ZONE_ORDERS] = orders | size
    first = int(ptr32(list_virt)[0])
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    e[0] = free << _STATE_SHIFT | (free & _ORDER_MASK) << _ORDER_SHIFT
    e[_WORD_NEXT] = first
    e[_WORD_PREV] = 0
    e[_WORD_RC] = int(e[_WORD_RC]) & 0xFFFF
    e[_WORD_LIST_LOW] = list_virt
    e[_WORD_LIST_HIGH] = list_virt >> 32
    if first:
        ptr32(base + (first << _ENTRY_SHIFT))[_WORD_PREV] = pfn
    ptr32(list_virt)[0] = pfn
    ptr32(list_virt)[_LIST_LENGTH] = int(ptr32(list_virt)[_LIST_LENGTH]) + 1


@micropython.viper
def take(zone: int, base: int, order: int) -> int:
    """Take a block of `order` off the free lists and return its first frame, 0 if there is none.

    Splits the smallest block that is large enough.  On return the block's head is TAIL, so no
    buddy merges with it before the caller writes the head.  Cost: a step per order split.
    """
    z = ptr32(zone)
    orders = int(z[_ZONE_ORDERS]) >> order
    if orders == 0:
        return 0
    found = order
    while (orders & 1) == 0:
        orders >>= 1
        found += 1
    size = 1 << found
    list_virt = zone + _LISTS_OFFSET + (found << _LIST_SHIFT)
    pfn = int(ptr32(list_virt)[0])
    block = base + (pfn << _ENTRY_SHIFT)
    ptr32(block)[0] = 0
    after = int(ptr32(block)[_WORD_NEXT])
    ptr32(list_virt)[0] = after
    ptr32(list_virt)[_LIST_LENGTH] = int(ptr32(list_virt)[_LIST_LENGTH]) - 1
    orders = int(z[_ZONE_ORDERS])
    if after:
        ptr32(base + (after << _ENTRY_SHIFT))[_WORD_PREV] = 0
    else:
        orders ^= size
    # Each lower list gets one block that was split off; it was empty.
    z[_ZONE_ORDERS] = orders | (size - (1 << order))
    z[_ZONE_FREE] = int(z[_ZONE_FREE]) - (1 << order)
    word = (_FREE << _STATE_KIND_SHIFT | found) << _STATE_SHIFT | found << _ORDER_SHIFT
    high = list_virt >> 32
    stop = 1 << order
    while size > stop:
        size >>= 1
        list_virt -= _LIST_SIZE
        word -= _WORD_STEP
        half = block + (size << _ENTRY_SHIFT)
        if size >= _GRANULE and int(ptr8(half)[_BYTE_SHARED]):
            populate(zone, half)
        e = ptr32(half)
        e[0] = word
        e[_WORD_NEXT] = 0
        e[_WORD_PREV] = 0
        e[_WORD_LIST_LOW] = list_virt
        e[_WORD_LIST_HIGH] = high
        ptr32(list_virt)[0] = pfn + size
        ptr32(list_virt)[_LIST_LENGTH] = 1
    return pfn


@micropython.viper
def take_at(zone: int, base: int, pfn: int, order: int):
    """Take the block of `order` at `pfn`, which lies inside a free block, off the free lists.

    The rest of that free block is put back.  Cost: a step per order of the free block.
    """
    z = ptr32(zone)
    found = order
    block = pfn
    while (int(ptr32(base + (block << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT) != (
        _FREE << _STATE_KIND_SHIFT | found
    ):
        found += 1
        block = pfn >> found << found
    e = ptr32(base + (block << _ENTRY_SHIFT))
    after = int(e[_WORD_NEXT])
    before = int(e[_WORD_PREV])
    if after:
        ptr32(base + (after << _ENTRY_SHIFT))[_WORD_PREV] = before
    free_list = ptr32(zone + _LISTS_OFFSET + (found << _LIST_SHIFT))
    if before:
        ptr32(base + (before << _ENTRY_SHIFT))[_WORD_NEXT] = after
    else:
        free_list[0] = after
        if after == 0:
            z[_ZONE_ORDERS] = int(z[_ZONE_ORDERS]) ^ (1 << found)
    free_list[_LIST_LENGTH] = int(free_list[_LIST_LENGTH]) - 1
    e[0] = 0
    z[_ZONE_FREE] = int(z[_ZONE_FREE]) - (1 << found)
    # No piece put back can merge, since its buddy is or contains the block that is taken.
    while found > order:
        found -= 1
        rest = block
        if pfn & (1 << found):
            block += 1 << found
        else:
            rest += 1 << found
        if int(ptr8(base + (rest << _ENTRY_SHIFT))[_BYTE_SHARED]):
            populate(zone, base + (rest << _ENTRY_SHIFT))
        give(zone, base, rest, found)


@micropython.viper
def head_of(base: int, pfn: int) -> int:
    """Return the head of the block that contains the frame `pfn`, 0 if no block does.

    The head is the nearest entry at or below it, at an aligned frame, that is not TAIL.  Cost:
    at most a step per order.
    """
    order = 0
    while order <= _ORDER_MAX:
        block = pfn >> order << order
        state = int(ptr32(base + (block << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT
        if state >> _STATE_KIND_SHIFT:
            if block == pfn or (state & _ORDER_MASK) >= order:
                return block
            return 0
        order += 1
    return 0


@micropython.viper
def largest_order(start: int, end: int) -> int:
    """Return the order of the largest block that starts at `start` and ends at or before `end`."""
    order = 0
    while order < _ORDER_MAX and (start & ((2 << order) - 1)) == 0 and start + (2 << order) <= end:
        order += 1
    return order


@micropython.viper
def free_range(zone: int, base: int, start: int, end: int):
    """Put the frames `start`..`end` on the free lists, as the largest blocks that fit.

    Cost: a step per block, not per frame.
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
        if int(ptr8(base + (start << _ENTRY_SHIFT))[_BYTE_SHARED]):
            populate(zone, base + (start << _ENTRY_SHIFT))
        give(zone, base, start, order)
        start += 1 << order


@micropython.viper
def spare(zone: int) -> int:
    """Return how many frames the zone has above its watermark."""
    z = ptr32(zone)
    return int(z[_ZONE_FREE]) - int(z[_ZONE_WATERMARK])


@micropython.viper
def free_count(zone: int) -> int:
    """Return how many frames are on the zone's free lists."""
    return int(ptr32(zone)[_ZONE_FREE])
