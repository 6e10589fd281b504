"""Pages of the array that get a frame of their own only when an entry in them is first written.

Most pages of the array say the same: 128 frames, all inside free blocks, or
all reserved.  At init such pages are mapped to one read-only page for all of
them, whose entries have the byte `shared` set.  Whoever is about to write an
entry looks at that byte and calls `touch`, which gives the page a frame of
its own out of a pool that init set aside.  So init does not depend on how
much RAM there is, and memory is written where frames are used.

The pool's state is a struct in the control page, behind the zones:

    word 0     lock
         1     whether page tables are to be written: 1 on the target, 0 on a host
         2, 3  physical address of the pool's next frame
         4, 5  offset of the HHDM
         6     the file of physical memory, on a host
"""

import micropython
import uctypes
from micropython import const

from .errors import LockTimeoutError
from .fill import store_entries
from .lock import context, release, try_acquire

try:
    from cpu import cr3, invlpg
except ImportError:
    cr3 = invlpg = None

# What maps a page on a host, called with (page, file, physical address); set by pfm.testing.
host_map = None

BACKING_OFFSET = const(768)

BACKING = {
    "lock": 0 | uctypes.UINT32,
    "has_tables": 4 | uctypes.UINT32,
    "next_phys": 8 | uctypes.UINT64,
    "hhdm": 16 | uctypes.UINT64,
    "file": 24 | uctypes.UINT32,
}

# frame.py
_BYTE_SHARED = const(13)

# Entries in a page.
_GRANULE = const(1 << 7)

# Intel SDM volume 3, 4.5: levels of tables, and the low bits of an entry, present and writable.
_LEVELS = const(4)
_PRESENT_WRITE = const(3)


def _timeout(owner):
    raise LockTimeoutError("pool of the array", owner)


def backing_at(control_virt):
    """Return the pool's state in the control page at `control_virt` as a `uctypes.struct`."""
    return uctypes.struct(control_virt + BACKING_OFFSET, BACKING)


@micropython.viper
def _leaf(hhdm: int, virt: int) -> int:
    """Return the address of the page table entry that maps the 4 KiB page at `virt`."""
    table = int(cr3()) >> 12 << 12
    shift = 39
    level = int(_LEVELS)
    while level > 1:
        words = ptr32(hhdm + table)
        index = (virt >> shift & 511) << 1
        table = (int(words[index]) >> 12 << 12) | (int(words[index + 1]) & 0xFFFFF) << 32
        shift -= 9
        level -= 1
    return hhdm + table + ((virt >> shift & 511) << 3)


@micropython.viper
def touch(control: int, entry: int):
    """Give the page of `entry` a frame of its own, if it still shares one.

    `control` is the address of the control page, or of a zone in it.  Another
    processor that has the page in its TLB goes on reading the shared page until
    it flushes, and faults when it writes.  Raises LockTimeoutError when another
    processor keeps the pool's lock over the whole bounded wait.
    """
    backing = (control >> 12 << 12) + BACKING_OFFSET
    irq = int(try_acquire(backing, int(context())))
    if irq < 0:
        _timeout(0 - irq)
    if int(ptr8(entry)[_BYTE_SHARED]):
        page = entry >> 12 << 12
        state = ptr32(backing)
        phys = int(state[2]) | int(state[3]) << 32
        hhdm = int(state[4]) | int(state[5]) << 32
        # All entries of the shared page are alike.
        store_entries(hhdm + phys, int(_GRANULE), int(ptr32(page)[0]), 0)
        if int(state[1]):
            leaf = ptr32(_leaf(hhdm, page))
            leaf[1] = (phys >> 32) | int(leaf[1]) >> 31 << 31
            leaf[0] = phys | _PRESENT_WRITE
            invlpg(page)
        else:
            # Without the lock, for a host may refuse, and nobody else runs there.
            release(backing, irq)
            host_map(page, int(state[6]), phys)
        state[2] = phys + 4096
        state[3] = (phys + 4096) >> 32
    release(backing, irq)


@micropython.viper
def touch_range(control: int, base: int, start: int, end: int):
    """`touch` every page of the entries `start`..`end` that still shares its frame."""
    while start < end:
        entry = base + (start << 5)
        if int(ptr8(entry)[_BYTE_SHARED]):
            touch(control, entry)
        start = (start >> 7 << 7) + 128
