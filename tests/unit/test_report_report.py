"""pfm/report/report.py: a report that finds something else than was kept says so."""

from allocation import entry, zone
from ktap import equal
from maps import MIB, SMALL_8M, frames
from recount import ODD_32M, differs, verified

import pfm.testing
from pfm import PFN, Phys, Zone
from pfm.frame.entry import ABSENT, FREE, RESERVED, STATE_KIND_SHIFT, TAIL

ONE_PATH = "reports read entries and counters, whichever path wrote them"


def test_poked_free_counter():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        free = zone(manager, Zone.DMA).free
        zone(manager, Zone.DMA).free += 3
        text = f"DMA free on lists: {free} counted, {free + 3} kept"
        differs(manager.meminfo(), text)
        differs(manager.page_types(), text)
        differs(manager.chart(), f"{free} counted, {free + 3} kept")


def test_poked_counters_of_a_zone():
    for field in ("managed", "present"):
        with pfm.testing.FakeMachine(ODD_32M) as machine:
            manager = machine.boot()
            state = zone(manager, Zone.DMA32)
            setattr(state, field, getattr(state, field) - 1)
            differs(manager.meminfo(), f"DMA32 {field}")


def test_poked_count_of_blocks():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        blocks = manager.buddyinfo().blocks[Zone.DMA]
        order = max([order for order in range(19) if blocks[order]])
        zone(manager, Zone.DMA).lists[order].blocks += 1
        differs(manager.buddyinfo(), f"DMA blocks of order {order}")


def test_poked_free_block_of_order_beyond_18():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        entry(manager, 1024).state = FREE << STATE_KIND_SHIFT | 31
        differs(manager.buddyinfo(), "DMA blocks of order 31: 1 counted, 0 kept")
        assert not manager.meminfo().verified
        assert not manager.page_types().verified
        assert not manager.chart().verified


def test_poked_head_of_a_block():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        pfn = manager.alloc(4)
        entry(manager, pfn).state = TAIL << STATE_KIND_SHIFT
        differs(manager.meminfo(), "DMA in no block: 16 counted, 0 kept")
        equal(manager.page_types().kinds["tail"], 16)


def test_poked_frame_of_a_region():
    with pfm.testing.FakeMachine(ODD_32M) as machine:
        manager = machine.boot()
        pfn = frames(6 * MIB) + 3
        entry(manager, pfn).state = ABSENT << STATE_KIND_SHIFT
        differs(manager.memmap(), "absent: 1 counted, 0 kept")
        differs(manager.identify(Phys(pfn << 12)), "RAM: False counted, True kept")
        differs(manager.meminfo(), "DMA present")


def test_poked_reservation_of_a_usable_frame():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        pfn = manager.alloc()
        entry(manager, pfn).state = RESERVED << STATE_KIND_SHIFT
        differs(manager.memmap(), "reserved: 1 counted, 0 kept")
        differs(manager.identify(PFN(pfn)), "reserved: True counted, False kept")


def test_poked_link_of_a_compound_tail():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        pfn = manager.alloc(3, compound=True)
        entry(manager, pfn + 5).next = 0xFFFFFFFF
        differs(manager.identify(PFN(pfn + 5)), "head 4294967295 has no RAM")
        entry(manager, pfn + 5).next = pfn + 64
        differs(manager.identify(PFN(pfn + 5)), "outside of the block")


def test_flags_of_a_poked_frame_change_no_verdict():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        manager.set_flags(42, 0xF800)
        report = manager.page_types()
        verified(report)
        assert "0xf800" in repr(report)
