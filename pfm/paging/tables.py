"""x86-64 page tables, written through the HHDM.

Source: Intel SDM volume 3, 4.5 "4-Level Paging".  A table is one frame of 512
entries of 8 bytes; level 1 maps pages of 4 KiB, level 2 of 2 MiB, level 3 of
1 GiB, and the root is level 4.
"""

import micropython
from micropython import const

from ..address import PAGE_SHIFT, PAGE_SIZE, signed
from ..arguments import integer
from ..errors import ArgumentError, MappingError
from . import walks

# Flags of a mapping, SDM tables 4-15 to 4-20.
WRITE = const(1 << 1)
WRITE_THROUGH = const(1 << 3)
CACHE_DISABLE = const(1 << 4)
GLOBAL = const(1 << 8)
# Entry 5 of the page attribute table (PAT), which Limine sets to write combining: the bits PAT
# and PWT of a large page's entry.  In a 4 KiB page's entry PAT is bit 7 (SDM tables 4-18, 4-20).
WRITE_COMBINE = const((1 << 12) | (1 << 3))
# Bit 9 is available to software; without it the entry gets NX, bit 63.
EXECUTE = const(1 << 9)

_PRESENT = const(1 << 0)
_LARGE = const(1 << 7)
# In the upper half of an entry.
_NX_HIGH = const(1 << 31)
# Present, writable, executable: a table restricts everything below it, so only the leaves have
# permissions.  Bit 10 is available to software and marks a shared table, to which several
# entries point (see walks.py).
_TABLE = const((1 << 0) | (1 << 1) | (1 << 9))
_FLAGS = const((1 << 1) | (1 << 3) | (1 << 4) | (1 << 8) | (1 << 9) | (1 << 12))
_PAT = const(1 << 12)
_PAT_4K = const(1 << 7)
_PHYS_MASK = const(0x000F_FFFF_FFFF_F000)

_INDEX_MASK = const(511)
_LEVEL_SHIFT = const(9)
_ROOT_LEVEL = const(4)

# Canonical addresses of 48 bits, SDM volume 1, 3.3.7.1.
_LOWER_HALF_END = const(0x0000_8000_0000_0000)
_HIGHER_HALF = const(0xFFFF_8000_0000_0000)
_ADDRESS_END = const(1 << 64)
_SPAN_MASK = const((1 << 48) - 1)

# The highest levels that may map pages.
LEVEL_4K = const(1)
LEVEL_2M = const(2)
LEVEL_1G = const(3)


def _phys(phys, count, name="phys"):
    """Check the physical address of `count` frames and return it as a plain integer."""
    wanted = "a multiple of 4096 below 2**52"
    phys = integer(name, phys, wanted)
    if phys < 0 or phys % PAGE_SIZE or (phys + count * PAGE_SIZE - 1) >> 52:
        raise ArgumentError(name, hex(phys), wanted)
    return phys


def _range(virt, count, flags):
    """Check the arguments of a method and return the bounds of its pages, of 48 bits each."""
    wanted = "a canonical address, a multiple of 4096"
    start = integer("virt", virt, wanted)
    if start < 0 or start % PAGE_SIZE:
        raise ArgumentError("virt", hex(start), wanted)
    if integer("count", count, "1 page or more") < 1:
        raise ArgumentError("count", count, "1 page or more")
    if integer("flags", flags, "flags of a mapping") & ~_FLAGS:
        raise ArgumentError("flags", hex(flags), "flags of a mapping only")
    if flags & _PAT and flags & (WRITE_COMBINE | CACHE_DISABLE) != WRITE_COMBINE:
        raise ArgumentError("flags", hex(flags), "one memory type")
    end = start + count * PAGE_SIZE
    if end > _ADDRESS_END or (start < _HIGHER_HALF and end > _LOWER_HALF_END):
        raise ArgumentError("virt", hex(start), "canonical up to the last page")
    start &= _SPAN_MASK
    return start, start + count * PAGE_SIZE


@micropython.viper
def _load(table: int, index: int) -> int:
    """Return an entry without its NX bit."""
    words = ptr32(table)
    high = int(words[index * 2 + 1])
    return int(words[index * 2]) | (high - (high >> 31 << 31)) << 32


@micropython.viper
def _hang(table: int, index: int, below: int):
    """Write an entry that points to the table `below`."""
    words = ptr32(table)
    words[index * 2 + 1] = below >> 32
    words[index * 2] = below | _TABLE


@micropython.viper
def _unhang(table: int, index: int):
    """Clear an entry."""
    words = ptr32(table)
    words[index * 2] = 0
    words[index * 2 + 1] = 0


def span_shift(level):
    """Return the shift of the bytes that an entry of `level` spans."""
    return PAGE_SHIFT + _LEVEL_SHIFT * (level - 1)


class TableCount:
    """Counts the tables below the root that a series of mappings takes, before any is made.

    Pages are numbered from the start of what one root entry spans, which is empty; each
    mapping begins at the end of the one before it, or later.  `tables` is the count so far.
    """

    def __init__(self):
        self.tables = 0
        # The last table counted, by level.
        self._counted = [-1] * _ROOT_LEVEL

    def add(self, first, end, shared):
        """Count the tables for the pages `first`..`end`, with an entry each or by `map_shared`."""
        highest = 1
        for level in range(1, _ROOT_LEVEL):
            shift = _LEVEL_SHIFT * level
            low = first >> shift
            high = end - 1 >> shift
            if shared and level < _ROOT_LEVEL - 1:
                whole_low = first + (1 << shift) - 1 >> shift
                whole_end = end >> shift
                if whole_low < whole_end:
                    highest = level + 1
                    if low < whole_low:
                        self._count(level, low, low)
                    if high >= whole_end:
                        self._count(level, high, high)
                    continue
            self._count(level, low, high)
        if shared:
            self.tables += highest - 1

    def _count(self, level, low, high):
        """Count the tables `low` to `high` of `level`, without one counted already."""
        self.tables += high - low + (low != self._counted[level])
        self._counted[level] = high


class PageTables:
    """The page tables with the root `root_phys`, accessed at `hhdm` + physical address.

    `take_table()` returns the physical address of a frame for a new table, and
    `give_table(phys)` takes an empty one back; without it, and if it raises, empty tables are
    kept for the next mapping.  `flush(virt, count)` is called after pages are unmapped, before
    their tables are given back, and after their flags change.  `largest` is the highest level that may map pages: LEVEL_1G
    if the processor has 1 GiB pages, LEVEL_2M, or LEVEL_4K for no large pages.  `protects` is
    whether the processor has execute protection; without it every page is executable, whatever
    its flags.

    All methods raise ArgumentError for an argument that is out of range, unaligned or has
    unknown flags, TypeError for one that is not an integer, and MappingError.  After any
    error, one of `take_table` too, the mappings are as before and no table is lost.
    """

    def __init__(
        self,
        root_phys,
        hhdm,
        take_table,
        give_table=None,
        flush=None,
        largest=LEVEL_2M,
        protects=True,
    ):
        self.root_phys = root_phys
        self._hhdm = signed(hhdm)
        self._take_table = take_table
        self._give_table = give_table
        self._flush = flush
        self._largest = largest
        self.protects = protects
        # The first of the unused tables, see walks.py.
        self._spare = 0

    def map(self, virt, phys, count, flags=0):
        """Map `count` pages of 4 KiB from `virt` on to the frames from the address `phys` on.

        Uses 2 MiB pages (and 1 GiB pages, see `largest`) wherever both addresses allow.
        `flags` are WRITE, EXECUTE, GLOBAL, WRITE_THROUGH, CACHE_DISABLE and WRITE_COMBINE.
        No large page reaches beyond the range, so its memory type holds for nothing else.  Raises
        ArgumentError, TypeError, MappingError if a page is already mapped, and the errors of
        `take_table`.  Cost: three walks per 2 MiB and a viper store per entry.
        """
        start, end = _range(virt, count, flags)
        phys = _phys(phys, count)
        limit = LEVEL_4K
        while limit < self._largest and not (start ^ phys) % (1 << span_shift(limit + 1)):
            limit += 1
        self._store(virt, start, end, phys, 1, flags, limit, 0)

    def map_same(self, virt, phys, count, flags=0):
        """Map each of `count` pages from `virt` on to the one frame at `phys`, by an entry each.

        So each page can be remapped later without a new table.  Flags, errors and cost as
        `map`.
        """
        start, end = _range(virt, count, flags)
        self._store(virt, start, end, _phys(phys, 1), 0, flags, LEVEL_4K, 0)

    def map_shared(self, virt, phys, count, flags=0):
        """Map each of `count` pages from `virt` on to the one frame at `phys`, by shared tables.

        A table with identical entries exists once, and every entry that needs it points to it:
        a range of terabytes takes a handful.  Flags and errors as `map`.
        """
        start, end = _range(virt, count, flags)
        self._store(virt, start, end, _phys(phys, 1), 0, flags, _ROOT_LEVEL - 1, 1)

    def unmap(self, virt, count):
        """Unmap `count` pages of 4 KiB from `virt` on and give empty tables back.

        Tables of `map_shared` are not given back, since other entries may point to them.
        Raises ArgumentError, TypeError, and MappingError if a page is not mapped, or a larger
        page or a shared table extends beyond the range.  Cost: a walk per 2 MiB and a step per
        entry.
        """
        start, end = _range(virt, count, 0)
        self._clear(virt, start, end, count)

    def protect(self, virt, count, flags):
        """Change the flags of `count` pages of 4 KiB from `virt` on; what they map stays.

        On return no processor uses the old ones any more, if `flush` flushes all processors'
        TLBs.  Raises ArgumentError, TypeError, and MappingError if a page is not mapped, or is
        mapped by a shared table, or a larger page extends beyond the range; then nothing is
        changed.  Cost: a walk per 2 MiB and a step per entry.
        Source: POSIX `mprotect`.
        """
        start, end = _range(virt, count, flags)
        self._protect(virt, start, end, count, flags)

    def query(self, virt):
        """Return what `virt` is mapped to: (physical address, page size in bytes, flags) or None.

        An address that is not canonical is never mapped.  Raises ArgumentError, TypeError.
        """
        virt = integer("virt", virt, "an address of 64 bits")
        if not 0 <= virt < _ADDRESS_END:
            raise ArgumentError("virt", hex(virt), "an address of 64 bits")
        if _LOWER_HALF_END <= virt < _HIGHER_HALF:
            return None
        table, level = self.root_phys, _ROOT_LEVEL
        while True:
            entry = self._entry(table, level, virt)
            if not entry & _PRESENT:
                return None
            if level == 1 or entry & _LARGE:
                break
            table, level = entry & _PHYS_MASK, level - 1
        size = 1 << span_shift(level)
        flags = entry & _FLAGS
        if level == 1:
            # Bit 12 belongs to the address here.
            flags = flags & ~_PAT | (_PAT if entry & _PAT_4K else 0)
        return (entry & _PHYS_MASK & -size) + virt % size, size, flags

    def clear_root(self):
        """Clear the root table, for new page tables."""
        walks.link(self._hhdm, self.root_phys, 0)

    def adopt(self, root_phys, virt):
        """Copy the top level entry for `virt`, 512 GiB wide, from the tables at `root_phys`.

        Raises ArgumentError, TypeError, and MappingError if that entry is empty or the one
        here is not.
        """
        root_phys = _phys(root_phys, 1, "root_phys")
        _range(virt, 1, 0)
        table = self._entry(root_phys, _ROOT_LEVEL, virt)
        if not table & _PRESENT:
            raise MappingError(virt, "no top level entry to adopt")
        if not self.unused(virt):
            raise MappingError(virt, "already mapped")
        index = virt >> span_shift(_ROOT_LEVEL) & _INDEX_MASK
        _hang(self._hhdm + self.root_phys, index, table & _PHYS_MASK)

    def clear_top(self, virt):
        """Clear the top level entry for `virt`, whatever it points to, without allocating."""
        index = virt >> span_shift(_ROOT_LEVEL) & _INDEX_MASK
        _unhang(self._hhdm + self.root_phys, index)

    def unused(self, virt):
        """Return whether the top level entry for `virt`, the start of a page, is empty."""
        _range(virt, 1, 0)
        return not self._entry(self.root_phys, _ROOT_LEVEL, virt) & _PRESENT

    def _entry(self, table, level, virt):
        return _load(self._hhdm + table, virt >> span_shift(level) & _INDEX_MASK)

    # Native code, so that no KeyboardInterrupt is raised between two steps of a change.

    @micropython.native
    def _store(self, virt, start, end, phys, moves, flags, limit, shared):
        """Map `start`..`end`, at the address `virt`, with enough tables taken beforehand."""
        hhdm = self._hhdm
        root = self.root_phys
        high = _NX_HIGH if self.protects and not flags & EXECUTE else 0
        try:
            # Repeated after tables were taken, since `take_table` may have mapped something.
            while True:
                taken = walks.find(hhdm, root, start, end, 1)
                if taken != end:
                    raise MappingError(virt + (taken - start), "already mapped")
                short = walks.needed(hhdm, root, start, end, limit, shared)
                short -= walks.length(hhdm, self._spare)
                if short <= 0:
                    break
                while short:
                    self._spare = walks.link(hhdm, self._take_table(), self._spare)
                    short -= 1
            self._spare = walks.store(
                hhdm,
                root,
                start,
                end,
                phys,
                moves,
                flags | _PRESENT,
                high,
                limit,
                shared,
                self._spare,
            )
        finally:
            self._give_spare()

    @micropython.native
    def _clear(self, virt, start, end, count):
        """Unmap `start`..`end`, at the address `virt`."""
        self._tiled(virt, start, end)
        self._spare = walks.clear(self._hhdm, self.root_phys, start, end, self._spare)
        if self._flush:
            self._flush(virt, count)
        self._give_spare()

    @micropython.native
    def _protect(self, virt, start, end, count, flags):
        """Change the flags of `start`..`end`, at the address `virt`."""
        hhdm = self._hhdm
        root = self.root_phys
        self._tiled(virt, start, end)
        shared = walks.find_shared(hhdm, root, start, end)
        if shared != end:
            raise MappingError(virt + (shared - start), "mapped by a shared table")
        high = _NX_HIGH if self.protects and not flags & EXECUTE else 0
        walks.protect(hhdm, root, start, end, flags | _PRESENT, high)
        if self._flush:
            self._flush(virt, count)

    @micropython.native
    def _tiled(self, virt, start, end):
        """Raise MappingError unless whole pages and shared tables map `start`..`end`, at `virt`."""
        hhdm = self._hhdm
        root = self.root_phys
        absent = walks.find(hhdm, root, start, end, 0)
        if absent != end:
            raise MappingError(virt + (absent - start), "not mapped")
        for page in (start, end - PAGE_SIZE):
            shift = walks.unit_shift(hhdm, root, page)
            first = page >> shift << shift
            if first < start or first + (1 << shift) > end:
                raise MappingError(
                    virt + (page - start), "part of a larger page or of a shared table"
                )

    @micropython.native
    def _give_spare(self):
        """Give the unused tables back."""
        give = self._give_table
        if give is None:
            return
        while self._spare:
            table = self._spare
            self._spare = walks.after(self._hhdm, table)
            give(table)
