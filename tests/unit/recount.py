"""Brute-force recounts through uctypes, for the tests of reports."""

from array import array

from ktap import equal
from maps import MIB

import pfm.testing
from pfm import PageFlags, PageFrame, Zone
from pfm.alloc.zone import zone_of
from pfm.frame.entry import (
    COMPOUND_TAIL,
    FREE,
    ORDER_MASK,
    STATE_KIND_SHIFT,
    TAIL,
)
from pfm.memmap import protocol

# Two zones, a hole, a device, a loader's range, a partly usable frame: all in a few thousand entries.
ODD_32M = [
    (0x1800, 0x9D000, protocol.USABLE),
    (0x100000, 5 * MIB, protocol.USABLE),
    (6 * MIB, MIB, protocol.BOOTLOADER_RECLAIMABLE),
    (7 * MIB, MIB // 2, protocol.EXECUTABLE_AND_MODULES),
    (12 * MIB, 16 * MIB, protocol.USABLE),
    (28 * MIB, MIB, protocol.RESERVED),
    (29 * MIB, 3 * MIB, protocol.USABLE),
]


def entry_values(manager, pfn):
    return PageFrame.at(manager.array.base + pfn * PageFrame.SIZE)


class Recount:
    """Every entry looked at in turn, by the layout alone; a tail counts as what its head is."""

    def __init__(self, manager):
        self.kinds = {}
        self.flags = {}
        self.blocks = [[0] * 19 for _ in Zone.NAMES]
        self.zones = [{} for _ in Zone.NAMES]
        kind_now, end_now = TAIL, 0
        for pfn in range(manager.min(), manager.max() + 1):
            entry = entry_values(manager, pfn)
            kind = entry.state >> STATE_KIND_SHIFT
            order = entry.state & ORDER_MASK
            if kind == TAIL:
                kind = kind_now if pfn < end_now else TAIL
            elif kind != COMPOUND_TAIL:
                kind_now, end_now = kind, pfn + (1 << order)
                if kind == FREE:
                    self.blocks[zone_of(pfn)][order] += 1
            self.kinds[pfn] = kind
            self.flags[pfn] = entry.flags
            zone = self.zones[zone_of(pfn)]
            zone[kind] = zone.get(kind, 0) + 1

    def count(self, zone, *kinds):
        return sum([self.zones[zone].get(kind, 0) for kind in kinds])


def busy(manager):
    """Allocate in every way, and set some flags."""
    manager.alloc(3, compound=True, tag=7)
    for order in (0, 0, 1, 5):
        manager.alloc(order)
    manager.alloc(2, zone=Zone.DMA)
    run = manager.alloc_contiguous(300)
    manager.set_flags(run + 17, PageFlags.DIRTY | PageFlags.LRU)
    manager.set_flags(run + 18, PageFlags.DIRTY)
    manager.set_flags(manager.min() + 50, PageFlags.FILE)
    many = manager.alloc_many(9)
    manager.free_many(array("I", many[3:]))
    manager.free(many[0])


def with_busy(check):
    for sparse in (True, False):
        with pfm.testing.FakeMachine(ODD_32M, sparse=sparse) as machine:
            manager = machine.boot()
            check(manager, Recount(manager))
            busy(manager)
            check(manager, Recount(manager))


def verified(report):
    equal(report.differences, [])
    assert report.verified
    assert "verified" in repr(report), repr(report)


def differs(report, text):
    assert not report.verified
    assert text in report.verdict(), report.differences
    assert text in repr(report) and "verified" not in repr(report), repr(report)
