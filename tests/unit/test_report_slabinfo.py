"""pfm/report/slabinfo.py: the table of object caches, and that a wrong counter shows."""

from ktap import equal
from maps import THREE_ZONES

from pfm import Cache
from pfm.slab.caches import cache_at
from pfm.slab.classes import class_of
from pfm.testing import FakeMachine

ONE_PATH = "reports read entries and counters, whichever path wrote them"


def _rows(pfm):
    return {row.name: row for row in pfm.slabinfo().caches}


def test_no_slab_no_row():
    with FakeMachine(THREE_ZONES) as machine:
        report = machine.boot().slabinfo()
        equal((report.caches, report.frames, report.used, report.verified), ([], 0, 0, True))


def test_rows():
    for debug in (False, True):
        with FakeMachine(THREE_ZONES) as machine:
            pfm = machine.boot(debug)
            Cache(20, "empty", manager=pfm)
            cache = Cache(5000, "busy", tag=7, manager=pfm)
            objects = [cache.alloc() for _ in range(10)]
            small = [pfm.malloc(100) for _ in range(100)]
            large = pfm.malloc(50000)
            report = pfm.slabinfo()
            assert report.verified, report
            rows = _rows(pfm)
            equal(sorted(rows), ["busy", "empty", "malloc 112", "malloc 57344"])
            busy = rows["busy"]
            equal((busy.size, busy.used, busy.tag), (5000, 10, 7))
            assert busy.used + busy.stocked <= busy.objects
            equal(rows["malloc 112"].used, 100)
            equal((rows["malloc 57344"].slabs, rows["malloc 57344"].frames), (1, 13))
            equal((rows["empty"].slabs, rows["empty"].frames), (0, 0))
            equal(report.frames, pfm.check().used)
            equal(report.used, 10 * 5000 + 100 * 112 + (13 << 12))
            text = str(report).split("\n")
            equal(len(text), 6)
            assert text[-1].endswith("(verified)")
            assert max([len(line) for line in text]) <= 79
            for virt in objects:
                cache.free(virt)
            for virt in small:
                pfm.mfree(virt)
            pfm.mfree(large)
            row = _rows(pfm)["malloc 112"]
            equal((row.used, row.empty + (row.stocked > 0) > 0), (0, True))


def test_wrong_counter_shows():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        pfm.malloc(100)
        cache_at(pfm._caches, class_of(100)).slabs += 1
        report = pfm.slabinfo()
        equal(report.differences, ["slabs of malloc 112: 1 counted, 2 kept"])
        assert "differs" in str(report)
