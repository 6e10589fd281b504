"""pfm/array/framearray.py: the page tables of the array, as many as were counted before it was placed, on any map."""

import random

from ktap import equal
from maps import GIB, KIB, MIB, Q35_6G, SMALL_8M, THREE_ZONES, TIB

from pfm import NoRoomError
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.array.framearray import GRANULE_SHIFT, FrameArray
from pfm.machine import KernelSpace
from pfm.memmap import protocol, regions
from pfm.paging.tables import LEVEL_4K
from pfm.testing import FakeMachine

ONE_PATH = "the array is mapped before there is a manager"

SEED = 20
# Maps at random, and how many of them have room for the array at least.
MAPS = 400
PLACED_MIN = 300

CONTROL_PAGES = 1
# Where the root table lies: a frame that is never handed out.
ROOT = (0x1000, PAGE_SIZE, protocol.BOOTLOADER_RECLAIMABLE)

KINDS = (
    protocol.USABLE,
    protocol.USABLE,
    protocol.USABLE,
    protocol.ACPI_RECLAIMABLE,
    protocol.ACPI_NVS,
    protocol.RESERVED,
)
SIZES = (4 * KIB, 512 * KIB, MIB, 16 * MIB, 512 * MIB, 8 * GIB)
GAPS = (4 * KIB, 512 * KIB, 64 * MIB, 256 * MIB, GIB, 16 * GIB, 128 * GIB, TIB)


def _pieces(count, size, step, first=MIB):
    return [(first + n * step, size, protocol.USABLE) for n in range(count)]


def _map_and_count(entries):
    """Map the array of a machine by page tables, and expect the tables to be those counted."""
    with FakeMachine(entries + [ROOT]) as machine:
        frames = FrameArray(regions.partition(regions.read(machine.memmap_virt)))
        frames.place(CONTROL_PAGES, True)
        counted = frames.end_phys - frames._tables_phys >> PAGE_SHIFT
        taken = []

        def take_table():
            taken.append(frames.take_table())
            return taken[-1]

        space = KernelSpace(ROOT[0], machine.hhdm, take_table, largest=LEVEL_4K)
        space.clear_root()
        frames.map(machine.hhdm, space)
        equal(counted, len(taken))
        equal(space._spare, 0)
        _look(space, frames)


def _look(space, frames):
    """Expect that what describes RAM is mapped to frames of the array's own, and all between to one page."""
    hole = 0
    absent = set()
    for region in frames.regions:
        if not region.present:
            continue
        first = region.start >> GRANULE_SHIFT
        last = region.end - 1 >> GRANULE_SHIFT
        for page in (first, last):
            phys, size, _ = space.query(frames.base + page * PAGE_SIZE)
            assert frames.start_phys <= phys < frames._tables_phys
            equal(size, PAGE_SIZE)
        if first > hole:
            for page in (hole, first - 1):
                absent.add(space.query(frames.base + page * PAGE_SIZE)[0])
        hole = last + 1
    equal(space.query(frames.base + hole * PAGE_SIZE), None)
    assert len(absent) <= 1, absent


def _random_map():
    entries = []
    at = random.choice((MIB, 16 * MIB, 4 * GIB))
    for _ in range(random.choice((1, 3, 10, 40, 100))):
        size = random.choice(SIZES) * random.randint(1, 3)
        if at + size > 16 * TIB:
            break
        entries.append((at, size, random.choice(KINDS)))
        at += size
        if random.getrandbits(2):
            at += random.choice(GAPS) * random.randint(1, 5)
    return entries + [(at, 64 * MIB, protocol.USABLE)]


def test_tables_of_machines_as_they_are():
    for entries in (Q35_6G, SMALL_8M, THREE_ZONES, _pieces(1, 64 * GIB, 0)):
        _map_and_count(entries)


def test_tables_of_fragmented_machines():
    for count, steps in (
        (40, (2 * MIB, 3 * MIB, 64 * MIB, 256 * MIB)),
        (100, (2 * MIB, 3 * MIB, 64 * MIB)),
    ):
        for step in steps:
            _map_and_count(_pieces(count, MIB, step))


def test_tables_at_borders():
    # A page of the array describes 512 KiB, a table of each level so much, and the whole space for it.
    for border in (256 * MIB, 128 * GIB):
        for low in (-MIB, -512 * KIB, -4 * KIB, 0, 4 * KIB, 512 * KIB):
            for size in (4 * KIB, 512 * KIB, MIB, border):
                entries = [(4 * GIB, 2 * GIB, protocol.USABLE)]
                _map_and_count(entries + [(2 * border + low, size, protocol.ACPI_NVS)])


def test_tables_up_to_16_tib():
    _map_and_count(
        [(MIB, 64 * MIB, protocol.USABLE), (16 * TIB - 4 * MIB, 4 * MIB, protocol.USABLE)]
    )
    _map_and_count(
        [(MIB, 64 * MIB, protocol.USABLE), (16 * TIB - 4 * KIB, 4 * KIB, protocol.ACPI_NVS)]
    )


def test_tables_of_random_maps():
    random.seed(SEED)
    placed = 0
    for number in range(MAPS):
        entries = _random_map()
        try:
            _map_and_count(entries)
            placed += 1
        except NoRoomError:
            pass
        except Exception:
            print("# seed {}, map {}: {}".format(SEED, number, entries))
            raise
    assert placed >= PLACED_MIN, placed


def test_fragmented_machines_have_room():
    for count in (40, 100):
        with FakeMachine(_pieces(count, MIB, 3 * MIB)) as machine:
            pfm = machine.boot()
            assert sum(pfm.count_free()) > count * 256 - 256
            pfm.check()
