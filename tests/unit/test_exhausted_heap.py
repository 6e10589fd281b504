"""The Python heap exhausted at each point of each public call: a MemoryError that changes nothing, or success."""

from allocation import overwrite
from calls import CALLS, MARKED, signature
from exhausted import BLOCKS, COARSE, sweep, with_blocks_left
from ktap import equal, raises
from maps import MIB, SMALL_8M, THREE_ZONES, frames

from pfm import FrameStateError, PageFrameManager
from pfm.memmap import protocol
from pfm.testing import FakeMachine

# On the slow path, those calls that have another one as well.
_CALLS = [call for call in CALLS if call.fast or PageFrameManager.fast_path]


def test_each_call():
    for debug in (False, True):
        with FakeMachine(THREE_ZONES) as machine:
            pfm = machine.boot(debug)
            # Its page of the array gets a frame of its own for the whole test.
            pfm.set_flags(MARKED, 1)
            pfm.clear_flags(MARKED, 1)
            sizes = COARSE if debug else BLOCKS
            refused = [call.name for call in _CALLS if sweep(pfm, call, sizes)]
            # A guard is an object of a few blocks, so the heap was full to the last one.
            assert "get" in refused, refused


def test_init():
    for blocks in BLOCKS:
        with FakeMachine(THREE_ZONES) as machine:
            pfm = PageFrameManager()
            done, _ = with_blocks_left(blocks, PageFrameManager.init, pfm, machine)
            equal(pfm.initialised, done)
            if not done:
                equal(machine.manager, None)
                equal(pfm.regions, ())
                pfm.init(machine)
            pfm.check()
            pfm.free(pfm.alloc())


_RECLAIMABLE = [
    (MIB, MIB, protocol.BOOTLOADER_RECLAIMABLE),
    (3 * MIB, MIB, protocol.BOOTLOADER_RECLAIMABLE),
    (5 * MIB, MIB, protocol.BOOTLOADER_RECLAIMABLE),
    (32 * MIB, 8 * MIB, protocol.USABLE),
]


def test_reclaim_gives_each_frame_once():
    """A reclaim that ran out of heap and is made again must not free frames twice."""
    refused = 0
    for blocks in BLOCKS:
        with FakeMachine(_RECLAIMABLE) as machine:
            pfm = machine.boot()
            before = signature(pfm)
            done, result = with_blocks_left(blocks, lambda pfm, given: pfm.reclaim(), pfm, None)
            if not done:
                refused += 1
                equal(signature(pfm), before)
                result = pfm.reclaim()
            equal(result, (frames(3 * MIB), 0))
            pfm.check()
            count = pfm.count_free()[0]
            equal(len(set(pfm.alloc_many(count, zone=0))), count)
    assert refused, "the heap was never full"


def test_error_of_an_allocation_leaves_the_frame_free():
    """Where the error itself finds no heap, too: a frame written while it was free."""
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot(debug=True)
        pfm.free(pfm.alloc_at(700))
        for blocks in range(8):
            before = signature(pfm)
            overwrite(pfm, 700)
            try:
                done, _ = with_blocks_left(blocks, lambda pfm, pfn: pfm.alloc_at(pfn), pfm, 700)
            except Exception:
                done = False
            assert not done
            equal(signature(pfm), before)
            raises(FrameStateError, pfm.free, 700)
