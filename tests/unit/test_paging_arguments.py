"""Page tables: arguments that are wrong, and addresses that cannot be mapped."""

from ktap import equal, raises
from tablememory import HIGH, PAGE, Memory

from pfm import ArgumentError, MappingError, Phys
from pfm.paging.tables import WRITE

ONE_PATH = "no manager is made"


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
