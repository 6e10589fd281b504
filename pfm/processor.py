"""What calls need at hand: one struct in the control page, whose address is all they hold.

    word 0, 1  address of the frame array
         2, 3  first and last frame
         4     highest zone
         5     `lock.PLAIN`
         6     flags that a change inverts after setting them: 0 to set, all to clear
         7     offset of the first processor's magazine in the control page
         8     first frame of the highest zone
         9     number of processors that have a magazine
        10, 11 offset of the HHDM
        12, 13 address of the first processor's stocks of objects

It is there twice: `clear_flags` has its own, which differs in word 6 alone.

The 512 bytes that each processor has of its own begin with its magazine.  Further on they have

    word 72    number of guards that hold a frame's lock
         73    interrupt state before the first of them
"""

import micropython
import uctypes
from micropython import const

from .control import CPU_CLEAR_OFFSET, CPU_OFFSET, CPU_SIZE, MAGAZINES_OFFSET, fits
from .frame.flags import FLAGS_MASK
from .lock import PLAIN

CPU = {
    "base": 0 | uctypes.UINT64,
    "first": 8 | uctypes.UINT32,
    "last": 12 | uctypes.UINT32,
    "top": 16 | uctypes.UINT32,
    "plain": 20 | uctypes.UINT32,
    "turned": 24 | uctypes.UINT32,
    "magazine": 28 | uctypes.UINT32,
    "top_first": 32 | uctypes.UINT32,
    "processors": 36 | uctypes.UINT32,
    "hhdm": 40 | uctypes.UINT64,
    "stocks": 48 | uctypes.UINT64,
}

fits("a processor's struct", uctypes.sizeof(CPU), CPU_SIZE)

# Its words.
CPU_FIRST = const(2)
CPU_LAST = const(3)
CPU_TOP = const(4)
CPU_PLAIN = const(5)
CPU_TURNED = const(6)
CPU_MAGAZINE = const(7)
CPU_TOP_FIRST = const(8)
CPU_PROCESSORS = const(9)
CPU_HHDM = const(10)
CPU_STOCKS = const(12)

# Words of a processor's own.
OWN_GUARDS = const(72)
OWN_IRQ = const(73)

# control.py
_CPU_OFFSET = const(832)
_MAGAZINES_OFFSET = const(1024)
_MAGAZINE_SHIFT = const(9)


@micropython.viper
def guards(cpu: int) -> int:
    """Return how many guards hold a frame's lock, on all processors."""
    count = 0
    processor = 0
    while processor < int(ptr32(cpu)[CPU_PROCESSORS]):
        at = cpu - _CPU_OFFSET + _MAGAZINES_OFFSET + (processor << _MAGAZINE_SHIFT)
        count += int(ptr32(at)[OWN_GUARDS])
        processor += 1
    return count


@micropython.viper
def _forget_guards(cpu: int):
    processor = 0
    while processor < int(ptr32(cpu)[CPU_PROCESSORS]):
        at = cpu - _CPU_OFFSET + _MAGAZINES_OFFSET + (processor << _MAGAZINE_SHIFT)
        ptr32(at)[OWN_GUARDS] = 0
        processor += 1


@micropython.viper
def set_top(cpu: int, zone: int, first: int):
    """Make `zone`, whose first frame is `first`, the zone where allocations start."""
    h = ptr32(cpu)
    h[CPU_TOP] = zone
    h[CPU_TOP_FIRST] = first


def write(page, frames, processors, hhdm, stocks):
    """Write both structs to the control page at `page`; return the address of the first.

    `hhdm` is the offset of the HHDM, `stocks` the address of the first processor's stocks.  No
    processor has guards then.
    """
    for offset, turned in ((CPU_OFFSET, 0), (CPU_CLEAR_OFFSET, FLAGS_MASK)):
        state = uctypes.struct(page + offset, CPU)
        state.base = frames.base
        state.first = frames.first
        state.last = frames.count - 1
        state.top = 0
        state.top_first = 0
        state.plain = PLAIN
        state.turned = turned
        state.magazine = MAGAZINES_OFFSET
        state.processors = processors
        state.hhdm = hhdm
        state.stocks = stocks
    _forget_guards(page + CPU_OFFSET)
    return page + CPU_OFFSET
