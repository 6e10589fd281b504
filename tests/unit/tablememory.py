"""Memory for page tables, and a walk through them by the letter of Intel's SDM."""

import uctypes

from pfm.paging.tables import PageTables

PAGE = 4096
LARGE = 2 << 20
HUGE = 1 << 30
HIGH = 0xFFFF_EA00_0000_0000

PRESENT = 1 << 0
LARGE_BIT = 1 << 7
NX = 1 << 63
ADDRESS = 0x000F_FFFF_FFFF_F000


class Memory:
    """Frames for page tables at the physical addresses from 0 on, and who has them."""

    def __init__(self, frames=64):
        self._buffer = bytearray((frames + 1) * PAGE)
        self.hhdm = (uctypes.addressof(self._buffer) + PAGE - 1) & -PAGE
        self.free = [n * PAGE for n in range(frames)]
        self.flushed = []
        # Stale contents must not be taken for entries.
        uctypes.bytearray_at(self.hhdm, frames * PAGE)[:] = b"\xff" * (frames * PAGE)

    def take(self):
        return self.free.pop()

    def tables(self, largest=2, protects=True, take=None, give=None):
        tables = PageTables(
            self.take(),
            self.hhdm,
            take or self.take,
            give or self.free.append,
            lambda virt, count: self.flushed.append((virt, count)),
            largest,
            protects,
        )
        tables.clear_root()
        return tables

    def entry(self, table, index):
        return uctypes.struct(self.hhdm + table + 8 * index, {"value": 0 | uctypes.UINT64}).value

    def contents(self, table, level=4):
        """Return every entry below a table that is not 0, as (table, index, entry)."""
        found = []
        for index in range(512):
            entry = self.entry(table, index)
            if entry:
                found.append((table, index, entry))
                if level > 1 and not entry & LARGE_BIT:
                    found += self.contents(entry & ADDRESS, level - 1)
        return found

    def walk(self, root, virt):
        """Return (physical address, level, entry) by the letter of the SDM, or None."""
        table = root
        for level in (4, 3, 2, 1):
            shift = 12 + 9 * (level - 1)
            entry = self.entry(table, virt >> shift & 511)
            if not entry & PRESENT:
                return None
            if level == 1 or (level < 4 and entry & LARGE_BIT):
                size = 1 << shift
                return (entry & ADDRESS & -size) + virt % size, level, entry
            table = entry & ADDRESS
