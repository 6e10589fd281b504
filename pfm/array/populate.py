"""Array pages that share one read-only frame until an entry in them is first written.

Most pages of the array hold 128 identical entries: all inside free blocks, or all reserved.
At init such pages are mapped to one read-only page per kind, whose entries have the byte
`shared` set.  Code that is about to write an entry checks that byte and calls `populate`,
which maps the page to a frame of its own, taken from a pool that init set aside.  So the cost
of init does not depend on the size of RAM, and the array's memory is written only for frames
in use.

The pool's state is a struct in the control page, after the zones:

    word 0     lock
         1     whether page tables are to be written: 1 on the target, 0 on the unix port
         2, 3  physical address of the pool's next frame
         4, 5  offset of the HHDM
         6     the file of physical memory, on the unix port
"""

import micropython
import uctypes
from micropython import const

from ..control import POOL_OFFSET, POOL_SIZE, fits
from ..errors import LockTimeoutError
from ..fill import store_entries
from ..lock import context, release, try_acquire

try:
    from cpu import cr3, flush, store64
except ImportError:
    cr3 = flush = store64 = None

# address.py
_PAGE_SHIFT = const(12)
_PAGE_SIZE = const(1 << 12)

# control.py
_POOL_OFFSET = const(768)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_GRANULE_SHIFT = const(7)
_GRANULE = const(128)
_BYTE_SHARED = const(13)

# On the unix port `mmap` plays the part of page tables: this maps one page, called with (page,
# file, physical address); set by pfm.testing.
host_map = None

POOL = {
    "lock": 0 | uctypes.UINT32,
    "has_tables": 4 | uctypes.UINT32,
    "next_phys": 8 | uctypes.UINT64,
    "hhdm": 16 | uctypes.UINT64,
    "file": 24 | uctypes.UINT32,
}

fits("the pool", uctypes.sizeof(POOL), POOL_SIZE)

# Bounded waits for the pool's lock, of about a second each: more than the 40 seconds after which
# the kernel takes a processor for hung that does not answer a flush (kernel/mcu/x86_64/smp.c).
_POOL_TRIES = const(64)

# Words of the struct.
_HAS_TABLES = const(1)
_NEXT_LOW = const(2)
_NEXT_HIGH = const(3)
_HHDM_LOW = const(4)
_HHDM_HIGH = const(5)
_POOL_FILE = const(6)

# Intel SDM volume 3, 4.5: levels of tables, mask of an index into a table, size of an entry as
# a shift; in an entry's upper half the address bits and NX, in its lower half the bits present
# and writable.
_LEVELS = const(4)
_INDEX_MASK = const(511)
_TABLE_ENTRY_SHIFT = const(3)
_PHYS_HIGH = const(0xFFFFF)
_NX_SHIFT = const(31)
_PRESENT_WRITE = const(3)


def _timeout(owner):
    raise LockTimeoutError("pool of the array", owner)


def pool_at(control_virt):
    """Return the pool's state in the control page at `control_virt` as a `uctypes.struct`."""
    return uctypes.struct(control_virt + POOL_OFFSET, POOL)


@micropython.viper
def _leaf(hhdm: int, virt: int) -> int:
    """Return the address of the page table entry that maps the 4 KiB page at `virt`."""
    table = int(cr3()) >> _PAGE_SHIFT << _PAGE_SHIFT
    shift = 39
    level = int(_LEVELS)
    while level > 1:
        words = ptr32(hhdm + table)
        index = (virt >> shift & _INDEX_MASK) << 1
        table = (int(words[index]) >> _PAGE_SHIFT << _PAGE_SHIFT) | (
            int(words[index + 1]) & _PHYS_HIGH
        ) << 32
        shift -= 9
        level -= 1
    return hhdm + table + ((virt >> shift & _INDEX_MASK) << _TABLE_ENTRY_SHIFT)


@micropython.viper
def populate(control: int, entry: int):
    """Map the array page of `entry` to a frame of its own, if it is still shared.

    `control` is an address in the control page, such as a zone's.  All processors' TLBs are
    flushed before the pool's lock is released, so whoever waits for it reads the new page.
    Raises LockTimeoutError if another processor holds the pool's lock for longer than it may
    wait for others to flush: then it is lost.
    """
    pool = (control >> _PAGE_SHIFT << _PAGE_SHIFT) + _POOL_OFFSET
    owner = int(context())
    irq = int(try_acquire(pool, owner))
    tries = 1
    # A caller with a zone's lock cannot go back, so only a holder that is lost is given up.
    while irq < 0 and irq != 0 - owner and tries < _POOL_TRIES:
        irq = int(try_acquire(pool, owner))
        tries += 1
    if irq < 0:
        _timeout(0 - irq)
    if int(ptr8(entry)[_BYTE_SHARED]):
        page = entry >> _PAGE_SHIFT << _PAGE_SHIFT
        state = ptr32(pool)
        phys = int(state[_NEXT_LOW]) | int(state[_NEXT_HIGH]) << 32
        hhdm = int(state[_HHDM_LOW]) | int(state[_HHDM_HIGH]) << 32
        # All entries of a shared page are identical.
        store_entries(hhdm + phys, int(_GRANULE), int(ptr32(page)[0]), 0)
        if int(state[_HAS_TABLES]):
            leaf = int(_leaf(hhdm, page))
            high = int(ptr32(leaf)[1]) >> _NX_SHIFT << _NX_SHIFT | phys >> 32
            # At once, since another processor may walk the tables meanwhile.
            store64(leaf, phys | _PRESENT_WRITE, high)
            # A processor that went on to read the shared page would populate it again.
            flush(page, 1)
        else:
            # Released first, since `host_map` may raise, and nothing else runs on a host.
            release(pool, irq)
            host_map(page, int(state[_POOL_FILE]), phys)
        state[_NEXT_LOW] = phys + _PAGE_SIZE
        state[_NEXT_HIGH] = (phys + _PAGE_SIZE) >> 32
    release(pool, irq)


@micropython.viper
def populate_range(control: int, base: int, start: int, end: int):
    """Populate every shared page of the entries `start`..`end`."""
    while start < end:
        entry = base + (start << _ENTRY_SHIFT)
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        start = (start >> _GRANULE_SHIFT << _GRANULE_SHIFT) + _GRANULE
