"""Page tables written to memory, and read back by an independent walk."""

import uctypes
from ktap import equal, raises

from pfm import ArgumentError, MappingError
from pfm.paging import EXECUTE, GLOBAL, LEVEL_1G, WRITE, PageTables

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

    def tables(self, largest=2):
        tables = PageTables(
            self.take(),
            self.hhdm,
            self.take,
            self.free.append,
            lambda virt, count: self.flushed.append((virt, count)),
            largest,
        )
        tables.clear_root()
        return tables

    def entry(self, table, index):
        return uctypes.struct(self.hhdm + table + 8 * index, {"value": 0 | uctypes.UINT64}).value

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


def test_every_page_of_a_range_is_mapped_and_none_beside_it():
    memory = Memory()
    tables = memory.tables()
    start = HIGH + 0x1FD000
    tables.map(start, 0x7FD000, 600, WRITE)
    for page in range(600):
        phys, _, entry = memory.walk(tables.root_phys, start + page * PAGE)
        equal(phys, 0x7FD000 + page * PAGE)
        assert entry & WRITE and entry & NX
        equal(tables.query(start + page * PAGE + 5)[0], phys + 5)
    for virt in (start - PAGE, start + 600 * PAGE, 0, HIGH + HUGE):
        equal(memory.walk(tables.root_phys, virt), None)
        equal(tables.query(virt), None)


def test_large_pages_where_both_addresses_allow():
    memory = Memory()
    tables = memory.tables()
    tables.map(HIGH, 0, 1024 + 3)
    equal(memory.walk(tables.root_phys, HIGH)[1], 2)
    equal(memory.walk(tables.root_phys, HIGH + LARGE + 123456)[:2], (LARGE + 123456, 2))
    equal(memory.walk(tables.root_phys, HIGH + 2 * LARGE)[1], 1)
    tables.map(HIGH + HUGE, PAGE, 1024)
    equal(memory.walk(tables.root_phys, HIGH + HUGE)[1], 1)


def test_pages_of_1_gib_where_the_processor_has_them():
    for largest, level in ((2, 2), (LEVEL_1G, 3)):
        memory = Memory()
        tables = memory.tables(largest)
        tables.map(HIGH, 4 * HUGE, 2 << 18, GLOBAL)
        equal(memory.walk(tables.root_phys, HIGH + HUGE + 77)[:2], (5 * HUGE + 77, level))
        equal(tables.query(HIGH + 77), (4 * HUGE + 77, LARGE if level == 2 else HUGE, GLOBAL))


def test_flags_stand_in_the_leaf():
    memory = Memory()
    tables = memory.tables()
    for n, flags in enumerate((0, WRITE, EXECUTE, WRITE | EXECUTE | GLOBAL)):
        virt = HIGH + n * PAGE
        tables.map(virt, 0x5000, 1, flags)
        entry = memory.walk(tables.root_phys, virt)[2]
        equal(bool(entry & NX), not flags & EXECUTE)
        equal(bool(entry & WRITE), bool(flags & WRITE))
        equal(tables.query(virt), (0x5000, PAGE, flags))


def test_mapping_twice_changes_nothing():
    memory = Memory()
    tables = memory.tables()
    tables.map(HIGH + 700 * PAGE, 0x1000, 1)
    left = len(memory.free)
    for call in (tables.map, tables.map_same, tables.map_shared):
        error = raises(MappingError, call, HIGH, 0, 1000)
        equal(error.virt, HIGH + 700 * PAGE)
    equal(len(memory.free), left)
    equal(tables.query(HIGH), None)


def test_unmap_gives_empty_tables_back():
    memory = Memory()
    tables = memory.tables()
    left = len(memory.free)
    tables.map(HIGH + PAGE, PAGE, 1500)
    tables.unmap(HIGH + PAGE, 1500)
    equal(len(memory.free), left)
    equal(memory.flushed, [(HIGH + PAGE, 1500)])
    equal(tables.query(HIGH + PAGE), None)
    tables.map(HIGH, 0, 2048)
    equal(memory.walk(tables.root_phys, HIGH)[1], 2)


def test_unmap_of_a_part_leaves_the_rest():
    memory = Memory()
    tables = memory.tables()
    tables.map(HIGH, PAGE, 100)
    tables.unmap(HIGH + 10 * PAGE, 20)
    for page in (0, 9, 30, 99):
        equal(memory.walk(tables.root_phys, HIGH + page * PAGE)[0], (page + 1) * PAGE)
    for page in (10, 29):
        equal(memory.walk(tables.root_phys, HIGH + page * PAGE), None)


def test_unmap_of_what_is_not_mapped_or_not_whole():
    memory = Memory()
    tables = memory.tables()
    tables.map(HIGH, 0, 1024)
    equal(raises(MappingError, tables.unmap, HIGH + 2 * LARGE - PAGE, 2).virt, HIGH + 2 * LARGE)
    for start, count in ((PAGE, 1023), (0, 1023), (LARGE + PAGE, 1)):
        raises(MappingError, tables.unmap, HIGH + start, count)
    equal(memory.walk(tables.root_phys, HIGH + 2 * LARGE - 1)[0], 2 * LARGE - 1)
    tables.unmap(HIGH + LARGE, 512)
    equal(memory.walk(tables.root_phys, HIGH)[0], 0)


def test_shared_page_takes_a_handful_of_tables():
    memory = Memory()
    tables = memory.tables()
    left = len(memory.free)
    tables.map_shared(HIGH + 3 * PAGE, 0x9000, (1 << 26) - 10)
    assert left - len(memory.free) <= 12, left - len(memory.free)
    for virt in (3 * PAGE, LARGE, HUGE + 5 * PAGE, (1 << 38) - 8 * PAGE):
        equal(memory.walk(tables.root_phys, HIGH + virt)[:2], (0x9000, 1))
    for virt in (0, (1 << 38) - 7 * PAGE):
        equal(memory.walk(tables.root_phys, HIGH + virt), None)
    raises(MappingError, tables.unmap, HIGH + HUGE, 1)
    tables.unmap(HIGH + 3 * PAGE, (1 << 26) - 10)
    equal(memory.walk(tables.root_phys, HIGH + HUGE), None)


def test_same_page_has_an_entry_each():
    memory = Memory()
    tables = memory.tables()
    tables.map_same(HIGH + 5 * PAGE, 0x9000, 1100)
    for page in (5, 511, 512, 1104):
        equal(memory.walk(tables.root_phys, HIGH + page * PAGE)[:2], (0x9000, 1))
    tables.unmap(HIGH + 600 * PAGE, 1)
    equal(memory.walk(tables.root_phys, HIGH + 599 * PAGE)[0], 0x9000)
    equal(memory.walk(tables.root_phys, HIGH + 600 * PAGE), None)


def test_top_level_entry_is_taken_over():
    memory = Memory()
    first = memory.tables()
    second = memory.tables()
    first.map(HIGH, 0x3000, 3)
    assert second.unused(HIGH) and not first.unused(HIGH)
    second.adopt(first.root_phys, HIGH)
    equal(memory.walk(second.root_phys, HIGH + 2 * PAGE)[0], 0x5000)


def test_bad_arguments():
    tables = Memory().tables()
    for virt, phys, count, flags in (
        (HIGH + 1, 0, 1, 0),
        (-PAGE, 0, 1, 0),
        (HIGH, 1, 1, 0),
        (HIGH, -PAGE, 1, 0),
        (HIGH, 1 << 52, 1, 0),
        (HIGH, 0, 0, 0),
        (HIGH, 0, 1, 1),
        (0x0000_7FFF_FFFF_F000, 0, 2, 0),
        (0xFFFF_FFFF_FFFF_F000, 0, 2, 0),
        (0x0000_8000_0000_0000, 0, 1, 0),
    ):
        raises(ArgumentError, tables.map, virt, phys, count, flags)
    raises(ArgumentError, tables.unmap, HIGH, -1)
