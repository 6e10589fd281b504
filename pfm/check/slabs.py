"""The invariants of slabs, caches and stocks, after those of blocks, which they rely on."""

from array import array

import micropython
from micropython import const

from ..control import CACHE_SIZE, STOCK_SHIFT, STOCKS_SIZE
from ..errors import InvariantError
from ..lock import critical
from ..slab.caches import cache_at, name_of
from ..slab.classes import CLASSES
from ..slab.slabs import find, frames, holds, marked_free

# address.py
_PAGE_SHIFT = const(12)
_PAGE_SIZE = const(1 << 12)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_USED = const(2)
_ORDER_MASK = const(31)
_STATE_SHIFT = const(24)
_KIND_SHIFT = const(29)
_WORD_PREV = const(2)
_WORD_RC = const(3)
_RC_SHIFT = const(16)
_WORD_LIST_LOW = const(4)
_WORD_LIST_HIGH = const(5)

# slab/classes.py
_CLASSES = const(128)
_SLAB_OBJECT_MAX = const(32 << 10)

# slab/caches.py
_CACHE_OBJECT_SIZE = const(1)
_CACHE_STRIDE = const(2)
_CACHE_PARTIAL = const(7)
_CACHE_PARTIALS = const(8)

# slab/slabs.py
_END = const(1)
_RC_IDLE = const(2)
_CLASS_MASK = const(0xFF)

# slab/stock.py
_STOCK_COUNT = const(2)
_STOCK_LIMIT = const(3)

# control.py
_CACHE_SIZE = const(80)

# Words of a tally, four for each class: slabs, slabs with free objects, empty slabs, objects
# out of their slabs.
TALLY_SLABS = const(0)
TALLY_PARTIALS = const(1)
TALLY_EMPTY = const(2)
TALLY_TAKEN = const(3)
TALLY_WORDS = const(4)

# Words of a report: the frame, the value found, the value expected.
_PFN = const(0)
_FOUND = const(1)
_EXPECTED = const(2)
_REPORT_WORDS = const(3)

# Codes that a walk returns.
_SLAB_CLASS = const(1)
_SLAB_OBJECTS = const(2)
_SLAB_LIST = const(3)
_STOCK = const(4)
_NAMES = (None, "slab-class", "slab-objects", "slab-list", "stock")


@micropython.viper
def next_slab(base: int, pfn: int, end: int) -> int:
    """Return the first head of a slab in `pfn`..`end`, `end` if there is none.

    `pfn` is a block's head, and blocks tile the range.  Cost: a step per block.
    """
    while pfn < end:
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
        word = int(e[0])
        if (word >> _KIND_SHIFT) == _USED and int(e[_WORD_LIST_LOW]) | int(e[_WORD_LIST_HIGH]):
            return pfn
        pfn += 1 << (word >> _STATE_SHIFT & _ORDER_MASK)
    return end


@micropython.viper
def _slab(base: int, hhdm: int, caches: int, pfn: int, tally: ptr32, report: ptr32) -> int:
    """Check a slab and count it."""
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    number = int(e[_WORD_RC]) & _CLASS_MASK
    c = ptr32(caches + number * _CACHE_SIZE)
    report[_PFN] = pfn
    report[_FOUND] = number
    # Any class that is open; the first always is.
    report[_EXPECTED] = 1
    if number == 0 or number >= _CLASSES or int(c[_CACHE_OBJECT_SIZE]) == 0:
        return _SLAB_CLASS
    stride = int(c[_CACHE_STRIDE])
    taken = (int(e[_WORD_RC]) >> _RC_SHIFT) - _RC_IDLE
    at = int(e[_WORD_LIST_LOW]) | int(e[_WORD_LIST_HIGH]) << 32
    slot = number * TALLY_WORDS
    tally[slot + TALLY_SLABS] = int(tally[slot + TALLY_SLABS]) + 1
    if stride > _SLAB_OBJECT_MAX:
        report[_FOUND] = taken
        report[_EXPECTED] = 0
        if taken:
            return _SLAB_OBJECTS
        report[_FOUND] = at
        report[_EXPECTED] = _END
        if at != _END:
            return _SLAB_OBJECTS
        tally[slot + TALLY_TAKEN] = int(tally[slot + TALLY_TAKEN]) + 1
        return 0
    size = _PAGE_SIZE << (int(e[0]) >> _STATE_SHIFT & _ORDER_MASK)
    objects = size // stride
    if at != _END:
        tally[slot + TALLY_PARTIALS] = int(tally[slot + TALLY_PARTIALS]) + 1
    if taken == 0:
        tally[slot + TALLY_EMPTY] = int(tally[slot + TALLY_EMPTY]) + 1
    tally[slot + TALLY_TAKEN] = int(tally[slot + TALLY_TAKEN]) + taken
    start = hhdm + (pfn << _PAGE_SHIFT)
    free = 0
    report[_EXPECTED] = objects - taken
    while at != _END:
        offset = at - start
        report[_FOUND] = free
        if offset < 0 or offset + stride > size or offset % stride or int(marked_free(at)) == 0:
            report[_FOUND] = offset
            report[_EXPECTED] = stride
            return _SLAB_OBJECTS
        free += 1
        if free > objects - taken:
            report[_FOUND] = free
            return _SLAB_OBJECTS
        at = int(ptr32(at)[0]) | int(ptr32(at)[1]) << 32
    report[_FOUND] = free
    if free != objects - taken:
        return _SLAB_OBJECTS
    return 0


@micropython.viper
def _list(base: int, cache: int, number: int, last: int, report: ptr32) -> int:
    """Check the list of the slabs with free objects of a class."""
    c = ptr32(cache)
    pfn = int(c[_CACHE_PARTIAL])
    left = int(c[_CACHE_PARTIALS])
    report[_EXPECTED] = number
    while left:
        report[_PFN] = pfn
        report[_FOUND] = 0
        if pfn == 0 or pfn > last:
            return _SLAB_LIST
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
        free = int(e[_WORD_LIST_LOW]) | int(e[_WORD_LIST_HIGH]) << 32
        if (int(e[0]) >> _KIND_SHIFT) != _USED or free == 0 or free == _END:
            return _SLAB_LIST
        report[_FOUND] = int(e[_WORD_RC]) & _CLASS_MASK
        if int(e[_WORD_RC]) & _CLASS_MASK != number:
            return _SLAB_LIST
        pfn = int(e[_WORD_PREV])
        left -= 1
    report[_PFN] = pfn
    report[_FOUND] = pfn
    report[_EXPECTED] = 0
    return _SLAB_LIST if pfn else 0


@micropython.native
def _stock(manager, own, number, report, count, limit):
    """Check a stock: at most `limit` objects of the class, distinct, free, in no slab's list."""
    report[_PFN] = 0
    report[_FOUND] = count
    report[_EXPECTED] = limit
    if count > limit:
        return _STOCK
    at = 0
    seen = 0
    while seen < count:
        at = _after(own, at)
        report[_EXPECTED] = number
        report[_FOUND] = 0
        if not at:
            return _STOCK
        found = find(
            manager._base,
            manager._hhdm,
            manager._stocks,
            manager._first,
            manager._last,
            at,
        )
        report[_PFN] = (at - manager._hhdm) >> _PAGE_SHIFT & 0xFFFFFFFF
        report[_FOUND] = found if found > 0 else 0
        if found != number:
            return _STOCK
        report[_EXPECTED] = 1
        report[_FOUND] = 0
        if not marked_free(at) or holds(manager._base, manager._hhdm, at):
            return _STOCK
        seen += 1
    report[_FOUND] = 1
    report[_EXPECTED] = 0
    # A list that has an object twice never ends.
    return _STOCK if _after(own, at) else 0


@micropython.viper
def _after(own: int, at: int) -> int:
    """Return the object behind `at` in a stock's list, the first for 0."""
    words = ptr32(at if at else own)
    return int(words[0]) | int(words[1]) << 32


@micropython.viper
def _word(virt: int, index: int) -> int:
    return int(ptr32(virt)[index])


class SlabWalk:
    """One walk over the slabs of `manager`, whose blocks are whole."""

    def __init__(self, manager):
        self._pfm = manager
        self._report = array("I", bytes(4 * _REPORT_WORDS))
        self._tally = array("I", bytes(4 * TALLY_WORDS * CLASSES))

    def check(self):
        """Check every slab, class and stock.  Raises InvariantError."""
        with critical():
            self._slabs()
            for number in range(1, CLASSES):
                self._class(number)

    def _judge(self, code, number=0):
        if code:
            pfn, found, expected = self._report
            name = name_of(cache_at(self._pfm._caches, number), number) if number else None
            raise InvariantError(_NAMES[code], pfn or None, name, found, expected)

    def _slabs(self):
        manager = self._pfm
        base = manager._base
        for region in manager.regions:
            if not region.usable:
                continue
            pfn = next_slab(base, region.start, region.end)
            while pfn < region.end:
                self._judge(
                    _slab(base, manager._hhdm, manager._caches, pfn, self._tally, self._report)
                )
                pfn = next_slab(base, pfn + frames(base, pfn), region.end)

    def _class(self, number):
        manager = self._pfm
        cache = cache_at(manager._caches, number)
        address = manager._caches + number * CACHE_SIZE
        slot = number * TALLY_WORDS
        for kept, index in (
            (cache.slabs, TALLY_SLABS),
            (cache.partials, TALLY_PARTIALS),
            (cache.empty, TALLY_EMPTY),
            (cache.taken, TALLY_TAKEN),
        ):
            if kept != self._tally[slot + index]:
                raise InvariantError(
                    "slab-counts", None, name_of(cache, number), kept, self._tally[slot + index]
                )
        self._judge(_list(manager._base, address, number, manager._last, self._report), number)
        for processor in range(manager._processors):
            own = manager._stocks + processor * STOCKS_SIZE + (number << STOCK_SHIFT)
            count = _word(own, _STOCK_COUNT)
            limit = _word(own, _STOCK_LIMIT)
            self._judge(_stock(manager, own, number, self._report, count, limit), number)
