"""pfm/questions/owners.py: who has how much agrees with what was asked for."""

from allocation import entry
from ktap import equal, raises
from maps import SMALL_8M, THREE_ZONES
from recount import busy, differs, verified

from pfm import ArgumentError
from pfm.testing import FakeMachine


def _rows(manager):
    return {row.name: (row.frames, row.allocations) for row in manager.owners().owners}


def test_nobody():
    with FakeMachine(SMALL_8M) as machine:
        report = machine.boot().owners()
        verified(report)
        equal((report.owners, report.total), ([], 0))


def test_each_way_to_allocate():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        run = manager.alloc_contiguous(300, tag="net")
        manager.alloc_at(4096 - 3, 10, tag="net")
        manager.alloc(3, compound=True, tag="disk")
        manager.alloc_many(9, tag="many")
        manager.alloc(2)
        manager.alloc(tag=5)
        verified(manager.owners())
        expected = {"net": (310, 2), "disk": (8, 1), "many": (9, 9), "-": (4, 1), "0x5": (1, 1)}
        equal(_rows(manager), expected)
        manager.free(run)
        expected["net"] = (10, 1)
        equal(_rows(manager), expected)
        report = manager.owners()
        equal(report.total, 32)
        equal((report.frames("net"), report.frames(5), report.frames("none")), (10, 1, 0))
        equal([row.frames for row in report.owners], [10, 9, 8, 4, 1])


def test_more_owners_than_the_table_has_slots():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for tag in range(1000):
            manager.alloc(tag=tag * 0x01000100 & 0xFFFFFFFF)
        manager.alloc(4, tag=0xFFFFFFFF)
        report = manager.owners()
        verified(report)
        equal(len(report.owners), 1001)
        equal((report.owners[0].frames, report.owners[0].tag), (16, 0xFFFFFFFF))
        equal(report.total, 1016)


def test_soft_reset_keeps_the_lasting_ones_and_their_names():
    from uctypes import addressof, sizeof

    from pfm import PageFrameManager
    from pfm.array.resume import SAVED

    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        state = bytearray(sizeof(SAVED))
        manager.save(addressof(state))
        manager.alloc(2, tag="disk")
        manager.alloc(3, tag="gone")
        machine.soft_reset()
        manager = PageFrameManager()
        assert manager.resume(addressof(state), (0x6469736B,), machine)
        equal(_rows(manager), {"disk": (4, 1)})


def test_lost_head_shows():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        busy(manager)
        pfn = manager.alloc(4)
        entry(manager, pfn).state = 0
        differs(manager.owners(), "used frames: ")


def test_arguments():
    with FakeMachine(SMALL_8M) as machine:
        report = machine.boot().owners()
        raises(ArgumentError, report.frames, "disks")
        raises(TypeError, report.frames, None)
