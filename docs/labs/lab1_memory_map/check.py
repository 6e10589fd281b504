"""Lab 1: compares the predictions with the manager's own answers, on machines made up and on this one."""

import random

from checking import expect, expect_equal, need_kernel

from pfm import PFM
from pfm.address import PAGE_SHIFT
from pfm.machine import LimineMachine
from pfm.memmap import protocol
from pfm.memmap.regions import partition, read
from pfm.testing import FakeMachine

_MAPS = 200
# A zone's edge, and a hole whose bounds are no multiples of large blocks.
_MACHINE = [
    (0x1000, 0x9EC00, protocol.USABLE),
    (0x9FC00, 0x400, protocol.RESERVED),
    (0x100000, 0x2FF000, protocol.USABLE),
    (0x3FF000, 0x23000, protocol.EXECUTABLE_AND_MODULES),
    (0x422000, 0x1031000, protocol.USABLE),
]


def _expected(entries):
    return [(region.start, region.end) for region in partition(entries) if region.usable]


def whole_frames(work):
    """A map whose entries are aligned, in order, and of which one is not usable."""
    entries = [
        (0x100000, 0x5000, protocol.USABLE),
        (0x105000, 0x1000, protocol.RESERVED),
        (0x106000, 0x2000, protocol.USABLE),
    ]
    hint = "a frame is an address without its last 12 bits"
    expect_equal(work.usable_ranges(entries), [(0x100, 0x105), (0x106, 0x108)], hint)


def partly_usable_frames(work):
    """Entries that begin and end inside a frame, or lie in one."""
    hint = "a frame is usable if usable bytes fill it, and no other entry touches it"
    for entries in (
        [(0x100800, 0x3000, protocol.USABLE)],
        [(0x100800, 0x200, protocol.USABLE)],
        [(0x100000, 0x3000, protocol.USABLE), (0x101800, 16, protocol.RESERVED)],
    ):
        expect_equal(work.usable_ranges(entries), _expected(entries), hint)


def frame_zero_and_neighbours(work):
    """Frame 0 is never used; entries side by side make one range."""
    entries = [
        (0x4000, 0x2000, protocol.USABLE),
        (0, 0x4000, protocol.USABLE),
        (0x9000, 0, protocol.USABLE),
    ]
    hint = "0 ends the free lists; blocks may lie across the edge of two entries"
    expect_equal(work.usable_ranges(entries), [(1, 6)], hint)


def any_map(work):
    """Maps at random: garbled order, overlaps, every type."""
    random.seed(1)
    for _ in range(_MAPS):
        entries = [
            (random.randrange(64) << 10, random.randrange(32) << 10, random.randrange(9))
            for _ in range(random.randrange(1, 7))
        ]
        expected = _expected(entries)
        expect_equal(
            work.usable_ranges(entries), expected, "the map {}; docs/memory-map.md".format(entries)
        )


def blocks_of_a_range(work):
    """The blocks of a range are aligned, disjoint, cover it, and none could be larger."""
    for start, end in ((0x51, 0x9F), (1, 4096), (7, 8), (8, 8), (0x40000, 0x80000)):
        blocks = work.free_blocks(start, end)
        at = start
        for pfn, order in blocks:
            expect_equal(pfn, at, "the blocks of {}..{} lie side by side".format(start, end))
            expect(pfn % (1 << order) == 0, "a block of order n begins at a multiple of 2**n")
            at += 1 << order
        expect_equal(at, end, "together they are the range")
        heads = dict(blocks)
        for pfn, order in blocks:
            merges = order < 18 and heads.get(pfn ^ 1 << order) == order
            expect(not merges, "two free buddies of order {} at {} merge".format(order, pfn))


def a_fresh_machine(work):
    """The free lists of a machine that has just been switched on."""
    with FakeMachine(_MACHINE) as machine:
        manager = machine.boot()
        ranges = [(region.start, region.end) for region in manager.regions if region.usable]
        found = work.blocks_by_order(ranges)
        hint = "no block lies across the edge of two zones (Zone.BOUNDS)"
        expect_equal(found, [list(row) for row in manager.buddyinfo().blocks], hint)


def this_machine(work):
    """The usable frames of this machine's map, less the array's, are what is managed."""
    need_kernel("a loader's memory map")
    entries = read(LimineMachine().memmap_virt)
    usable = sum([end - start for start, end in work.usable_ranges(entries)])
    array = PFM.array.end_phys - PFM.array.start_phys >> PAGE_SHIFT
    hint = "usable frames less the array's; reclaim() must not have been called"
    expect_equal(usable - array, PFM.meminfo().total.managed, hint)


STEPS = (
    ("whole frames", whole_frames),
    ("partly usable frames", partly_usable_frames),
    ("frame 0, and neighbours", frame_zero_and_neighbours),
    ("any map", any_map),
    ("the blocks of a range", blocks_of_a_range),
    ("the free lists of a fresh machine", a_fresh_machine),
    ("this machine", this_machine),
)
