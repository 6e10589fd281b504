"""Layout of the control pages: the allocator's own state in memory.

    offset            contents
         0 to   767   the structs of the three zones (alloc/zone.py)
       768 to   831   the pool of frames for array pages (array/populate.py)
       832 to   895   what all processors' calls need (processor.py)
       896 to   959   the same struct for `clear_flags`
      1024            512 bytes per processor, its own: a magazine (alloc/magazine.py),
                      and from byte 288 on its guards (processor.py)
      behind them     the structs of the object caches (slab/caches.py)
      behind them     stocks of objects, one set per processor (slab/stock.py)

They start at the first of the array's own frames, so viper code reaches them without the
Python heap, and they survive a soft reset.
"""

from micropython import const

ZONES_OFFSET = const(0)
ZONE_SIZE = const(256)
ZONE_SHIFT = const(8)
ZONES = const(3)

POOL_OFFSET = const(768)
POOL_SIZE = const(64)

CPU_OFFSET = const(832)
CPU_CLEAR_OFFSET = const(896)
CPU_SIZE = const(64)

MAGAZINES_OFFSET = const(1024)
MAGAZINE_SIZE = const(512)
MAGAZINE_SHIFT = const(9)

# For 128 classes of objects each.
CACHE_SIZE = const(80)
CACHES_SIZE = const(128 * 80)
STOCK_SHIFT = const(5)
STOCKS_SIZE = const(128 << 5)
STOCKS_SHIFT = const(12)


def caches_offset(processors):
    """Return the offset of the object caches' structs."""
    return MAGAZINES_OFFSET + processors * MAGAZINE_SIZE


def stocks_offset(processors):
    """Return the offset of the first processor's stocks of objects."""
    return caches_offset(processors) + CACHES_SIZE


def size(processors):
    """Return the size of the control memory for `processors` processors, in bytes."""
    return stocks_offset(processors) + processors * STOCKS_SIZE


def fits(what, found, room):
    """Raise ValueError if `what`, of `found` bytes, exceeds its `room` in the control page."""
    if found > room:
        raise ValueError("{} takes {} bytes, but has room for {}".format(what, found, room))


def _check_layout():
    end = 0
    for offset, length in (
        (ZONES_OFFSET, ZONES * ZONE_SIZE),
        (POOL_OFFSET, POOL_SIZE),
        (CPU_OFFSET, CPU_SIZE),
        (CPU_CLEAR_OFFSET, CPU_SIZE),
        (MAGAZINES_OFFSET, MAGAZINE_SIZE),
    ):
        if offset < end:
            raise ValueError("control page: {} overlaps what ends at {}".format(offset, end))
        end = offset + length


_check_layout()
