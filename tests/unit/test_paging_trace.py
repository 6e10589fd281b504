"""Random page table operations against a plain model, with wrong arguments and tables that run out among them.

PFM_PAGING_OPERATIONS and PFM_PAGING_SEED in the environment set how long each trace is and which.
"""

import os
import random

import uctypes
from ktap import equal, raises
from maps import MIB
from pagemodel import Tables, span

from pfm import ArgumentError, MappingError, OutOfFramesError
from pfm.memmap import protocol
from pfm.paging.tables import (
    CACHE_DISABLE,
    EXECUTE,
    GLOBAL,
    LEVEL_1G,
    LEVEL_2M,
    LEVEL_4K,
    WRITE,
    WRITE_COMBINE,
    WRITE_THROUGH,
    PageTables,
)
from pfm.testing import FakeMachine

ONE_PATH = "no manager is made"

OPERATIONS = int(os.getenv("PFM_PAGING_OPERATIONS") or 2200)
SEED = int(os.getenv("PFM_PAGING_SEED") or 1)
# So many units are mapped at most before half of them goes.
UNITS_MAX = 2000
# Operations from one comparison of all tables to the next.
WHOLE_EVERY = 200

PAGE = 4096
FLAGS = (
    0,
    WRITE,
    EXECUTE,
    WRITE | GLOBAL,
    WRITE | WRITE_THROUGH | CACHE_DISABLE,
    WRITE | WRITE_COMBINE,
    WRITE | EXECUTE,
)

# Pages, each the start of a root's entry or the last that are canonical: the lower half, and the higher.
HALF = 1 << 35
PLACES = (0, 1 << 27, HALF - (1 << 19), HALF, HALF + (1 << 27), (1 << 36) - (1 << 19))

ERRORS = (MemoryError, KeyboardInterrupt, OutOfFramesError)

PRESENT = 1 << 0
LARGE = 1 << 7
SHARED = 1 << 10
NX = 1 << 63
ADDRESS = 0x000F_FFFF_FFFF_F000
# The PAT bit in the entry of a large page and of a 4 KiB page.
PAT = 1 << 12
PAT_4K = 1 << 7
FLAG_BITS = WRITE | EXECUTE | GLOBAL | WRITE_THROUGH | CACHE_DISABLE

ENTRIES = {"entries": (0 | uctypes.ARRAY, 512 | uctypes.UINT64)}


def address(page):
    """Return the address of a page, canonical."""
    return (page << 12) | (0xFFFF << 48 if page >= HALF else 0)


class Trace:
    """Drives `PageTables` in the memory of a fake machine, and the model beside it."""

    def __init__(self, machine, seed, largest, protects, gives):
        random.seed(seed)
        self._hhdm = machine.hhdm
        self._end = PAGE
        self._free = []
        self._left = None
        self._taken = 0
        self._largest = largest
        self._protects = protects
        self._gives = gives
        self._flushed = None
        self._tables = PageTables(
            self._take(),
            self._hhdm,
            self._take,
            self._give if gives else None,
            self._flush,
            largest,
            protects,
        )
        self._taken = 0
        self._tables.clear_root()
        self._model = Tables(largest)
        self.done = {}

    def _take(self):
        if self._left is not None:
            if not self._left:
                raise self._error
            self._left -= 1
        self._taken += 1
        if self._free:
            return self._free.pop()
        phys = self._end
        self._end += PAGE
        # What was there before must not be taken for entries.
        uctypes.bytearray_at(self._hhdm + phys, PAGE)[:] = b"\xff" * PAGE
        return phys

    def _give(self, phys):
        assert not self._flushing, "given back before it was flushed"
        assert phys not in self._free
        self._taken -= 1
        self._free.append(phys)

    def _flush(self, virt, count):
        self._flushed = (virt, count)
        self._flushing = False

    def run(self, operations):
        """Do that many operations."""
        for step in range(operations):
            self._flushing = False
            kind = random.choice(self._KINDS)
            kind(self)
            self.done[kind] = self.done.get(kind, 0) + 1
            if self._gives:
                equal(self._taken, self._model.tables)
            if self._model.count > UNITS_MAX:
                self._thin_out()
            if step % WHOLE_EVERY == 0:
                self._compare()
        self._compare()

    def _pages(self):
        """Return the first page and the end of a range near a border of some level."""
        page = random.choice(PLACES) + random.choice((0, 512, 1024, 1 << 18, 3 << 17, 1 << 18))
        page += random.choice((0, 0, 0, 1, 5, 300, 511))
        count = random.choice((1, 1, 2, 7, 40, 511, 512, 513, 1100, 1 << 18, (1 << 18) + 513))
        return page, min(page + count, HALF if page < HALF else 1 << 36)

    def _phys(self, page):
        """Return a physical address, often one that allows large pages at `page`."""
        aligned = (page % (1 << 18) + (random.getrandbits(8) << 18)) * PAGE
        return aligned + random.choice((0, 0, 0, 0, 512, 512, 1)) * PAGE

    def _map(self):
        page, end = self._pages()
        phys = self._phys(page)
        limit = self._largest
        # Each page takes an entry and the model a unit.
        if end - page > 1 << 12:
            if random.getrandbits(2) or self._largest == LEVEL_4K:
                end = page + 1500
            else:
                page &= -512
                phys = page % (1 << 18) * PAGE + (random.getrandbits(8) << 30)
        end = min(end, HALF if page < HALF else 1 << 36)
        self._mapped(self._tables.map, page, end, phys, PAGE, limit, False)

    def _map_same(self):
        page, end = self._pages()
        end = min(end, page + 1500)
        self._mapped(self._tables.map_same, page, end, self._phys(page), 0, LEVEL_4K, False)

    def _map_shared(self):
        page, end = self._pages()
        self._mapped(self._tables.map_shared, page, end, self._phys(page), 0, 3, True)

    def _mapped(self, call, page, end, phys, step, limit, shared):
        flags = random.choice(FLAGS)
        arguments = (address(page), phys, end - page, flags)
        taken = self._model.first_mapped(page, end)
        if taken is not None:
            error = raises(MappingError, call, *arguments)
            equal((error.virt, error.why), (address(taken), "already mapped"))
            return
        plan = self._model.plan(page, end, phys, step, limit, shared)
        kept = 0 if self._gives else self._taken - self._model.tables
        self._left = None
        if random.getrandbits(2) == 0:
            self._left = random.randint(0, max(plan[1], 1))
            kind = random.choice(ERRORS)
            self._error = kind(2, 0, 1, (0, 0, 0)) if kind is OutOfFramesError else kind()
        if self._left is not None and self._left < plan[1] - kept:
            raises(type(self._error), call, *arguments)
        else:
            call(*arguments)
            self._model.map(plan, flags, step)
        self._left = None
        self._look(page, end)

    def _unmap(self):
        page, end = self._pages()
        if random.getrandbits(1):
            page, end = self._units() or (page, end)
        wrong = self._model.first_unmapped(page, end)
        if wrong is None:
            wrong = self._model.torn(page, end)
        if self._changed(self._tables.unmap, page, end, (), wrong):
            self._model.unmap(page, end)
        self._look(page, end)

    def _protect(self):
        page, end = self._pages()
        if random.getrandbits(2):
            page, end = self._units() or (page, end)
        wrong = self._model.first_unmapped(page, end)
        if wrong is None:
            wrong = self._model.torn(page, end)
        if wrong is None:
            wrong = self._model.first_shared(page, end)
        flags = random.choice(FLAGS)
        if self._changed(self._tables.protect, page, end, (flags,), wrong):
            self._model.protect(page, end, flags)
        self._look(page, end)

    def _units(self):
        """Return the first page and the end of some units that follow each other, None if there are none."""
        keys = self._model.keys()
        if not keys:
            return None
        at = random.randint(0, len(keys) - 1)
        page = keys[at] >> 2
        end = page + span(keys[at] & 3)
        most = random.randint(0, 1000)
        while at + 1 < len(keys) and keys[at + 1] >> 2 == end and most:
            at += 1
            end += span(keys[at] & 3)
            most -= 1
        return page, min(end, HALF) if page < HALF else end

    def _changed(self, call, page, end, more, wrong):
        """Make a call on mapped pages and return whether it was done; at `wrong` it is refused."""
        virt = address(page)
        self._flushed = None
        if wrong is not None:
            error = raises(MappingError, call, virt, end - page, *more)
            equal((error.virt, self._flushed), (address(wrong), None))
            return False
        self._flushing = True
        call(virt, end - page, *more)
        equal(self._flushed, (virt, end - page))
        return True

    def _query(self):
        page, end = self._pages()
        self._look(page, end)

    def _look(self, page, end):
        """Compare what some pages at the edges and inside are mapped to."""
        edge = HALF if page < HALF else 1 << 36
        for at in (page - 1, page, random.randint(page, end - 1), end - 1, end):
            if at < 0 or at >= edge or (at < page and page == HALF):
                continue
            offset = random.randint(0, PAGE - 1)
            found = self._tables.query(address(at) + offset)
            expected = self._model.query(at)
            if expected:
                expected = (expected[0] + offset, expected[1], expected[2])
            equal(found, expected)

    def _refused(self):
        page, end = self._pages()
        virt, phys, count, flags = address(page), 0x5000, end - page, WRITE
        what = random.randint(0, 4)
        calls = [self._tables.map, self._tables.map_same, self._tables.map_shared]
        protect = self._tables.protect
        call = random.choice(calls)
        if what == 0:
            virt = random.choice(
                (-PAGE, virt + 1, virt + (1 << 64), 1 << 47, address(HALF) - PAGE)
            )
        elif what == 1:
            phys = random.choice((-PAGE, 0x1001, 1 << 52, 1 << 60, (1 << 64) + PAGE))
        elif what == 2:
            count = random.choice((0, -1, 1 << 36, 1 << 70))
        elif what == 3:
            flags = random.choice(
                (1, 1 << 7, 1 << 10, PAT, PAT | CACHE_DISABLE, 1 << 63, -1, 1 << 70)
            )
        else:
            wrong = random.choice((None, "5", 2.0, [], b""))
            arguments = [virt, phys, count, flags]
            at = random.randint(0, 3)
            arguments[at] = wrong
            raises(TypeError, call, *arguments)
            raises(TypeError, self._tables.query, wrong)
            raises(TypeError, self._tables.unmap, virt, wrong)
            raises(TypeError, protect, virt, 1, wrong)
            return
        raises(ArgumentError, call, virt, phys, count, flags)
        if what != 1:
            raises(ArgumentError, protect, virt, count, flags)
        if what in (0, 2):
            raises(ArgumentError, self._tables.unmap, virt, count)
        raises(ArgumentError, self._tables.query, random.choice((-1, -PAGE, -HALF, -(1 << 65))))
        raises(ArgumentError, self._tables.query, (1 << 64) + address(page))

    _KINDS = (
        _map,
        _map,
        _map,
        _map_same,
        _map_shared,
        _unmap,
        _unmap,
        _unmap,
        _protect,
        _protect,
        _query,
        _refused,
    )

    def _thin_out(self):
        """Unmap one unit of two."""
        for number, key in enumerate(self._model.keys()):
            if number & 1:
                page, level = key >> 2, key & 3
                self._flushing = True
                self._tables.unmap(address(page), span(level))
                self._model.unmap(page, page + span(level))

    def _compare(self):
        """Compare every entry, by a walk of this test's own."""
        equal(self._walk(self._tables.root_phys, 4, 0), self._model.count)

    def _walk(self, table, level, first):
        """Compare what is below a table with the model and return how many units there are."""
        units = 0
        entries = uctypes.struct(self._hhdm + table, ENTRIES).entries
        size = span(level)
        for index in range(512):
            entry = entries[index]
            if not entry & PRESENT:
                equal(entry, 0)
                continue
            page = first + index * size
            if level > 1 and entry & SHARED:
                equal(entry & NX, 0)
                leaf = entry
                for _ in range(level - 1):
                    leaf = uctypes.struct(self._hhdm + (leaf & ADDRESS), ENTRIES).entries[511]
                units += self._leaf(leaf, 1, page, level)
            elif level == 1 or (level < 4 and entry & LARGE):
                units += self._leaf(entry, level, page, level)
            else:
                equal(entry & ~ADDRESS, PRESENT | WRITE | EXECUTE)
                units += self._walk(entry & ADDRESS, level - 1, page)
        return units

    def _leaf(self, entry, entry_level, page, level):
        equal(bool(entry & NX), self._protects and not entry & EXECUTE)
        pat = PAT_4K if entry_level == 1 else PAT
        flags = entry & FLAG_BITS | (PAT if entry & pat else 0)
        phys = entry & ADDRESS & -(1 << 12 + 9 * (entry_level - 1))
        equal((phys, flags), self._model.unit(page, level))
        return 1


def _trace(seed, largest, protects=True, gives=True):
    with FakeMachine([(0, 64 * MIB, protocol.USABLE)]) as machine:
        trace = Trace(machine, seed, largest, protects, gives)
        try:
            trace.run(OPERATIONS)
        except Exception:
            print("# seed {}, after {} operations".format(seed, sum(trace.done.values())))
            raise
        equal(len(trace.done), len(set(Trace._KINDS)))


def test_pages_of_4_kib():
    _trace(SEED, LEVEL_4K)


def test_pages_of_2_mib():
    _trace(SEED + 1, LEVEL_2M)


def test_pages_of_1_gib():
    _trace(SEED + 2, LEVEL_1G)


def test_without_execute_protection():
    _trace(SEED + 3, LEVEL_2M, protects=False)


def test_tables_that_cannot_be_given_back():
    _trace(SEED + 4, LEVEL_1G, gives=False)
