"""pfm/report/calls.py: the reports as calls of the manager."""

from allocation import zone
from ktap import equal, raises
from maps import MIB, SMALL_8M, frames
from recount import ODD_32M, verified

import pfm.testing
from pfm import PFN, NotInitialisedError, PageFlags, PageFrameManager, Zone

ONE_PATH = "reports read entries and counters, whichever path wrote them"


def test_before_init():
    manager = PageFrameManager()
    for call in (
        manager.meminfo,
        manager.buddyinfo,
        manager.memmap,
        manager.page_types,
        manager.chart,
        lambda: manager.flag_ranges(1),
        lambda: manager.identify(0),
    ):
        raises(NotInitialisedError, call)


def test_reports_take_no_lock():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        guard = manager.get(42)
        zone(manager, Zone.DMA).lock = 2
        for report in (
            manager.meminfo(),
            manager.buddyinfo(),
            manager.memmap(),
            manager.page_types(),
            manager.chart(),
            manager.identify(PFN(42)),
        ):
            verified(report)
        equal(list(manager.flag_ranges(PageFlags.LOCKED)), [])
        zone(manager, Zone.DMA).lock = 0
        guard.release()


def test_reports_after_reclaim():
    with pfm.testing.FakeMachine(ODD_32M) as machine:
        manager = machine.boot()
        before = manager.meminfo().total
        given, _ = manager.reclaim()
        equal(given, frames(MIB))
        for report in (manager.meminfo(), manager.buddyinfo(), manager.memmap(), manager.chart()):
            verified(report)
        equal(manager.meminfo().total.free, before.free + given)
