"""pfm/paging/tables.py, pfm/paging/walks.py: page tables written to memory, and read back by an independent walk."""

import uctypes
from ktap import equal, raises
from tablememory import ADDRESS, HIGH, HUGE, LARGE, NX, PAGE, Memory

from pfm import ArgumentError, MappingError
from pfm.paging.tables import (
    CACHE_DISABLE,
    EXECUTE,
    GLOBAL,
    LEVEL_1G,
    LEVEL_4K,
    WRITE,
    WRITE_COMBINE,
    WRITE_THROUGH,
)

ONE_PATH = "no manager is made"


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


def test_protect_changes_flags_alone():
    memory = Memory()
    tables = memory.tables()
    free = list(memory.free)
    tables.map(HIGH + PAGE, PAGE, 2 * 512 + 7, WRITE)
    left = list(memory.free)
    memory.flushed.clear()
    # Pages of 4 KiB, one of 2 MiB, and of 4 KiB again.
    for flags in (0, WRITE | EXECUTE, WRITE | WRITE_COMBINE, EXECUTE | GLOBAL, CACHE_DISABLE):
        tables.protect(HIGH + 3 * PAGE, 2 * 512 - 2 + 3, flags)
        for page in (3, 511, 512, 700, 1023, 1024, 1027):
            equal(memory.walk(tables.root_phys, HIGH + page * PAGE)[0], page * PAGE)
            size = LARGE if 512 <= page < 1024 else PAGE
            equal(tables.query(HIGH + page * PAGE), (page * PAGE, size, flags))
        for page in (1, 2, 1028, 1031):
            equal(tables.query(HIGH + page * PAGE), (page * PAGE, PAGE, WRITE))
    equal(memory.flushed, [(HIGH + 3 * PAGE, 1025)] * 5)
    equal(memory.free, left)
    tables.unmap(HIGH + PAGE, 2 * 512 + 7)
    equal(sorted(memory.free), sorted(free))


def test_protect_of_what_is_not_mapped_or_not_whole():
    memory = Memory()
    tables = memory.tables()
    tables.map(HIGH, 0, 1024 + 5, WRITE)
    tables.map_shared(HIGH + HUGE, 0x9000, 1024, WRITE)
    before = memory.contents(tables.root_phys)
    memory.flushed.clear()
    for start, count, wrong in (
        (2 * LARGE, 6, 2 * LARGE + 5 * PAGE),
        (0, 1023, LARGE + 510 * PAGE),
        (LARGE + PAGE, 511, LARGE + PAGE),
        (-PAGE, 1025, -PAGE),
        (HUGE, 1024, HUGE),
        (HUGE + LARGE, 1, HUGE + LARGE),
    ):
        error = raises(MappingError, tables.protect, HIGH + start, count, 0)
        equal(error.virt, HIGH + wrong)
    for virt, count, flags in ((HIGH + 1, 1, 0), (HIGH, 0, 0), (HIGH, 1, 1), (HIGH, 1, 1 << 12)):
        raises(ArgumentError, tables.protect, virt, count, flags)
    equal(memory.contents(tables.root_phys), before)
    equal(memory.flushed, [])
    # By an entry each, one of them alone.
    tables.map_same(HIGH + 2 * HUGE, 0x9000, 3, WRITE)
    tables.protect(HIGH + 2 * HUGE + PAGE, 1, 0)
    equal([tables.query(HIGH + 2 * HUGE + at * PAGE)[2] for at in range(3)], [WRITE, 0, WRITE])


def test_protect_without_execute_protection():
    memory = Memory()
    tables = memory.tables(protects=False)
    tables.map(HIGH, 0, 1, WRITE | EXECUTE)
    tables.protect(HIGH, 1, 0)
    equal(memory.walk(tables.root_phys, HIGH)[2] & (NX | WRITE), 0)


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
