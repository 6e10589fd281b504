"""Questions about the machine the kernel runs on, and a sandbox on its memory."""

import kernel
import owners
from ktap import equal, raises, skip

import pfm
from pfm import PFM, NoCallSitesError, NotInitialisedError, SandboxInUseError
from pfm.lab.compare import Comparison
from pfm.lab.firstfit import FirstFit
from pfm.tags import tag_text

# Small enough for a machine of 32 MiB.
MIB = 1


def test_owners_are_the_kernels():
    report = PFM.owners()
    equal(report.differences, [])
    names = [row.name for row in report.owners]
    for tag in (owners.HEAP, owners.TABLES, owners.DISK):
        assert tag_text(tag) in names, report
    equal(report.total, PFM.meminfo().total.used)
    equal(report.frames("heap"), sum([block.frames for block in PFM.blocks(tag="heap")]))


def test_blocks_are_all_memory():
    frames = {}
    for block in PFM.blocks():
        frames[block.kind] = frames.get(block.kind, 0) + block.frames
    total = PFM.meminfo().total
    equal(frames.get("free", 0) + frames.get("cached", 0), total.free)
    equal((frames["used"], frames["reserved"]), (total.used, total.reserved))


def test_largest_free_range_can_be_had():
    for row in PFM.largest_free().zones:
        if row.frames:
            pfn = PFM.alloc_at(row.pfn, row.frames, tag="test")
            PFM.free(pfn)


def test_fragmentation_is_a_share():
    for order in (0, 9, 18):
        report = PFM.fragmentation(order)
        equal(report.differences, [])
        assert 0 <= report.index <= 1, report
    equal(PFM.fragmentation(0).index, 0)


def test_leaks():
    with PFM.leaks() as leaks:
        PFM.free(PFM.alloc(3))
        lost = PFM.alloc(2, tag="lost")
    found = [(row.pfn, row.frames, tag_text(row.tag)) for row in leaks.allocated]
    equal(found, [(lost, 4, "lost")])
    equal(leaks.freed, [])
    PFM.free(lost)


def _lose(order):
    return PFM.alloc(order, tag="lost")


def test_call_sites():
    if not PFM.debug:
        raises(NoCallSitesError, PFM.call_sites)
        skip("not in debug mode")
    with PFM.leaks() as leaks:
        pfn = _lose(3)
    many = PFM.alloc_many(5, tag="lost")
    places = {site.place.split(" in ")[1]: site.frames for site in PFM.call_sites("lost").sites}
    equal(places, {"_lose": 8, "test_call_sites": 5})
    file, line, function = kernel.call_place(PFM.call_sites("lost").sites[0].site)
    equal((file.rsplit("/", 1)[-1], function), ("test_questions.py", "_lose"))
    equal([row.place for row in leaks.allocated], ["{}:{} in _lose".format(file, line)])
    equal(PFM.call_sites().differences, [])
    raises(ValueError, kernel.call_place, 0xFFFFFFFF)
    PFM.free(pfn)
    PFM.free_many(many)


def test_history():
    history = PFM.record(8)
    pfn = PFM.alloc(2)
    for _ in range(20):
        history.sample()
    PFM.free(pfn)
    frees = [sum(free) for _, free in history]
    equal((len(frees), frees[0] - frees[-1]), (6, 4))
    assert "6 samples" in repr(history)


def test_sandbox():
    PFM.drain()
    before = PFM.check()
    with pfm.sandbox(MIB) as lab:
        with lab.recording() as trace:
            held = [lab.alloc_contiguous(count) for count in range(1, 12)]
            for pfn in held[::2]:
                lab.free(pfn)
        equal(Comparison(lab, trace, (FirstFit,)).results[0].failed, 0)
        assert raises(SandboxInUseError, lab.close).frames
        equal(PFM.owners().frames("sbox"), lab.max() + 1)
        lab.check()
    raises(NotInitialisedError, lab.alloc)
    PFM.drain()
    equal(PFM.check(), before)
