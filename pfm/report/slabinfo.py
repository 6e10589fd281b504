"""Object caches in a table: how many objects, in how many slabs, and how many frames they take."""

from array import array
from collections import namedtuple

import micropython
from micropython import const

from ..address import PAGE_SHIFT
from ..control import STOCK_SHIFT, STOCKS_SIZE
from ..slab import stock
from ..slab.caches import cache_at, name_of
from ..slab.classes import CLASSES, GENERAL, SLAB_OBJECT_MAX
from ..units import human_size
from .report import Report, spans

# address.py
_PAGE_SIZE = const(1 << 12)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_FREE = const(1)
_USED = const(2)
_CACHED = const(4)
_ORDER_MASK = const(31)
_STATE_SHIFT = const(24)
_STATE_KIND_SHIFT = const(5)
_WORD_NEXT = const(1)
_WORD_RC = const(3)
_RC_SHIFT = const(16)
_WORD_LIST_LOW = const(4)
_WORD_LIST_HIGH = const(5)

# slab/classes.py
_CLASSES = const(128)
_SLAB_OBJECT_MAX = const(32 << 10)

# slab/caches.py
_CACHE_STRIDE = const(2)

# slab/slabs.py
_RC_IDLE = const(2)
_CLASS_MASK = const(0xFF)

# control.py
_CACHE_SIZE = const(80)

# Words of a census, four for each class.
_SLABS = const(0)
_FRAMES = const(1)
_OBJECTS = const(2)
_TAKEN = const(3)
_WORDS = const(4)

# One cache.  `objects` fit into its `slabs`, which take `frames`; `used` of them are in use and
# `stocked` in stocks of processors; the others are free in their slabs, `empty` of which are
# wholly free.
CacheInfo = namedtuple(
    "CacheInfo",
    ("name", "size", "slabs", "empty", "frames", "objects", "used", "stocked", "tag"),
)


_ROW = "{:<14} {:>7} {:>6} {:>5} {:>7} {:>7} {:>7} {:>9}{}"


@micropython.viper
def _census(base: int, caches: int, at: int, end: int, counts: ptr32):
    """Add the slabs of the frames `at`..`end` to `counts`.  Cost: a step per block."""
    while at < end:
        e = ptr32(base + (at << _ENTRY_SHIFT))
        state = int(e[0]) >> _STATE_SHIFT
        size = 1
        if _FREE <= (state >> _STATE_KIND_SHIFT) and (state >> _STATE_KIND_SHIFT) <= _CACHED:
            size = 1 << (state & _ORDER_MASK)
        if (state >> _STATE_KIND_SHIFT) == _USED and (
            int(e[_WORD_LIST_LOW]) | int(e[_WORD_LIST_HIGH])
        ):
            number = int(e[_WORD_RC]) & _CLASS_MASK & (_CLASSES - 1)
            slot = number * _WORDS
            stride = int(ptr32(caches + number * _CACHE_SIZE)[_CACHE_STRIDE])
            taken = 1
            objects = 1
            frames = size
            if stride > _SLAB_OBJECT_MAX:
                if int(e[_WORD_NEXT]):
                    frames = int(e[_WORD_NEXT])
            elif stride:
                taken = (int(e[_WORD_RC]) >> _RC_SHIFT) - _RC_IDLE
                objects = (_PAGE_SIZE * size) // stride
            counts[slot + _SLABS] = int(counts[slot + _SLABS]) + 1
            counts[slot + _FRAMES] = int(counts[slot + _FRAMES]) + frames
            counts[slot + _OBJECTS] = int(counts[slot + _OBJECTS]) + objects
            counts[slot + _TAKEN] = int(counts[slot + _TAKEN]) + taken
        at += size


class SlabInfo(Report):
    """The object caches that have slabs or a name: `caches` has a `CacheInfo` for each.

    `frames` is the number of frames that all their slabs take, `used` the bytes of the objects
    in use, by the sizes of their classes.
    """

    def __init__(self, manager):
        super().__init__()
        counts = array("I", bytes(4 * _WORDS * CLASSES))
        for start, end in spans(manager.regions):
            _census(manager.array.address, manager._caches, start, end, counts)
        self.caches = []
        self.frames = 0
        self.used = 0
        for number in range(1, CLASSES):
            cache = cache_at(manager._caches, number)
            slabs, frames, objects, taken = counts[number * _WORDS : (number + 1) * _WORDS]
            if not cache.size and not slabs:
                continue
            name = name_of(cache, number)
            self.compare("slabs of {}".format(name), slabs, cache.slabs)
            self.compare("objects out of slabs of {}".format(name), taken, cache.taken)
            if not slabs and number <= GENERAL:
                continue
            stocked = 0
            for processor in range(manager._processors):
                own = manager._stocks + processor * STOCKS_SIZE + (number << STOCK_SHIFT)
                stocked += stock.count(own)
            used = taken - stocked
            self.frames += frames
            # An object with frames of its own has as many as it asked for.
            large = cache.stride > SLAB_OBJECT_MAX
            self.used += frames << PAGE_SHIFT if large else used * cache.size
            self.caches.append(
                CacheInfo(
                    name,
                    cache.size,
                    slabs,
                    cache.empty,
                    frames,
                    objects,
                    used,
                    stocked,
                    cache.tag,
                )
            )

    def lines(self):
        """Yield the lines of the printed table."""
        yield _ROW.format(
            "Cache", "Size", "Slabs", "Empty", "Objects", "Used", "Stocked", "Memory", "  Tag"
        )
        for row in self.caches:
            yield _ROW.format(
                row.name,
                row.size,
                row.slabs,
                row.empty,
                row.objects,
                row.used,
                row.stocked,
                human_size(row.frames << PAGE_SHIFT),
                "  0x{:x}".format(row.tag) if row.tag else "",
            )
        yield "Objects in use: {} of {} ({})".format(
            human_size(self.used), human_size(self.frames << PAGE_SHIFT), self.verdict()
        )
