"""The struct of a cache, one for each class, in the control pages.

Those of the classes of `malloc` are written once, at init; a `Cache` takes an unused one and
leaves it unused again.  Nothing of a cache lies on the Python heap, so a `Cache` that was
forgotten, or that a soft reset discarded, leaves a cache as whole as before.

    word   0  lock
           1  size        of an object, in bytes; 0: the class is unused
           2  stride      from one object of a slab to the next
           3  order       of its slabs
           4  align       of its objects
           5  tag         of its frames
           6  generation  how often the class was opened and closed
           7  partial     first slab that has free objects, 0 for none
           8  partials    number of slabs on that list
           9  slabs       number of slabs, or of objects in frames of their own
          10  empty       slabs on the list of which every object is free
          11  taken       objects out of their slabs: in use, or in stocks
          12  name_size   length of the name
       13-19  name        of a `Cache`, in UTF-8

All but the lock is written under the lock.  No class has the number 0: the lock of its struct is
the one of the list of caches, under which a `Cache` is found, opened and closed.
"""

import micropython
import uctypes
from micropython import const

from ..control import CACHE_SIZE, STOCK_SHIFT, fits
from .classes import ALIGN, GENERAL, order_for, size_of, stock_limit
from .redzone import TRAILER

NAME_MAX = const(28)

# Its lock is that of the list.
LIST = const(0)

CACHE = {
    "lock": 0 | uctypes.UINT32,
    "size": 4 | uctypes.UINT32,
    "stride": 8 | uctypes.UINT32,
    "order": 12 | uctypes.UINT32,
    "align": 16 | uctypes.UINT32,
    "tag": 20 | uctypes.UINT32,
    "generation": 24 | uctypes.UINT32,
    "partial": 28 | uctypes.UINT32,
    "partials": 32 | uctypes.UINT32,
    "slabs": 36 | uctypes.UINT32,
    "empty": 40 | uctypes.UINT32,
    "taken": 44 | uctypes.UINT32,
    "name_size": 48 | uctypes.UINT32,
    "name": (52 | uctypes.ARRAY, NAME_MAX | uctypes.UINT8),
}

fits("a cache", uctypes.sizeof(CACHE), CACHE_SIZE)

# The same fields as indices of 32-bit words.
CACHE_OBJECT_SIZE = const(1)
CACHE_STRIDE = const(2)
CACHE_ORDER = const(3)
CACHE_ALIGN = const(4)
CACHE_TAG = const(5)
CACHE_GENERATION = const(6)
CACHE_PARTIAL = const(7)
CACHE_PARTIALS = const(8)
CACHE_SLABS = const(9)
CACHE_EMPTY = const(10)
CACHE_TAKEN = const(11)
CACHE_NAME_SIZE = const(12)
CACHE_NAME_OFFSET = const(52)

# slab/classes.py
_GENERAL = const(64)
_CLASSES = const(128)
_SLAB_OBJECT_MAX = const(32 << 10)
_ALIGN_SHIFT = const(4)

# control.py
_CACHE_SIZE = const(80)
_STOCKS_SIZE = const(128 << 5)

# slab/stock.py
_STOCK_LIMIT = const(3)
_STOCK_STRIDE = const(4)
_STOCK_RECIPROCAL = const(5)
_STOCK_GENERATION = const(6)
_RECIPROCAL_SHIFT = const(31)


def cache_at(caches, number):
    """Return the cache of the class `number` as a `uctypes.struct`."""
    return uctypes.struct(caches + number * CACHE_SIZE, CACHE)


def name_of(cache, number):
    """Return the name of a cache, a struct: that of a `Cache`, or `"malloc 64"`."""
    if number <= GENERAL:
        return "malloc {}".format(cache.size)
    start = uctypes.addressof(cache) + CACHE_NAME_OFFSET
    return str(uctypes.bytes_at(start, cache.name_size), "utf-8")


def stride_for(size, align, debug):
    """Return the distance between objects of `size` bytes; in debug mode it has a red zone."""
    if debug:
        size += TRAILER
    return (size + align - 1) & -align


@micropython.viper
def open_class(cache: int, size: int, stride: int, align: int, tag: int):
    """Make the unused class of `cache` one for objects of `size` bytes; `open_stocks` comes next.

    The lock is held, or nobody knows the class yet.
    """
    c = ptr32(cache)
    c[CACHE_STRIDE] = stride
    c[CACHE_ALIGN] = align
    c[CACHE_TAG] = tag
    c[CACHE_GENERATION] = int(c[CACHE_GENERATION]) + 1
    if stride <= _SLAB_OBJECT_MAX:
        c[CACHE_ORDER] = int(order_for(stride))
    # Last, since it says that the class is in use.
    c[CACHE_OBJECT_SIZE] = size


@micropython.viper
def open_stocks(cache: int, stock: int, processors: int):
    """Make each processor's stock of the class of `cache` ready; `stock` is the first one's."""
    c = ptr32(cache)
    stride = int(c[CACHE_STRIDE])
    while processors:
        s = ptr32(stock)
        if stride <= _SLAB_OBJECT_MAX:
            units = stride >> _ALIGN_SHIFT
            s[_STOCK_LIMIT] = int(stock_limit(stride))
            s[_STOCK_STRIDE] = stride
            # A constant of 32 bits would be an object.
            one = 1
            s[_STOCK_RECIPROCAL] = ((one << _RECIPROCAL_SHIFT) + units - 1) // units
        # Last, since it says for which cache of the class the stock is.
        s[_STOCK_GENERATION] = c[CACHE_GENERATION]
        stock += _STOCKS_SIZE
        processors -= 1


@micropython.viper
def close_stocks(stock: int, processors: int):
    """Make each processor's stock of a class zeros again; `stock` is the first one's."""
    while processors:
        s = ptr32(stock)
        i = 0
        while i <= _STOCK_GENERATION:
            s[i] = 0
            i += 1
        stock += _STOCKS_SIZE
        processors -= 1


@micropython.viper
def close_class(cache: int):
    """Make a class unused that has no slabs; but for its generation it is zeros again."""
    c = ptr32(cache)
    c[CACHE_GENERATION] = int(c[CACHE_GENERATION]) + 1
    i = 1
    while i <= CACHE_NAME_SIZE:
        if i != CACHE_GENERATION:
            c[i] = 0
        i += 1


@micropython.viper
def forget_slabs(cache: int, stock: int, processors: int):
    """Count a class's slabs, and what stocks hold of them, as gone: they are after a soft reset.

    `stock` is the first processor's.
    """
    c = ptr32(cache)
    i = int(CACHE_PARTIAL)
    while i <= CACHE_TAKEN:
        c[i] = 0
        i += 1
    while processors:
        s = ptr32(stock)
        s[0] = 0
        s[1] = 0
        s[2] = 0
        stock += _STOCKS_SIZE
        processors -= 1


def open_general(caches, stocks, processors, debug):
    """Open the classes of `malloc`."""
    for number in range(1, GENERAL + 1):
        size = size_of(number)
        cache = caches + number * CACHE_SIZE
        open_class(cache, size, stride_for(size, ALIGN, debug), ALIGN, 0)
        open_stocks(cache, stocks + (number << STOCK_SHIFT), processors)


@micropython.viper
def word(cache: int, index: int) -> int:
    """Return a word of a cache, without the Python heap."""
    return int(ptr32(cache)[index])


@micropython.viper
def unused_class(caches: int) -> int:
    """Return the first unused class behind those of `malloc`, _CLASSES if there is none."""
    number = _GENERAL + 1
    while number < _CLASSES:
        if int(ptr32(caches + number * _CACHE_SIZE)[CACHE_OBJECT_SIZE]) == 0:
            break
        number += 1
    return number


@micropython.viper
def set_name(cache: int, name: ptr8, size: int):
    """Store the name, of `size` bytes, of a cache that is about to be opened."""
    ptr32(cache)[CACHE_NAME_SIZE] = size
    target = ptr8(cache + CACHE_NAME_OFFSET)
    i = 0
    while i < size:
        target[i] = name[i]
        i += 1
