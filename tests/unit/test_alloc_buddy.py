"""pfm/alloc/buddy.py: free blocks split and merge."""

from allocation import lists
from ktap import equal
from maps import GIB, MIB, SMALL_8M, TIB, frames

from pfm import Zone
from pfm.alloc.zone import ORDER_MAX
from pfm.memmap import protocol
from pfm.testing import FakeMachine


def test_split_leaves_one_block_of_each_order_below():
    # One block of 1 GiB, and what the array leaves of 64 MiB.
    with FakeMachine(
        [(GIB, GIB, protocol.USABLE), (3 * GIB, 64 * MIB, protocol.USABLE)]
    ) as machine:
        pfm = machine.boot()
        before = lists(pfm)[Zone.DMA32]
        equal(before[ORDER_MAX], 1)
        upper = pfm.regions[1]
        held = pfm.alloc_at(upper.start, upper.end - upper.start)
        block = pfm.alloc(4)
        equal(block, frames(GIB))
        equal(lists(pfm)[Zone.DMA32], [0] * 4 + [1] * 14 + [0])
        pfm.check()
        pfm.free(block)
        pfm.free(held)
        equal(lists(pfm)[Zone.DMA32], before)


def test_merge_waits_for_the_buddy():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        left = pfm.alloc_at(1024, 8)
        right = pfm.alloc_at(1032, 8)
        other = pfm.alloc_at(1040, 16)
        before = lists(pfm)[0]
        pfm.free(left)
        equal(lists(pfm)[0][3], before[3] + 1)
        pfm.free(right)
        equal(lists(pfm)[0][3], before[3])
        equal(lists(pfm)[0][4], before[4] + 1)
        pfm.free(other)
        pfm.check()


def test_no_merge_across_the_edge_of_memory():
    # 1 to 8 MiB: the buddy of the block at 1 MiB would lie below it, in a hole.
    with FakeMachine([(MIB, 7 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        pfm.free(pfm.alloc_at(256, 256))
        equal(lists(pfm), before)
        pfm.check()


def test_largest_blocks_below_16_tib():
    base = 16 * TIB - 4 * GIB
    with FakeMachine([(base, 4 * GIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        blocks = [pfm.alloc(18) for _ in range(before[Zone.NORMAL][18])]
        equal(sorted(blocks), [frames(base) + (n << 18) for n in range(3)])
        pfm.check()
        halves = []
        for block in blocks:
            pfm.free(block)
            halves += [pfm.alloc(17), pfm.alloc(17)]
        for half in halves:
            pfm.free(half)
        equal(lists(pfm), before)
        pfm.check()
