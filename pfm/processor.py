"""What a processor's calls need at hand: one struct in the control page, whose address is all they hold.

    word 0, 1  address of the frame array
         2, 3  first and last frame
         4     highest zone
         5     `lock.PLAIN`
         6     flags that a change inverts after setting them: 0 to set, all to clear
         7     offset of the processor's magazine in the control page
         8     first frame of the highest zone
         9     number of guards that hold a frame's lock
        10     interrupt state before the first of them
        11     number under which the processor holds locks
        12, 13 offset of the HHDM
        14, 15 address of the processor's stocks of objects

It is there twice: `clear_flags` has its own, which differs in word 6 alone.
"""

import micropython
import uctypes
from micropython import const

from .control import CPU_CLEAR_OFFSET, CPU_OFFSET, CPU_SIZE, MAGAZINES_OFFSET, fits
from .frame.flags import FLAGS_MASK
from .lock import PLAIN, context

CPU = {
    "base": 0 | uctypes.UINT64,
    "first": 8 | uctypes.UINT32,
    "last": 12 | uctypes.UINT32,
    "top": 16 | uctypes.UINT32,
    "plain": 20 | uctypes.UINT32,
    "turned": 24 | uctypes.UINT32,
    "magazine": 28 | uctypes.UINT32,
    "top_first": 32 | uctypes.UINT32,
    "guards": 36 | uctypes.UINT32,
    "irq": 40 | uctypes.UINT32,
    "owner": 44 | uctypes.UINT32,
    "hhdm": 48 | uctypes.UINT64,
    "stocks": 56 | uctypes.UINT64,
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
CPU_GUARDS = const(9)
CPU_IRQ = const(10)
CPU_OWNER = const(11)
CPU_HHDM = const(12)
CPU_STOCKS = const(14)


@micropython.viper
def guards(cpu: int) -> int:
    """Return how many guards hold a frame's lock."""
    return int(ptr32(cpu)[CPU_GUARDS])


@micropython.viper
def set_top(cpu: int, zone: int, first: int):
    """Make `zone`, whose first frame is `first`, the zone where allocations start."""
    h = ptr32(cpu)
    h[CPU_TOP] = zone
    h[CPU_TOP_FIRST] = first


def write(page, frames, hhdm, stocks):
    """Write both structs to the control page at `page`; return the address of the first.

    `hhdm` is the offset of the HHDM, `stocks` the address of the processor's stocks.
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
        state.guards = 0
        state.owner = context()
        state.hhdm = hhdm
        state.stocks = stocks
    return page + CPU_OFFSET
