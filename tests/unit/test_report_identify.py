"""pfm/report/identify.py: what a single address is."""

from ktap import equal, raises, skip
from maps import GIB, MIB, Q35_6G, SMALL_8M, TIB, frames
from recount import entry_values, verified, with_busy

import pfm.testing
from pfm import PFN, ArgumentError, PageFlags, PageFrame, Phys, Zone
from pfm.alloc.zone import zone_of
from pfm.frame.entry import ABSENT, COMPOUND_TAIL, PART, STATE_KIND_SHIFT, USED
from pfm.memmap.regions import FRAME_ARRAY
from pfm.paging.tables import CACHE_DISABLE, GLOBAL, WRITE, WRITE_COMBINE, WRITE_THROUGH
from pfm.report import identify

ONE_PATH = "reports read entries and counters, whichever path wrote them"


def test_identify_agrees_with_each_entry():
    def check(manager, recount):
        for pfn in range(manager.min(), manager.max() + 1, 7):
            found = manager.identify(Phys(pfn << 12))
            verified(found)
            equal((found.pfn, found.present), (pfn, recount.kinds[pfn] != ABSENT))
            if not found.present:
                equal((found.kind, found.head, found.flags), (None, None, None))
                continue
            equal(found.zone, Zone.NAMES[zone_of(pfn)])
            assert found.region.start <= pfn < found.region.end
            equal(found.flags, recount.flags[pfn])
            kind = USED if recount.kinds[pfn] == COMPOUND_TAIL else recount.kinds[pfn]
            equal(found.kind, kind)
            assert found.head <= pfn < found.head + (1 << found.order)
            equal(entry_values(manager, found.head).state, kind << STATE_KIND_SHIFT | found.order)
            assert found.first <= pfn < found.first + found.frames

    with_busy(check)


def test_identify_run_and_compound_block():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        run = manager.alloc_contiguous(300, tag=9)
        for pfn in (run, run + 5, run + 299):
            found = manager.identify(PFN(pfn))
            equal((found.first, found.frames, found.rc, found.tag), (run, 300, 1, 9))
        equal(found.kind, PART)
        block = manager.alloc(3, compound=True, tag=11)
        manager.ref(block + 2)
        found = manager.identify(PFN(block + 7))
        equal((found.kind, found.head, found.order, found.rc, found.tag), (USED, block, 3, 2, 11))
        equal(found.flags, PageFlags.COMPOUND)


def test_identify_same_byte_by_either_address():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        pfn = manager.alloc(4)
        phys = (pfn + 3 << 12) + 0x123
        for addr in (Phys(phys), phys, manager.as_virt(phys)):
            found = manager.identify(addr)
            equal((found.phys, found.virt), (phys, manager.hhdm + phys))
            equal((found.pfn, found.head, found.order), (pfn + 3, pfn, 4))
            if manager.space:
                equal(found.mapping[0], phys)


def test_identify_entry_in_the_array():
    with pfm.testing.FakeMachine(Q35_6G) as machine:
        manager = machine.boot()
        for pfn in (1, frames(3 * GIB), frames(5 * GIB)):
            found = manager.identify(manager.array.base + 32 * pfn)
            verified(found)
            equal(found.entry_of, pfn)
            equal(found.region.type, FRAME_ARRAY)
            assert manager.array.start_phys <= found.phys < manager.array.end_phys


def test_identify_entry_of_a_page_written_since():
    with pfm.testing.FakeMachine(Q35_6G) as machine:
        manager = machine.boot()
        if not manager.space:
            skip("no address space for the array")
        pfn = frames(GIB) + 300
        shared = manager.identify(manager.array.base + 32 * pfn)
        manager.set_flags(pfn, PageFlags.DIRTY)
        found = manager.identify(manager.array.base + 32 * pfn)
        verified(found)
        equal((found.entry_of, found.region.type), (pfn, FRAME_ARRAY))
        assert found.mapping[2] & WRITE and not shared.mapping[2] & WRITE
        equal(entry_values(manager, pfn).flags, PageFlags.DIRTY)
        assert found.phys != shared.phys
        copy = PageFrame.at(manager.as_virt(found.phys))
        equal(copy.flags, PageFlags.DIRTY)


def test_identify_outside_of_everything():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for addr in (8 * MIB, TIB, (1 << 52) - 1):
            found = manager.identify(Phys(addr))
            verified(found)
            equal((found.phys, found.present, found.region), (addr, False, None))
        found = manager.identify((1 << 64) - 1)
        equal((found.phys, found.pfn, found.mapping), (None, None, None))
        for addr in (-1, Phys(1 << 52), 1 << 64):
            raises(ArgumentError, manager.identify, addr)
        for addr in (None, 1.5, "1"):
            raises(TypeError, manager.identify, addr)


def test_memory_types_by_name():
    for flags, text in (
        (WRITE, "rw-"),
        (WRITE | GLOBAL | WRITE_THROUGH, "rw- global write-through"),
        (WRITE | WRITE_COMBINE, "rw- write-combining"),
        (WRITE_THROUGH | CACHE_DISABLE, "r-- write-through uncached"),
    ):
        equal(identify._rights(flags), text)
