"""x86-64 page tables, written through the HHDM.

Source: Intel SDM volume 3, 4.5 "4-Level Paging".  A table is one frame of 512
entries of 8 bytes; level 1 maps pages of 4 KiB, level 2 of 2 MiB, level 3 of
1 GiB, and the root is level 4.
"""

import micropython
from micropython import const

from . import fill
from .address import PAGE_SHIFT, PAGE_SIZE, signed
from .errors import ArgumentError, MappingError

# Flags of a mapping, SDM tables 4-15 to 4-20.
WRITE = const(1 << 1)
WRITE_THROUGH = const(1 << 3)
CACHE_DISABLE = const(1 << 4)
GLOBAL = const(1 << 8)
# Bit 9 is left to software; without it the entry gets NX, bit 63.
EXECUTE = const(1 << 9)

_PRESENT = const(1 << 0)
_LARGE = const(1 << 7)
# Bit 10 is left to software: the table below this entry hangs on other entries too.
_SHARED = const(1 << 10)
_NX_HIGH = const(1 << 31)
# What a table forbids nothing below it may do, so permissions stand in the leaves alone.
_TABLE = const((1 << 1) | (1 << 9))
_FLAGS = const((1 << 1) | (1 << 3) | (1 << 4) | (1 << 8) | (1 << 9))
_PHYS_MASK = const(0x000F_FFFF_FFFF_F000)

_ENTRIES = const(512)
_INDEX_MASK = const(511)
_ENTRY_SIZE = const(8)
_ROOT_LEVEL = const(4)

# Canonical addresses of 48 bits, SDM volume 1, 3.3.7.1.
_LOWER_HALF_END = const(0x0000_8000_0000_0000)
_HIGHER_HALF = const(0xFFFF_8000_0000_0000)
_ADDRESS_END = const(1 << 64)

# The highest levels that may map pages.
LEVEL_2M = const(2)
LEVEL_1G = const(3)


@micropython.viper
def _store(table: int, index: int, count: int, phys: int, step: int, low: int, high: int):
    """Write `count` entries from `index` on, for frames `step` bytes apart from `phys` on."""
    words = ptr32(table)
    i = index << 1
    end = (index + count) << 1
    while i < end:
        words[i] = (phys >> 12 << 12) | low
        words[i + 1] = (phys >> 32) | high
        phys += step
        i += 2


@micropython.viper
def _clear(table: int, index: int):
    """Write an entry that is not present."""
    words = ptr32(table)
    words[index << 1] = 0
    words[(index << 1) + 1] = 0


@micropython.viper
def _load(table: int, index: int) -> int:
    """Return an entry without its NX bit."""
    words = ptr32(table)
    high = int(words[index * 2 + 1])
    return int(words[index * 2]) | (high - (high >> 31 << 31)) << 32


@micropython.viper
def _first(table: int, index: int, end: int, wanted: int) -> int:
    """Return the first index of `index`..`end` whose entry's present bit is `wanted`, else `end`."""
    words = ptr32(table)
    while index < end:
        if (int(words[index * 2]) & 1) == wanted:
            return index
        index += 1
    return end


def span_shift(level):
    """Return the shift of the bytes that one entry of `level` spans."""
    return PAGE_SHIFT + 9 * (level - 1)


class PageTables:
    """The tables below the frame at `root_phys`, reached at `hhdm` + physical address.

    `take_table()` gives the physical address of a frame for a new table and
    `give_table(phys)` takes an empty one back.  `largest` is the highest level
    that may map pages: LEVEL_1G where the processor has such pages, else LEVEL_2M.
    `flush(virt, count)` is called after a mapping has gone or changed.
    """

    def __init__(self, root_phys, hhdm, take_table, give_table=None, flush=None, largest=LEVEL_2M):
        self.root_phys = root_phys
        self._hhdm = hhdm
        self._take_table = take_table
        self._give_table = give_table
        self._flush = flush
        self._largest = largest

    def map(self, virt, phys, count, flags=0):
        """Map `count` pages of 4 KiB from `virt` on to the frames from the address `phys` on.

        Uses 2 MiB pages (and 1 GiB ones, see `largest`) wherever both addresses
        allow.  `flags` are WRITE, EXECUTE, GLOBAL, WRITE_THROUGH and
        CACHE_DISABLE.  Raises ArgumentError for what is unaligned, empty, not
        canonical or no flag, MappingError where a page is mapped already, with
        nothing changed.  Cost: a walk per 2 MiB and a viper store per entry.
        """
        end = self._range(virt, count, flags)
        if phys < 0 or phys % PAGE_SIZE or (phys + count * PAGE_SIZE - 1) >> 52:
            raise ArgumentError("phys", hex(phys), "a multiple of 4096 below 2**52")
        taken = self._find(self.root_phys, _ROOT_LEVEL, virt, end, 1)
        if taken is not None:
            raise MappingError(taken, "already mapped")
        self._map(self.root_phys, _ROOT_LEVEL, virt, end, phys, flags, 1)

    def map_same(self, virt, phys, count, flags=0):
        """Map each of `count` pages from `virt` on to the one frame at `phys`, by a table entry each.

        So each can be mapped elsewhere later on, without a new table.  Flags and errors as `map`.
        """
        end = self._range(virt, count, flags)
        taken = self._find(self.root_phys, _ROOT_LEVEL, virt, end, 1)
        if taken is not None:
            raise MappingError(taken, "already mapped")
        self._map(self.root_phys, _ROOT_LEVEL, virt, end, phys, flags, 0)

    def map_shared(self, virt, phys, count, flags=0):
        """Map each of `count` pages from `virt` on to the one frame at `phys`.

        Tables that say nothing else exist once and hang on every entry that
        needs them: a range of terabytes takes a handful.  Flags and errors as `map`.
        """
        end = self._range(virt, count, flags)
        taken = self._find(self.root_phys, _ROOT_LEVEL, virt, end, 1)
        if taken is not None:
            raise MappingError(taken, "already mapped")
        self._share(self.root_phys, _ROOT_LEVEL, virt, end, flags, [phys])

    def unmap(self, virt, count):
        """Remove the mapping of `count` pages of 4 KiB from `virt` on and give empty tables back.

        Raises MappingError, with nothing changed, where a page is not mapped or
        a larger page or a shared table reaches out of the range.
        """
        end = self._range(virt, count, 0)
        absent = self._find(self.root_phys, _ROOT_LEVEL, virt, end, 0)
        if absent is not None:
            raise MappingError(absent, "not mapped")
        for page in (virt, end - PAGE_SIZE):
            level, _, _ = self._unit(page)
            start = page >> span_shift(level) << span_shift(level)
            if start < virt or start + (1 << span_shift(level)) > end:
                raise MappingError(page, "part of a larger page or of a shared table")
        self._unmap(self.root_phys, _ROOT_LEVEL, virt, end)
        if self._flush:
            self._flush(virt, count)

    def query(self, virt):
        """Return what `virt` is mapped to as (physical address, page size in bytes, flags), or None."""
        table, level = self.root_phys, _ROOT_LEVEL
        while True:
            entry = self._entry(table, level, virt)
            if not entry & _PRESENT:
                return None
            if level == 1 or entry & _LARGE:
                break
            table, level = entry & _PHYS_MASK, level - 1
        size = 1 << span_shift(level)
        return (entry & _PHYS_MASK & -size) + virt % size, size, entry & _FLAGS

    def clear_root(self):
        """Empty the root table, for tables that are being built."""
        fill.zero(self._virt(self.root_phys), PAGE_SIZE)

    def adopt(self, root_phys, virt):
        """Take over from the tables at `root_phys` the top level entry for `virt`, 512 GiB wide."""
        index = virt >> span_shift(_ROOT_LEVEL) & _INDEX_MASK
        entry = _load(self._virt(root_phys), index)
        self._set(self.root_phys, index, 1, entry & _PHYS_MASK, 0, _TABLE)

    def clear_top(self, virt):
        """Empty the top level entry for `virt`, whatever hangs on it, without a need for memory."""
        index = virt >> span_shift(_ROOT_LEVEL) & _INDEX_MASK
        _clear(signed(self._virt(self.root_phys)), index)

    def unused(self, virt):
        """Return whether the top level entry for `virt` is empty."""
        return not self._entry(self.root_phys, _ROOT_LEVEL, virt) & _PRESENT

    def _range(self, virt, count, flags):
        """Check a call's arguments and return the address past its last page."""
        if virt < 0 or virt % PAGE_SIZE:
            raise ArgumentError("virt", virt, "a multiple of 4096, not negative")
        if count < 1:
            raise ArgumentError("count", count, "1 page or more")
        if flags & ~_FLAGS:
            raise ArgumentError("flags", hex(flags), "flags of a mapping only")
        end = virt + count * PAGE_SIZE
        if end > _ADDRESS_END or (virt < _HIGHER_HALF and end > _LOWER_HALF_END):
            raise ArgumentError("virt", hex(virt), "canonical up to the last page")
        return end

    def _virt(self, table):
        return self._hhdm + table

    def _entry(self, table, level, virt):
        return _load(self._virt(table), virt >> span_shift(level) & _INDEX_MASK)

    def _new_table(self):
        table = self._take_table()
        fill.zero(self._virt(table), PAGE_SIZE)
        return table

    def _set(self, table, index, count, phys, step, flags):
        """Write entries: `flags` as given to `map`, with _LARGE or _SHARED where wanted."""
        high = 0 if flags & EXECUTE else _NX_HIGH
        _store(self._virt(table), index, count, phys, step, flags | _PRESENT, high)

    def _unit(self, virt):
        """Return (level, table, index) of the entry that maps `virt` alone: a leaf or the first shared one."""
        table, level = self.root_phys, _ROOT_LEVEL
        while True:
            index = virt >> span_shift(level) & _INDEX_MASK
            entry = _load(self._virt(table), index)
            if level == 1 or entry & (_LARGE | _SHARED):
                return level, table, index
            table, level = entry & _PHYS_MASK, level - 1

    def _find(self, table, level, virt, end, wanted):
        """Return the first page of `virt`..`end` that is (`wanted` 1) or is not (0) mapped, or None."""
        shift = span_shift(level)
        base = virt >> shift + 9 << shift + 9
        last = (end - 1 - base >> shift) + 1
        index = virt - base >> shift
        while index < last:
            at = max(virt, base + (index << shift))
            if level == 1:
                index = _first(self._virt(table), index, last, wanted)
                return base + (index << shift) if index < last else None
            entry = _load(self._virt(table), index)
            if not entry & _PRESENT or entry & _LARGE:
                if (entry & _PRESENT) == wanted:
                    return at
            else:
                stop = min(end, base + (index + 1 << shift))
                found = self._find(entry & _PHYS_MASK, level - 1, at, stop, wanted)
                if found is not None:
                    return found
            index += 1
        return None

    def _map(self, table, level, virt, end, phys, flags, moves):
        """Map `virt`..`end` to what lies from `phys` on if `moves` is 1, each page to `phys` if it is 0."""
        shift = span_shift(level)
        span = 1 << shift
        largest = self._largest if moves else 1
        large = 0 if level == 1 else _LARGE
        while virt < end:
            index = virt >> shift & _INDEX_MASK
            whole = min(end - virt >> shift, _ENTRIES - index)
            if level <= largest and whole and not (virt | phys * moves) % span:
                # Tables may stand where other pages were mapped before; no large page replaces them.
                count = _first(self._virt(table), index, index + whole, 1) - index
                if count:
                    self._set(table, index, count, phys, span * moves, flags | large)
                    virt += count << shift
                    phys += (count << shift) * moves
                    continue
            stop = min(end, (virt >> shift) + 1 << shift)
            self._map(self._child(table, index), level - 1, virt, stop, phys, flags, moves)
            phys += (stop - virt) * moves
            virt = stop

    def _child(self, table, index):
        """Return the table below an entry, a new one where there is none."""
        entry = _load(self._virt(table), index)
        if entry & _PRESENT:
            return entry & _PHYS_MASK
        child = self._new_table()
        self._set(table, index, 1, child, 0, _TABLE)
        return child

    def _share(self, table, level, virt, end, flags, chain):
        """Map `virt`..`end` to one frame; `chain[n]` is what an entry of level n + 1 points to."""
        shift = span_shift(level)
        while virt < end:
            index = virt >> shift & _INDEX_MASK
            whole = min(end - virt >> shift, _ENTRIES - index)
            if whole and level < _ROOT_LEVEL and not virt % (1 << shift):
                while len(chain) < level:
                    child = self._new_table()
                    below = _TABLE | _SHARED if len(chain) > 1 else flags
                    self._set(child, 0, _ENTRIES, chain[-1], 0, below)
                    chain.append(child)
                entry_flags = flags if level == 1 else _TABLE | _SHARED
                self._set(table, index, whole, chain[level - 1], 0, entry_flags)
                virt += whole << shift
                continue
            stop = min(end, (virt >> shift) + 1 << shift)
            self._share(self._child(table, index), level - 1, virt, stop, flags, chain)
            virt = stop

    def _unmap(self, table, level, virt, end):
        shift = span_shift(level)
        while virt < end:
            index = virt >> shift & _INDEX_MASK
            entry = _load(self._virt(table), index)
            stop = min(end, (virt >> shift) + 1 << shift)
            if level == 1:
                count = min(end - virt >> shift, _ENTRIES - index)
                fill.zero(self._virt(table) + index * _ENTRY_SIZE, count * _ENTRY_SIZE)
                stop = virt + (count << shift)
            elif entry & (_LARGE | _SHARED):
                fill.zero(self._virt(table) + index * _ENTRY_SIZE, _ENTRY_SIZE)
            else:
                child = entry & _PHYS_MASK
                self._unmap(child, level - 1, virt, stop)
                if _first(self._virt(child), 0, _ENTRIES, 1) == _ENTRIES:
                    fill.zero(self._virt(table) + index * _ENTRY_SIZE, _ENTRY_SIZE)
                    if self._give_table:
                        self._give_table(child)
            virt = stop
