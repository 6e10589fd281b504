"""Size classes: the class of a size, the size of a class, and the order of a class's slabs.

    class    1   2   3   4    5   6    7    8    9   10   11   12  ...        64
    bytes   16  32  48  64   80  96  112  128  160  192  224  256  ... 2,097,152

Up to 64 bytes a class is a multiple of 16; from there each doubling has four, so that rounding
a size up to its class adds a fifth of the object at most, a tenth on average.
"""

import micropython
from micropython import const

# Objects begin at multiples of this, the strictest alignment that C asks for on x86-64
# (System V ABI, 3.1.2).  It is also what a free object needs for its link and its mark.
ALIGN = const(16)
_ALIGN_SHIFT = const(4)

SIZE_MAX = const(2 << 20)

# The classes of `malloc` are 1 to GENERAL, those of caches follow.  `size_class` 0 is none.
GENERAL = const(64)
CLASSES = const(128)

# Larger objects are runs of frames of their own.
SLAB_OBJECT_MAX = const(32 << 10)

# Of a slab, at most 1/16 is left over behind its last object.
_LEFT_SHIFT = const(4)

# address.py
_PAGE_SIZE = const(1 << 12)

# A stock holds at most this many objects, and at most this many bytes.
_STOCK_OBJECTS = const(64)
_STOCK_BYTES = const(32 << 10)


@micropython.viper
def class_of(size: int) -> int:
    """Return the class of `malloc` for objects of `size` bytes, 1 to SIZE_MAX."""
    units = (size - 1) >> _ALIGN_SHIFT
    number = 1
    while units >= 8:
        units >>= 1
        number += 4
    return number + units


@micropython.viper
def size_of(number: int) -> int:
    """Return the size in bytes of the objects of the class `number`, 1 to GENERAL."""
    if number <= 4:
        return number << _ALIGN_SHIFT
    number -= 5
    return (5 + (number & 3)) << (_ALIGN_SHIFT + (number >> 2))


@micropython.viper
def order_for(stride: int) -> int:
    """Return the order of slabs for objects `stride` bytes apart: the least that wastes 1/16 at most."""
    order = 0
    while True:
        size = _PAGE_SIZE << order
        if size >= stride and size % stride <= size >> _LEFT_SHIFT:
            return order
        order += 1


@micropython.viper
def lowest_order(size: int) -> int:
    """Return the least order of a block of at least `size` bytes."""
    order = 0
    while (_PAGE_SIZE << order) < size:
        order += 1
    return order


@micropython.viper
def stock_limit(stride: int) -> int:
    """Return how many objects `stride` bytes apart a processor's stock may hold."""
    limit = _STOCK_BYTES // stride
    return limit if limit < _STOCK_OBJECTS else _STOCK_OBJECTS
