"""pfm/questions/blocks.py, pfm/questions/cursor.py, pfm/questions/loops.py: the blocks are those that each entry says."""

from allocation import entry
from ktap import equal, raises
from maps import SMALL_8M, THREE_ZONES
from recount import busy, with_busy

from pfm import ArgumentError, Zone
from pfm.alloc.zone import zone_of
from pfm.frame.entry import CACHED, COMPOUND_TAIL, FREE, PART, RESERVED, USED
from pfm.testing import FakeMachine

KINDS = {
    "free": (FREE,),
    "used": (USED, PART, COMPOUND_TAIL),
    "cached": (CACHED,),
    "reserved": (RESERVED,),
}


def _cover(blocks, recount, kinds):
    """Expect that the blocks hold exactly the frames of these kinds, each once."""
    frames = [pfn for block in blocks for pfn in range(block.pfn, block.pfn + block.frames)]
    equal(frames, [pfn for pfn in sorted(recount.kinds) if recount.kinds[pfn] in kinds])


def test_blocks_cover_the_frames_of_each_entry():
    def check(manager, recount):
        for name, kinds in KINDS.items():
            blocks = list(manager.blocks(name))
            frames = sum([block.frames for block in blocks])
            equal(manager.blocks(name).sums(), (len(blocks), frames))
            _cover(blocks, recount, kinds)
            equal({block.kind for block in blocks} - {name}, set())
        _cover(list(manager.blocks()), recount, [k for kinds in KINDS.values() for k in kinds])

    with_busy(check)


def test_free_blocks_are_those_of_the_lists():
    def check(manager, recount):
        found = [[0] * 19 for _ in Zone.NAMES]
        for block in manager.blocks("free"):
            found[block.zone][len(bin(block.frames)) - 3] += 1
        equal(found, recount.blocks)

    with_busy(check)


def test_zones_are_places():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        busy(manager)
        every = list(manager.blocks())
        for zone in range(3):
            blocks = list(manager.blocks(zone=zone))
            equal(blocks, [block for block in every if block.zone == zone])
            assert blocks
            equal({zone_of(block.pfn) for block in blocks}, {zone})


def test_tags_references_and_runs():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        run = manager.alloc_contiguous(77, tag="net")
        block = manager.alloc(3, tag="net")
        manager.ref(block)
        manager.alloc(tag=1)
        manager.alloc()
        found = {b.pfn: (b.frames, b.rc, b.tag) for b in manager.blocks(tag="net")}
        equal(found, {run: (77, 1, 0x6E657420), block: (8, 2, 0x6E657420)})
        equal([b.tag for b in manager.blocks("used", tag=1)], [1])
        # Only allocations have a tag: 0 is that of those who gave none.
        equal([b.kind for b in manager.blocks(tag=0)], ["used"])
        equal(list(manager.blocks("free", tag="net")), [])


def test_run_over_the_edge_of_a_zone():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        pfn = manager.alloc_at(4096 - 3, 10, tag="edge")
        equal([(b.pfn, b.frames, b.zone) for b in manager.blocks(tag="edge")], [(pfn, 10, 0)])
        equal(list(manager.blocks(zone=Zone.DMA32, tag="edge")), [])


def test_freeing_while_iterating():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        for at in range(60):
            manager.alloc(at % 4, tag="mine", compound=at % 3 == 0)
        manager.alloc_contiguous(33, tag="mine")
        for zone in range(3):
            manager.alloc(1, zone, tag="mine")
        count = 0
        for block in manager.blocks(tag="mine"):
            manager.free(block.pfn)
            count += 1
        equal((count, list(manager.blocks("used"))), (64, []))
        manager.check()


def test_prints_the_first_and_the_sum():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        manager.alloc_many(30, tag="many")
        lines = repr(manager.blocks(tag="many")).split("\n")
        equal(len(lines), 23)
        equal(lines[-2:], ["and 10 more", "30 blocks, 30 frames, 120 KiB"])
        assert "many" in lines[1]


def test_entries_that_make_no_sense_end_the_walk_too():
    for state in (0, 0x1F, 0x5F, 0x3F, 0x7F, 0xBF, 0xDF, 0xFF):
        with FakeMachine(SMALL_8M) as machine:
            manager = machine.boot()
            pfn = manager.alloc(4)
            entry(manager, pfn).state = state
            entry(manager, pfn).next = 0xFFFFFFFF
            for block in manager.blocks():
                assert block.pfn + block.frames <= 2048
            str(manager.largest_free())
            str(manager.snapshot())
            assert not manager.owners().verified or state >> 5 == USED


def test_arguments():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for kind in ("", "tail", "part", "Free", "absent"):
            equal(raises(ArgumentError, manager.blocks, kind).name, "kind")
        for kind in (1, b"free", 0):
            assert "kind" in str(raises(TypeError, manager.blocks, kind))
        for zone in (-1, 3):
            equal(raises(ArgumentError, manager.blocks, zone=zone).name, "zone")
        raises(TypeError, manager.blocks, zone="DMA")
        raises(ArgumentError, manager.blocks, tag="disks")
        raises(TypeError, manager.blocks, tag=b"disk")
