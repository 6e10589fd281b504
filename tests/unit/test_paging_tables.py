"""pfm/paging/tables.py, pfm/paging/walks.py: page tables written to memory, and read back by an independent walk."""

import gc

import micropython
import uctypes
from ktap import equal, raises, skip

from pfm import ArgumentError, MappingError, OutOfFramesError, Phys
from pfm.paging.tables import (
    CACHE_DISABLE,
    EXECUTE,
    GLOBAL,
    LEVEL_1G,
    LEVEL_4K,
    WRITE,
    WRITE_COMBINE,
    WRITE_THROUGH,
    PageTables,
)

ONE_PATH = "no manager is made"

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


def test_write_combining_has_an_encoding_for_each_page_size():
    memory = Memory()
    tables = memory.tables(LEVEL_1G)
    flags = WRITE | WRITE_COMBINE
    # 4 KiB pages, one of them at an address with bit 12, before and after those of 1 GiB and 2 MiB.
    start, pages = HIGH + HUGE - PAGE, (1 << 18) + 512 + 2
    tables.map(start, start & (1 << 36) - 1, pages, flags)
    pwt = 1 << 3
    for virt, level, pat in (
        (start, 1, 1 << 7),
        (HIGH + HUGE, 3, 1 << 12),
        (HIGH + 2 * HUGE, 2, 1 << 12),
        (HIGH + 2 * HUGE + LARGE, 1, 1 << 7),
    ):
        phys, found, entry = memory.walk(tables.root_phys, virt)
        equal((phys, found), (virt & (1 << 36) - 1, level))
        equal(entry & (pwt | pat | CACHE_DISABLE), pwt | pat)
        size = 1 << 12 + 9 * (level - 1)
        equal(tables.query(virt + 5), (phys + 5, size, flags))
    for call, virt in ((tables.map_same, HIGH), (tables.map_shared, HIGH + 4 * HUGE)):
        call(virt, 0x3000, 513, flags)
        for page in (0, 512):
            equal(
                memory.walk(tables.root_phys, virt + page * PAGE)[2] & (pwt | 1 << 7), pwt | 1 << 7
            )
            equal(tables.query(virt + page * PAGE), (0x3000, PAGE, flags))
    tables.unmap(start, pages)
    equal(tables.query(HIGH + HUGE), None)


def test_a_memory_type_holds_for_its_range_only():
    memory = Memory()
    tables = memory.tables(LEVEL_1G)
    # A framebuffer that ends within a large page, and RAM on both sides of it.
    tables.map(HIGH, 0, 512, WRITE)
    tables.map(HIGH + LARGE, LARGE, 700, WRITE | WRITE_COMBINE)
    tables.map(HIGH + LARGE + 700 * PAGE, LARGE + 700 * PAGE, 2048, WRITE)
    for page in range(512 + 700 + 2048):
        framebuffer = 512 <= page < 512 + 700
        phys, _, flags = tables.query(HIGH + page * PAGE)
        equal((phys, flags), (page * PAGE, WRITE | (WRITE_COMBINE if framebuffer else 0)))


def test_one_memory_type():
    memory = Memory()
    tables = memory.tables()
    for flags in (WRITE_COMBINE | CACHE_DISABLE, WRITE_COMBINE & ~WRITE_THROUGH):
        raises(ArgumentError, tables.map, HIGH, 0, 1, flags)
    for flags in (WRITE_THROUGH, CACHE_DISABLE, WRITE_THROUGH | CACHE_DISABLE):
        tables.map(HIGH, PAGE, 1, flags)
        equal(tables.query(HIGH), (PAGE, PAGE, flags))
        tables.unmap(HIGH, 1)


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


def test_empty_table_of_others_is_used():
    for shared in (False, True):
        memory = Memory()
        tables = memory.tables()
        tables.map(HIGH + LARGE, 0x5000, 1)
        _, level, _ = memory.walk(tables.root_phys, HIGH + LARGE)
        equal(level, 1)
        # As a loader may leave it: the page is gone, its table is not.
        table = [
            place for place in memory.contents(tables.root_phys) if place[2] & ADDRESS == 0x5000
        ]
        uctypes.bytearray_at(memory.hhdm + table[0][0], 8)[:] = bytes(8)
        left = len(memory.free)
        if shared:
            tables.map_shared(HIGH, 0x9000, 1536)
        else:
            tables.map(HIGH, 0, 1536)
        levels = [memory.walk(tables.root_phys, HIGH + n * LARGE)[1] for n in range(3)]
        equal(levels, [1, 1, 1] if shared else [2, 1, 2])
        # The shared one of level 1.
        equal(left - len(memory.free), 1 if shared else 0)
        for page in (0, 511, 512, 1023, 1024, 1535):
            phys = memory.walk(tables.root_phys, HIGH + page * PAGE)[0]
            equal(phys, 0x9000 if shared else page * PAGE)
        tables.unmap(HIGH, 1536)
        equal(len(memory.free), left + 3 - (1 if shared else 0))


def test_top_level_entry_is_taken_over():
    memory = Memory()
    first = memory.tables()
    second = memory.tables()
    first.map(HIGH, 0x3000, 3)
    assert second.unused(HIGH) and not first.unused(HIGH)
    second.adopt(first.root_phys, HIGH)
    equal(memory.walk(second.root_phys, HIGH + 2 * PAGE)[0], 0x5000)


def _calls(tables):
    """Return calls that each take several tables, some of which another mapping has already."""
    tables.map(HIGH + 600 * PAGE, 0x7000, 1)
    return [
        lambda: tables.map(HIGH + 700 * PAGE, 0x3000, 5000, WRITE),
        lambda: tables.map_same(HIGH + HUGE - 600 * PAGE, 0x9000, 1200),
        lambda: tables.map_shared(HIGH + 601 * PAGE, 0x9000, (3 << 18) + 5),
    ]


def test_mapping_that_runs_out_of_tables_leaves_all_as_it_was():
    for error in (OutOfFramesError(2, 0, 1, (0, 0, 0)), MemoryError(), KeyboardInterrupt()):
        for number in range(3):
            memory = Memory()
            left = 0

            def take():
                nonlocal left
                if not left:
                    raise error
                left -= 1
                return memory.take()

            left = 10
            tables = memory.tables(take=take)
            call = _calls(tables)[number]
            before = memory.contents(tables.root_phys), sorted(memory.free)
            given = 0
            while True:
                left = given
                try:
                    call()
                    break
                except (OutOfFramesError, MemoryError, KeyboardInterrupt) as found:
                    assert found is error
                equal((memory.contents(tables.root_phys), sorted(memory.free)), before)
                given += 1
            # It took no more than it needed.
            equal(left, 0)
            assert given > 1, given


# What the collector divides memory into.
GC_BLOCK = 32


def _with_heap_left(left, call):
    """Call with all of the Python heap in use but for `left` of its blocks."""
    gc.collect()
    held = None
    left *= GC_BLOCK
    free = gc.mem_free()
    while free > left:
        # A tuple takes a block; by halves, since what is counted is not known to the last one.
        blocks = (free - left + GC_BLOCK) // (2 * GC_BLOCK)
        while blocks:
            held = (held,)
            blocks -= 1
        free = gc.mem_free()
    try:
        call()
    finally:
        held = None


def test_mapping_without_python_heap_leaves_all_as_it_was():
    memory = Memory()
    frames = list(memory.free)
    left = len(frames)

    # Lists grow, and that takes memory too.
    def take():
        nonlocal left
        left -= 1
        return frames[left]

    def give(phys):
        nonlocal left
        frames[left] = phys
        left += 1

    tables = PageTables(take(), memory.hhdm, take, give)
    tables.clear_root()
    tables.map(HIGH + HUGE, 0x7000, 1)
    for call in (
        lambda: tables.map(HIGH + HUGE + PAGE, 0x3000, 1100, WRITE),
        lambda: tables.unmap(HIGH + HUGE + PAGE, 1100),
        lambda: tables.map_same(HIGH + 2 * HUGE - 600 * PAGE, 0x9000, 1200),
        lambda: tables.map_shared(HIGH + 3 * HUGE + 601 * PAGE, 0x9000, (3 << 18) + 5),
    ):
        before = memory.contents(tables.root_phys), sorted(frames[:left])
        refused = 0
        for blocks in range(400):
            try:
                _with_heap_left(blocks, call)
                break
            except MemoryError:
                refused += 1
            equal((memory.contents(tables.root_phys), sorted(frames[:left])), before)
        else:
            raise AssertionError("not done with {} blocks".format(blocks))
        assert refused
    equal(tables.query(HIGH + HUGE + PAGE), None)
    equal(tables.query(HIGH + 2 * HUGE)[0], 0x9000)
    equal(tables.query(HIGH + 5 * HUGE)[0], 0x9000)


def test_heap_that_runs_out_while_tables_are_taken():
    if not hasattr(micropython, "heap_lock"):
        skip("micropython.heap_lock() is not there")
    for number in range(3):
        for locked in (1, 2, 3):
            memory = Memory()
            ready = [memory.take() for _ in range(20)]
            taken = 0
            last = 0

            def take():
                nonlocal taken
                taken += 1
                if taken == last:
                    micropython.heap_lock()
                return ready[taken]

            tables = memory.tables(take=take)
            call = _calls(tables)[number]
            last = taken + locked
            try:
                call()
            finally:
                micropython.heap_unlock()
            # What comes after the first table needs no heap.
            page = HIGH + HUGE if number == 1 else HIGH + 700 * PAGE
            assert memory.walk(tables.root_phys, page)
            assert taken >= last, taken


def test_tables_are_given_back_after_the_flush():
    memory = Memory()
    tables = memory.tables()
    order = []
    tables._flush = lambda virt, count: order.append((virt, count))
    tables._give_table = order.append
    tables.map(HIGH + PAGE, PAGE, 700)
    tables.unmap(HIGH + PAGE, 700)
    equal(order[0], (HIGH + PAGE, 700))
    # Those of level 1, 2 and 3.
    equal(len(set(order[1:])), 4)


def test_tables_that_cannot_be_given_back_are_used_again():
    memory = Memory()

    def give(phys):
        raise MemoryError

    tables = memory.tables(give=give)
    tables.map(HIGH, PAGE, 700)
    left = len(memory.free)
    raises(MemoryError, tables.unmap, HIGH, 700)
    equal(tables.query(HIGH), None)
    tables._give_table = memory.free.append
    tables.map(HIGH, PAGE, 700)
    # The one that `give` was called with is lost, the three others are not.
    equal(len(memory.free), left - 1)
    tables.unmap(HIGH, 700)
    equal(len(memory.free), left + 3)


def test_mapping_within_take_table():
    memory = Memory()
    inner = [HIGH + 40 * PAGE]

    def take():
        if inner:
            tables.map(inner.pop(), 0x5000, 1)
        return memory.take()

    tables = memory.tables(take=take)
    left = len(memory.free)
    error = raises(MappingError, tables.map, HIGH, 0x100000, 600)
    equal(error.virt, HIGH + 40 * PAGE)
    equal(tables.query(HIGH + 40 * PAGE)[0], 0x5000)
    equal(left - len(memory.free), 3)
    inner.append(HIGH + 700 * PAGE)
    tables.map(HIGH + HUGE, 0x100000, 600)
    equal(tables.query(HIGH + HUGE + 599 * PAGE)[0], 0x100000 + 599 * PAGE)
    equal(tables.query(HIGH + 700 * PAGE)[0], 0x5000)


def test_without_execute_protection_no_entry_has_its_bit():
    memory = Memory()
    tables = memory.tables(protects=False)
    tables.map(HIGH, 0, 1024 + 3, WRITE)
    tables.map_same(HIGH + HUGE, 0x9000, 700)
    tables.map_shared(HIGH + 2 * HUGE, 0x9000, 1 << 10)
    for _, _, entry in memory.contents(tables.root_phys):
        equal(entry & NX, 0)
    equal(tables.query(HIGH), (0, LARGE, WRITE))
    equal(tables.query(HIGH + HUGE), (0x9000, PAGE, 0))


def test_no_large_pages_where_none_are_wanted():
    memory = Memory()
    tables = memory.tables(LEVEL_4K)
    tables.map(HIGH, 0, 512)
    equal(memory.walk(tables.root_phys, HIGH + 5 * PAGE)[:2], (5 * PAGE, 1))


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


def test_every_mapping_checks_the_physical_address():
    tables = Memory().tables()
    for call in (tables.map, tables.map_same, tables.map_shared):
        for phys in (0x1001, -PAGE, 1 << 52, 1 << 60, (1 << 64) + PAGE, (1 << 52) - 1):
            error = raises(ArgumentError, call, HIGH, phys, 1)
            equal((error.name, error.value), ("phys", hex(phys)))
        equal(tables.query(HIGH), None)
    tables.map_same(HIGH, (1 << 52) - PAGE, 3)
    equal(tables.query(HIGH + 2 * PAGE)[0], (1 << 52) - PAGE)


def test_addresses_beyond_64_bits_are_refused():
    tables = Memory().tables()
    tables.map(HIGH, 0x5000, 1)
    tables.map(5 * PAGE, 0x6000, 1)
    for virt in (
        HIGH + (1 << 64),
        (1 << 64) + 5 * PAGE,
        1 << 64,
        -1,
        HIGH - (1 << 64),
        -(1 << 70),
    ):
        error = raises(ArgumentError, tables.query, virt)
        equal(
            (error.name, error.value, error.allowed), ("virt", hex(virt), "an address of 64 bits")
        )
    for virt in (HIGH + (1 << 64), -PAGE, HIGH - (1 << 64)):
        for call in (
            lambda: tables.map(virt, 0, 1),
            lambda: tables.map_same(virt, 0, 1),
            lambda: tables.map_shared(virt, 0, 1),
            lambda: tables.unmap(virt, 1),
            lambda: tables.unused(virt),
            lambda: tables.adopt(0, virt),
        ):
            equal(raises(ArgumentError, call).name, "virt")


def test_addresses_that_are_not_canonical_are_not_mapped():
    tables = Memory().tables()
    tables.map(HIGH, 0x5000, 1)
    for virt in (HIGH & (1 << 48) - 1, HIGH & (1 << 60) - 1, 1 << 47, (1 << 64) - (1 << 47) - 1):
        equal(tables.query(virt), None)


def test_types_that_are_no_integers_name_the_argument():
    tables = Memory().tables()
    good = [HIGH, 0x5000, 1, WRITE]
    for call in (tables.map, tables.map_same, tables.map_shared):
        for at, name in enumerate(("virt", "phys", "count", "flags")):
            for wrong in (None, "5", 2.0, []):
                arguments = list(good)
                arguments[at] = wrong
                text = str(raises(TypeError, call, *arguments))
                assert text.startswith(name + ": "), text
                assert text.endswith("not " + type(wrong).__name__), text
    for call, name in (
        (lambda: tables.query(None), "virt"),
        (lambda: tables.unused(None), "virt"),
        (lambda: tables.unmap(None, 1), "virt"),
        (lambda: tables.unmap(HIGH, None), "count"),
        (lambda: tables.adopt(None, HIGH), "root_phys"),
        (lambda: tables.adopt(0, None), "virt"),
    ):
        text = str(raises(TypeError, call))
        assert text.startswith(name + ": "), text
    # An address of its own type is one.
    tables.map(HIGH, Phys(0x5000), 1)
    equal(tables.query(HIGH)[0], 0x5000)


def test_adopting_nothing_or_over_something():
    memory = Memory()
    first = memory.tables()
    second = memory.tables()
    equal(raises(MappingError, second.adopt, first.root_phys, HIGH).virt, HIGH)
    assert second.unused(HIGH)
    first.map(HIGH, 0x3000, 3)
    second.map(HIGH, 0x8000, 1)
    before = memory.contents(second.root_phys)
    equal(raises(MappingError, second.adopt, first.root_phys, HIGH).virt, HIGH)
    for root_phys in (first.root_phys + 1, -PAGE, 1 << 52):
        equal(raises(ArgumentError, second.adopt, root_phys, HIGH).name, "root_phys")
    equal(memory.contents(second.root_phys), before)
