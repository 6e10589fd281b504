"""Zones: ranges of frames that narrow devices can address, each with its own free lists.

A zone's state is a struct in the control page, which viper code reaches without the Python
heap:

    word   0  lock
           1  free        frames on the free lists
           2  start       first frame
           3  end         past the last frame, in 32 bits by `PFN_LIMIT`
           4  managed     all frames that were ever given to the free lists
           5  watermark   frames left by allocations that may use a higher zone
           6  orders      bit n is set while the list of order n has a block
           7  present     frames with RAM
       8+2n  head        PFN of the first free block of order n, 0 for none
       9+2n  blocks      length of that list
"""

import micropython
import uctypes
from micropython import const

from ..address import PAGE_SHIFT, PFN_LIMIT
from ..arguments import number
from ..control import ZONE_SIZE, ZONES, fits
from ..units import human_size

# The largest block is 1 GiB, the largest page of x86-64.
ORDER_MAX = const(18)

# The ISA bus has 24 address lines, a 32-bit PCI device 32.
DMA_END = const(1 << (24 - 12))
DMA32_END = const(1 << (32 - 12))

ZONE = {
    "lock": 0 | uctypes.UINT32,
    "free": 4 | uctypes.UINT32,
    "start": 8 | uctypes.UINT32,
    "end": 12 | uctypes.UINT32,
    "managed": 16 | uctypes.UINT32,
    "watermark": 20 | uctypes.UINT32,
    "orders": 24 | uctypes.UINT32,
    "present": 28 | uctypes.UINT32,
    "lists": (
        32 | uctypes.ARRAY,
        ORDER_MAX + 1,
        {"head": 0 | uctypes.UINT32, "blocks": 4 | uctypes.UINT32},
    ),
}

fits("a zone", uctypes.sizeof(ZONE), ZONE_SIZE)

# The same fields as indices of 32-bit words; a list has its head and its length.
ZONE_FREE = const(1)
ZONE_START = const(2)
ZONE_END = const(3)
ZONE_MANAGED = const(4)
ZONE_WATERMARK = const(5)
ZONE_ORDERS = const(6)
ZONE_PRESENT = const(7)
ZONE_LISTS = const(8)
LISTS_OFFSET = const(32)
LIST_SIZE = const(8)
LIST_SHIFT = const(3)
LIST_LENGTH = const(1)

# A zone keeps 1/128 of its frames, at most 8 MiB, from allocations that may use a higher zone.
_WATERMARK_SHIFT = const(7)
_WATERMARK_MAX = const(2048)


class _Zones:
    """The zones by number; as an argument, a zone means itself and those below it."""

    DMA = const(0)
    DMA32 = const(1)
    NORMAL = const(2)
    NAMES = ("DMA", "DMA32", "NORMAL")
    # First frame of each zone, and the end of the last.
    BOUNDS = (0, DMA_END, DMA32_END, PFN_LIMIT)

    def __repr__(self):
        parts = [
            "{} = {} below {}".format(name, zone, human_size(self.BOUNDS[zone + 1] << PAGE_SHIFT))
            for zone, name in enumerate(self.NAMES)
        ]
        return "<Zone: {}>".format(", ".join(parts))


# An instance, for its text at the prompt.
Zone = _Zones()


@micropython.native
def zone_of(pfn):
    """Return the zone of the frame `pfn`."""
    if pfn < DMA_END:
        return 0
    return 1 if pfn < DMA32_END else 2


def zone_number(zone):
    """Return the argument `zone` as a plain int.  Raises TypeError, ArgumentError."""
    return number("zone", zone, 0, ZONES - 1, "Zone.DMA, DMA32 or NORMAL")


def zone_at(control_virt, zone):
    """Return the state of `zone` in the control page at `control_virt` as a `uctypes.struct`."""
    return uctypes.struct(control_virt + zone * ZONE_SIZE, ZONE)


@micropython.viper
def watermark(managed: int) -> int:
    """Return the low watermark of a zone of `managed` frames."""
    share = managed >> _WATERMARK_SHIFT
    return share if share < _WATERMARK_MAX else _WATERMARK_MAX


@micropython.viper
def set_bounds(zone_virt: int, start: int, end: int):
    """Set the bounds of the zone at `zone_virt` to the frames `start`..`end`."""
    z = ptr32(zone_virt)
    z[ZONE_START] = start
    z[ZONE_END] = end


@micropython.viper
def add_present(zone_virt: int, frames: int):
    """Add `frames` to the frames with RAM of the zone at `zone_virt`."""
    z = ptr32(zone_virt)
    z[ZONE_PRESENT] = int(z[ZONE_PRESENT]) + frames


@micropython.viper
def add_managed(zone_virt: int, frames: int):
    """Add `frames` to the managed frames of the zone at `zone_virt`; raise its watermark."""
    z = ptr32(zone_virt)
    managed = int(z[ZONE_MANAGED]) + frames
    z[ZONE_MANAGED] = managed
    z[ZONE_WATERMARK] = int(watermark(managed))
