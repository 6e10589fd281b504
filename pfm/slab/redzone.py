"""Red zones: what debug mode puts behind each object, and what it fills free objects with.

An object ends with a trailer:

    word 0, 1  RED
         2     bytes asked for; 0: the object is free
         3     tag: who allocated
         4 - 7 RED

Between the bytes asked for and the trailer stands RED_BYTE.  A write past the object's end is
found there when the object is freed, one before its beginning in the trailer before it.  A free
object is filled with POISON but for its link and mark, and verified when it is allocated.
Source: Linux, Documentation/mm/slub.rst (`slab_debug=FZPU`).
"""

import micropython
from micropython import const

# alloc/poison.py
_POISON = const(0x2AFEF1EE)

TRAILER = const(32)

RED_BYTE = const(0x2B)
RED = const(0x2B2B2B2B)

_SIZE_OFFSET = const(8)
_TAG_OFFSET = const(12)

# Bytes of a free object that hold its link and mark.
_LINK_SIZE = const(12)


@micropython.viper
def arm(virt: int, end: int, size: int, tag: int):
    """Write the trailer of an object of `size` bytes that is allocated; it ends at `end`."""
    p = ptr8(virt)
    stop = end - TRAILER - virt
    i = size
    while i < stop:
        p[i] = RED_BYTE
        i += 1
    t = ptr32(end - TRAILER)
    i = 0
    while i < 8:
        t[i] = RED
        i += 1
    t[2] = size
    t[3] = tag


@micropython.viper
def disarm(virt: int, end: int):
    """Fill an object that is freed, and has no link yet, with poison; its trailer says so."""
    w = ptr32(virt + _LINK_SIZE)
    stop = (end - TRAILER - virt - _LINK_SIZE) >> 2
    i = 0
    while i < stop:
        w[i] = _POISON
        i += 1
    t = ptr32(end - TRAILER)
    i = 0
    while i < 8:
        t[i] = RED
        i += 1
    t[2] = 0
    t[3] = 0


@micropython.viper
def disarm_all(virt: int, count: int, stride: int):
    """Do as `disarm` for the `count` objects of a new slab."""
    while count:
        disarm(virt, virt + stride)
        virt += stride
        count -= 1


@micropython.viper
def size(end: int) -> int:
    """Return the bytes asked for of the object that ends at `end`, 0 if it is free."""
    return int(ptr32(end - TRAILER + _SIZE_OFFSET)[0])


@micropython.viper
def tag(end: int) -> int:
    """Return the tag of the object that ends at `end`."""
    return int(ptr32(end - TRAILER + _TAG_OFFSET)[0])


@micropython.viper
def overrun(virt: int, end: int) -> int:
    """Return the address of the first byte behind an object in use that was written, 0 for none."""
    t = ptr32(end - TRAILER)
    length = int(t[2])
    p = ptr8(virt)
    stop = end - virt
    if length > stop - TRAILER:
        return end - TRAILER + _SIZE_OFFSET
    i = length
    while i < stop:
        # The size and the tag.
        if i == stop - TRAILER + _SIZE_OFFSET:
            i += 8
        if int(p[i]) != RED_BYTE:
            return virt + i
        i += 1
    return 0


@micropython.viper
def spoiled(virt: int, end: int) -> int:
    """Return the address of the first word of a free object that was written, 0 for none."""
    w = ptr32(virt + _LINK_SIZE)
    stop = (end - TRAILER - virt - _LINK_SIZE) >> 2
    i = 0
    while i < stop:
        if int(w[i]) != _POISON:
            return virt + _LINK_SIZE + (i << 2)
        i += 1
    t = ptr32(end - TRAILER)
    i = 0
    while i < 8:
        if i != 2 and i != 3 and int(t[i]) != RED:
            return end - TRAILER + (i << 2)
        i += 1
    return 0


@micropython.viper
def byte_at(virt: int) -> int:
    """Return the byte at the address `virt`."""
    return int(ptr8(virt)[0])
