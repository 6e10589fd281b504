"""Slabs: blocks of frames cut into objects of one class.

All about a slab is in the entry of its first frame; the frames after it are compound tails,
which name the first.

    flags        SLAB, besides SMALL or COMPOUND; for people, the allocator does not read it
    size_class   the class
    rc           2 + objects that are out of the slab, so it is never freed as a block
    freelist_va  its first free object, END if none is free; never 0, and in every other
                 allocated head 0, so this tells a slab
    prev         the next slab with free objects, 0 for none

A free object's first word pair is the address of the next free object of its slab, END in the
last.  The slabs with free objects form a list from the cache's struct.  Its first is the only
one that allocation takes from and so takes off the list; a slab joins at the front when its
first object comes back.  Empty slabs stay on it until there are more of them than a fraction of the
list, and are then taken off in one walk: a step per slab freed, on average a few.

An object larger than SLAB_OBJECT_MAX has frames of its own, whose head is marked in the same way,
with END.

`base`, `hhdm`, `cache`, `stock` and objects are signed virtual addresses.  Callers hold the
cache's lock.  Nothing here uses the Python heap.
"""

import micropython
from micropython import const

# address.py
_PAGE_SHIFT = const(12)
_PAGE_SIZE = const(1 << 12)

# frame/flags.py
_SLAB = const(1 << 11)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_USED = const(2)
_COMPOUND_TAIL = const(5)
_ORDER_MASK = const(31)
_STATE_SHIFT = const(24)
_KIND_SHIFT = const(29)
_WORD_NEXT = const(1)
_WORD_PREV = const(2)
_WORD_RC = const(3)
_RC_SHIFT = const(16)
_WORD_LIST_LOW = const(4)
_WORD_LIST_HIGH = const(5)

# slab/caches.py
_CACHE_STRIDE = const(2)
_CACHE_PARTIAL = const(7)
_CACHE_PARTIALS = const(8)
_CACHE_SLABS = const(9)
_CACHE_EMPTY = const(10)
_CACHE_TAKEN = const(11)

# slab/stock.py
_STOCK_COUNT = const(2)
_STOCK_STRIDE = const(4)
_STOCK_RECIPROCAL = const(5)
_RECIPROCAL_SHIFT = const(31)
_MARK_WORD = const(2)

# slab/classes.py
_ALIGN_SHIFT = const(4)

_CLASSES = const(128)

# control.py
_CACHE_SIZE = const(80)
_STOCK_SHIFT = const(5)
_STOCKS_SIZE = const(128 << 5)

# Ends the list of a slab's free objects; no object has this address.
END = const(1)

# References of a slab without objects in use.
RC_IDLE = const(2)

# Empty slabs that a cache keeps: as many, and a quarter of its slabs with free objects.
KEPT_EMPTY = const(1)
_KEPT_SHIFT = const(2)

_CLASS_MASK = const(0xFF)

# Returned instead of a class by `find`.
NOT_OBJECT = const(-1)
INSIDE = const(-2)


@micropython.viper
def carve(base: int, hhdm: int, pfn: int, order: int, stride: int, number: int):
    """Cut the block at `pfn`, which nobody else knows yet, into free objects of a class."""
    first = hhdm + (pfn << _PAGE_SHIFT)
    virt = first
    last = first + (_PAGE_SIZE << order) - stride
    while virt <= last:
        o = ptr32(virt)
        after = virt + stride
        if after > last:
            after = END
        o[0] = after
        o[1] = after >> 32
        o[_MARK_WORD] = virt ^ -1
        virt += stride
    mark(base, pfn, number, first)


@micropython.viper
def mark(base: int, pfn: int, number: int, first: int):
    """Make the head of a block that nobody else knows yet that of a slab of the class `number`."""
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    e[0] = int(e[0]) | _SLAB
    e[_WORD_RC] = number | RC_IDLE << _RC_SHIFT
    e[_WORD_LIST_LOW] = first
    e[_WORD_LIST_HIGH] = first >> 32


@micropython.viper
def unmark(entry: int):
    """Make the head of a slab that of a block with one reference, as it was allocated."""
    e = ptr32(entry)
    e[0] = int(e[0]) & ~int(_SLAB)
    e[_WORD_PREV] = 0
    e[_WORD_RC] = 1 << _RC_SHIFT
    e[_WORD_LIST_LOW] = 0
    e[_WORD_LIST_HIGH] = 0


@micropython.viper
def add(base: int, cache: int, pfn: int):
    """Add a slab, all of whose objects are free, to its cache."""
    c = ptr32(cache)
    ptr32(base + (pfn << _ENTRY_SHIFT))[_WORD_PREV] = c[_CACHE_PARTIAL]
    c[_CACHE_PARTIAL] = pfn
    c[_CACHE_PARTIALS] = int(c[_CACHE_PARTIALS]) + 1
    c[_CACHE_SLABS] = int(c[_CACHE_SLABS]) + 1
    c[_CACHE_EMPTY] = int(c[_CACHE_EMPTY]) + 1


@micropython.viper
def count_large(cache: int, change: int):
    """Count an object with frames of its own that is allocated (`change` 1) or freed (-1)."""
    c = ptr32(cache)
    c[_CACHE_SLABS] = int(c[_CACHE_SLABS]) + change
    c[_CACHE_TAKEN] = int(c[_CACHE_TAKEN]) + change


@micropython.viper
def fill(base: int, cache: int, stock: int, limit: int):
    """Take objects from the cache's slabs into the stock until it holds `limit`."""
    c = ptr32(cache)
    s = ptr32(stock)
    pfn = int(c[_CACHE_PARTIAL])
    while pfn and int(s[_STOCK_COUNT]) < limit:
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
        if (int(e[_WORD_RC]) >> _RC_SHIFT) == RC_IDLE:
            c[_CACHE_EMPTY] = int(c[_CACHE_EMPTY]) - 1
        virt = int(e[_WORD_LIST_LOW]) | int(e[_WORD_LIST_HIGH]) << 32
        taken = 0
        while virt != END and int(s[_STOCK_COUNT]) < limit:
            o = ptr32(virt)
            after = int(o[0]) | int(o[1]) << 32
            o[0] = s[0]
            o[1] = s[1]
            s[0] = virt
            s[1] = virt >> 32
            s[_STOCK_COUNT] = int(s[_STOCK_COUNT]) + 1
            virt = after
            taken += 1
        e[_WORD_LIST_LOW] = virt
        e[_WORD_LIST_HIGH] = virt >> 32
        e[_WORD_RC] = int(e[_WORD_RC]) + (taken << _RC_SHIFT)
        c[_CACHE_TAKEN] = int(c[_CACHE_TAKEN]) + taken
        if virt == END:
            pfn = int(e[_WORD_PREV])
            e[_WORD_PREV] = 0
            c[_CACHE_PARTIAL] = pfn
            c[_CACHE_PARTIALS] = int(c[_CACHE_PARTIALS]) - 1


@micropython.viper
def give(base: int, hhdm: int, cache: int, virt: int):
    """Put an object, marked as free, back into its slab."""
    pfn = (virt - hhdm) >> _PAGE_SHIFT
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    if (int(e[0]) >> _KIND_SHIFT) == _COMPOUND_TAIL:
        pfn = int(e[_WORD_NEXT])
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
    first = int(e[_WORD_LIST_LOW]) | int(e[_WORD_LIST_HIGH]) << 32
    o = ptr32(virt)
    o[0] = first
    o[1] = first >> 32
    e[_WORD_LIST_LOW] = virt
    e[_WORD_LIST_HIGH] = virt >> 32
    rc = int(e[_WORD_RC]) - (1 << _RC_SHIFT)
    e[_WORD_RC] = rc
    c = ptr32(cache)
    c[_CACHE_TAKEN] = int(c[_CACHE_TAKEN]) - 1
    if first == END:
        e[_WORD_PREV] = c[_CACHE_PARTIAL]
        c[_CACHE_PARTIAL] = pfn
        c[_CACHE_PARTIALS] = int(c[_CACHE_PARTIALS]) + 1
    if (rc >> _RC_SHIFT) == RC_IDLE:
        c[_CACHE_EMPTY] = int(c[_CACHE_EMPTY]) + 1


@micropython.viper
def give_marked(base: int, hhdm: int, cache: int, virt: int):
    """Mark an object as free and put it back into its slab, past a stock that has no room."""
    ptr32(virt)[_MARK_WORD] = virt ^ -1
    give(base, hhdm, cache, virt)


@micropython.viper
def drain(base: int, hhdm: int, cache: int, stock: int, limit: int):
    """Put objects of the stock back into their slabs until it holds `limit`."""
    s = ptr32(stock)
    while int(s[_STOCK_COUNT]) > limit:
        virt = int(s[0]) | int(s[1]) << 32
        o = ptr32(virt)
        s[0] = o[0]
        s[1] = o[1]
        s[_STOCK_COUNT] = int(s[_STOCK_COUNT]) - 1
        give(base, hhdm, cache, virt)


@micropython.viper
def sweep(base: int, cache: int, everything: int) -> int:
    """Take empty slabs off the list if there are too many, or if `everything`; return the first.

    They are linked by `prev`, and are marked as slabs until they are freed.
    """
    c = ptr32(cache)
    kept = 0
    if everything == 0:
        if int(c[_CACHE_EMPTY]) <= KEPT_EMPTY + (int(c[_CACHE_PARTIALS]) >> _KEPT_SHIFT):
            return 0
        kept = int(KEPT_EMPTY)
    before = 0
    swept = 0
    pfn = int(c[_CACHE_PARTIAL])
    while pfn and int(c[_CACHE_EMPTY]) > kept:
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
        after = int(e[_WORD_PREV])
        if (int(e[_WORD_RC]) >> _RC_SHIFT) == RC_IDLE:
            if before:
                ptr32(base + (before << _ENTRY_SHIFT))[_WORD_PREV] = after
            else:
                c[_CACHE_PARTIAL] = after
            e[_WORD_PREV] = swept
            swept = pfn
            c[_CACHE_EMPTY] = int(c[_CACHE_EMPTY]) - 1
            c[_CACHE_PARTIALS] = int(c[_CACHE_PARTIALS]) - 1
            c[_CACHE_SLABS] = int(c[_CACHE_SLABS]) - 1
        else:
            before = pfn
        pfn = after
    return swept


@micropython.viper
def after(base: int, pfn: int) -> int:
    """Return the slab behind `pfn` on its list, 0 for none."""
    return int(ptr32(base + (pfn << _ENTRY_SHIFT))[_WORD_PREV])


@micropython.viper
def find(base: int, hhdm: int, stocks: int, first: int, last: int, virt: int) -> int:
    """Return the class of the object that begins at `virt`, free or not.

    Returns NOT_OBJECT outside of slabs and of the frames `first`..`last`, INSIDE where no
    object begins.  Takes no lock.
    """
    pfn = (virt - hhdm) >> _PAGE_SHIFT
    if pfn < first or pfn > last:
        return NOT_OBJECT
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    word = int(e[0])
    if (word >> _KIND_SHIFT) == _COMPOUND_TAIL:
        pfn = int(e[_WORD_NEXT])
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
        word = int(e[0])
    if (word >> _KIND_SHIFT) != _USED or (int(e[_WORD_LIST_LOW]) | int(e[_WORD_LIST_HIGH])) == 0:
        return NOT_OBJECT
    number = int(e[_WORD_RC]) & _CLASS_MASK
    s = ptr32(stocks + (number << _STOCK_SHIFT))
    offset = virt - hhdm - (pfn << _PAGE_SHIFT)
    stride = int(s[_STOCK_STRIDE])
    if stride == 0:
        return number if offset == 0 else INSIDE
    index = ((offset >> _ALIGN_SHIFT) * int(s[_STOCK_RECIPROCAL])) >> _RECIPROCAL_SHIFT
    size = _PAGE_SIZE << (word >> _STATE_SHIFT & _ORDER_MASK)
    if index * stride != offset or offset + stride > size:
        return INSIDE
    return number


@micropython.viper
def marked_free(virt: int) -> int:
    """Return whether an object may be free; one in use is only if its owner wrote the mark."""
    return 1 if (int(ptr32(virt)[_MARK_WORD]) ^ virt ^ -1) << 32 == 0 else 0


@micropython.viper
def holds(base: int, hhdm: int, virt: int) -> int:
    """Return whether the object is among its slab's free ones.  Cost: a step per object."""
    pfn = (virt - hhdm) >> _PAGE_SHIFT
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    if (int(e[0]) >> _KIND_SHIFT) == _COMPOUND_TAIL:
        e = ptr32(base + (int(e[_WORD_NEXT]) << _ENTRY_SHIFT))
    at = int(e[_WORD_LIST_LOW]) | int(e[_WORD_LIST_HIGH]) << 32
    while at != END:
        if at == virt:
            return 1
        at = int(ptr32(at)[0]) | int(ptr32(at)[1]) << 32
    return 0


@micropython.viper
def objects(order: int, stride: int) -> int:
    """Return how many objects a slab has."""
    return (_PAGE_SIZE << order) // stride


@micropython.viper
def frames(base: int, pfn: int) -> int:
    """Return how many frames an object has of its own."""
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    count = int(e[_WORD_NEXT])
    return count if count else 1 << (int(e[0]) >> _STATE_SHIFT & _ORDER_MASK)


@micropython.viper
def next_trimmable(caches: int, stocks: int, processors: int, number: int) -> int:
    """Return the first class from `number` on with objects in stocks or empty slabs, else _CLASSES."""
    while number < _CLASSES:
        some = int(ptr32(caches + number * _CACHE_SIZE)[_CACHE_EMPTY])
        stock = stocks + (number << _STOCK_SHIFT)
        left = processors
        while left:
            some |= int(ptr32(stock)[_STOCK_COUNT])
            stock += _STOCKS_SIZE
            left -= 1
        if some:
            break
        number += 1
    return number


@micropython.viper
def taken(cache: int) -> int:
    """Return how many objects are out of their slabs."""
    return int(ptr32(cache)[_CACHE_TAKEN])
