"""The calls that a kernel makes all the time, each a viper function with nothing left out that it must check.

They read what they need from one struct in the control page and do the common
case: a frame in bounds whose lock is free, an allocation without wishes that the
magazine or one zone satisfies.  In any other case they change nothing and say
so, and the caller takes the long way, which also raises the errors.

    word 0, 1  address of the frame array
         2, 3  first and last frame, 1 and 0 before init
         4     highest zone
         5     whether plain loads and stores are atomic enough (lock.PLAIN)
         6     whether freed frames are filled with junk
         7     bytes from the control page to the processor's magazine
"""

import micropython
import uctypes
from micropython import const

from .buddy import give, take
from .bulk import drain_magazine
from .lock import context, disable_irq, enable_irq, release, try_acquire
from .ownership import retire

HOT_OFFSET = const(832)

HOT = {
    "base": 0 | uctypes.UINT64,
    "first": 8 | uctypes.UINT32,
    "last": 12 | uctypes.UINT32,
    "top": 16 | uctypes.UINT32,
    "plain": 20 | uctypes.UINT32,
    "debug": 24 | uctypes.UINT32,
    "magazine": 28 | uctypes.UINT32,
}

# Small integers in this range are what a frame number, or flags, can be; `x & MASK is x`
# tells them from everything else that converts to an integer, or overflows one.
# Computed at run time: frozen, a constant of this size is no small integer.
_PFN_BITS = 32
_PFN_MASK = (1 << _PFN_BITS) - 1
_FLAGS_MASK = 0xFFFF

# frame.py
_USED = const(2)
_CACHED = const(4)
_COMPOUND_TAIL = const(5)
_ABSENT = const(7)
_BYTE_SHARED = const(13)

# flags.py
_SMALL = const(1 << 4)

# zone.py
_ORDER_MAX = const(18)
_ZONE_SHIFT = const(8)
_DMA_END = const(1 << 12)
_DMA32_END = const(1 << 20)

# allocator.py
_MAGAZINE_FRAMES = const(64)
_MAGAZINE_BATCH = const(32)


@micropython.viper
def change_flags(hot: int, pfn, flags, on: int) -> int:
    """Set (`on` 1) or clear the bits `flags` of the frame under its lock; return 1, or 0 for the long way."""
    if (pfn & _PFN_MASK) is not pfn or (flags & _FLAGS_MASK) is not flags:
        return 0
    h = ptr32(hot)
    frame = int(pfn)
    if frame < int(h[2]) or frame > int(h[3]):
        return 0
    entry = (int(h[0]) | int(h[1]) << 32) + (frame << 5)
    e = ptr32(entry)
    if (int(e[0]) >> 29) == _ABSENT or int(ptr8(entry)[_BYTE_SHARED]):
        return 0
    plain = int(h[5])
    irq = 0
    if plain:
        if int(e[6]):
            return 0
    else:
        irq = int(try_acquire(entry + 24, int(context())))
        if irq < 0:
            return 0
    field = ptr16(entry)
    if on:
        field[0] = int(field[0]) | int(flags)
    else:
        field[0] = int(field[0]) & ~int(flags)
    if plain == 0:
        release(entry + 24, irq)
    return 1


@micropython.viper
def flags_of(hot: int, pfn, flags) -> int:
    """Return the frame's flags, or -1 for the long way.  Takes no lock."""
    if (pfn & _PFN_MASK) is not pfn or (flags & _FLAGS_MASK) is not flags:
        return 0 - 1
    h = ptr32(hot)
    frame = int(pfn)
    if frame < int(h[2]) or frame > int(h[3]):
        return 0 - 1
    return int(ptr16((int(h[0]) | int(h[1]) << 32) + (frame << 5))[0])


@micropython.viper
def quick_alloc(hot: int, order) -> int:
    """Return a frame as `alloc(order)` does, or 0 for the long way."""
    if (order & _FLAGS_MASK) is not order:
        return 0
    h = ptr32(hot)
    k = int(order)
    if k > _ORDER_MAX or int(h[6]) or int(h[3]) < int(h[2]):
        return 0
    plain = int(h[5])
    control = hot - HOT_OFFSET
    base = int(h[0]) | int(h[1]) << 32
    irq = 0
    pfn = 0
    word = int(_USED) << 29
    if k == 0:
        word = word | _SMALL
        if plain == 0:
            irq = int(disable_irq())
        m = ptr32(control + int(h[7]))
        count = int(m[0])
        if count:
            pfn = int(m[count])
            m[0] = count - 1
        if plain == 0:
            enable_irq(irq)
    else:
        word = word | k << 24 | k << 16
        zone = control + (int(h[4]) << _ZONE_SHIFT)
        if plain:
            if int(ptr32(zone)[0]) == 0:
                pfn = int(take(zone, base, k))
        else:
            irq = int(try_acquire(zone, int(context())))
            if irq < 0:
                return 0
            pfn = int(take(zone, base, k))
            release(zone, irq)
    if pfn:
        e = ptr32(base + (pfn << 5))
        e[0] = word
        e[1] = 0
        e[2] = 0
        e[3] = 1 << 16
        e[4] = 0
        e[5] = 0
        e[7] = 0
    return pfn


@micropython.viper
def quick_free(hot: int, pfn) -> int:
    """Free a block, no run and not compound, whose last reference this is; return 1, or 0 for the long way."""
    if (pfn & _PFN_MASK) is not pfn:
        return 0
    h = ptr32(hot)
    frame = int(pfn)
    if frame < int(h[2]) or frame > int(h[3]) or int(h[6]):
        return 0
    base = int(h[0]) | int(h[1]) << 32
    entry = base + (frame << 5)
    e = ptr32(entry)
    word = int(e[0])
    # A used head with one reference, and no run's.
    if (word >> 29) != _USED or (int(e[3]) >> 16) != 1 or int(e[1]):
        return 0
    order = (word >> 24) & 31
    if order and (int(e[8]) >> 29) == _COMPOUND_TAIL:
        return 0
    top = int(h[4])
    number = 2
    if frame < _DMA32_END:
        number = 1 if frame >= _DMA_END else 0
    cached = 1 if order == 0 and number == top else 0
    plain = int(h[5])
    control = hot - HOT_OFFSET
    zone = control + (number << _ZONE_SHIFT)
    if plain:
        if int(e[6]) or int(ptr32(zone)[0]):
            return 0
        e[0] = 0
        e[3] = 0
    elif cached == 0 or int(ptr32(control + int(h[7]))[0]) == _MAGAZINE_FRAMES:
        return 0
    else:
        if int(retire(entry, int(context()), 0)) < 0:
            return 0
    if cached:
        irq = 0
        if plain == 0:
            irq = int(disable_irq())
        magazine = control + int(h[7])
        m = ptr32(magazine)
        if int(m[0]) == _MAGAZINE_FRAMES:
            drain_magazine(zone, base, magazine, int(_MAGAZINE_BATCH))
        count = int(m[0]) + 1
        e[0] = int(_CACHED) << 29
        m[count] = frame
        m[0] = count
        if plain == 0:
            enable_irq(irq)
    else:
        give(zone, base, frame, order)
    return 1
