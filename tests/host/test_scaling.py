"""bench/scaling.py: agrees with closed forms where there are some, and with pfm's own lists."""

import random
import sys
from dataclasses import replace
from pathlib import Path

import frameboard
import framelayout
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))

import scaling  # noqa: E402

EVEN = scaling.Costs(jitter=0)
# Where a line is does not matter, nor who waits.
FLAT = replace(EVEN, near=0, far=0, retries=0)
# A block of the largest order splits down to order 3 each time.
ORDER = 3
SPLITS = scaling.ORDER_MAX - ORDER

# 32 frames, one block.
FRAMES = (32, 64)
ZONE_ORDER = 5


def nanoseconds(*args, **options):
    """Return what a pair takes, all processors together."""
    return 1000 / scaling.simulate(*args, **options)


def test_one_processor():
    pair = EVEN.zone_pair + 2 * EVEN.locked + EVEN.take_give + SPLITS * EVEN.split_merge
    assert nanoseconds(1, scaling.ZONE_LOCK, ORDER, 1, EVEN) == pytest.approx(pair)
    assert nanoseconds(1, scaling.ZONE_LOCK, 0, 1, EVEN) == pytest.approx(EVEN.magazine_pair)


def test_one_processor_refills_and_drains():
    costs = replace(EVEN, split_merge=0)
    frames = dict(costs.magazine)[0] // 2
    burst = scaling.BURSTS[-1]
    # What a burst needs beyond a full magazine, and what it gives back beyond one.
    refills = (burst - 2 * frames) // frames
    pair = costs.magazine_pair
    pair += refills * (2 * costs.locked + frames * costs.refill_drain) / burst
    assert nanoseconds(1, scaling.ZONE_LOCK, 0, burst, costs) == pytest.approx(pair)


def test_saturated_lock():
    # The lock is never free: a pair takes as long as it is held for it.
    costs = replace(FLAT, split_merge=0)
    held = 2 * costs.locked + costs.take_give
    assert costs.zone_pair < 15 * held
    assert nanoseconds(64, scaling.ZONE_LOCK, ORDER, 1, costs) == pytest.approx(held, rel=0.01)
    # Each transfer of the lock's line comes on top, and for half of the others another.
    costs = replace(costs, near=50, far=50)
    assert nanoseconds(64, scaling.ZONE_LOCK, ORDER, 1, costs) > held + 2 * 50
    costs = replace(costs, retries=0.5)
    assert nanoseconds(64, scaling.ZONE_LOCK, ORDER, 1, costs) > held + 2 * 50 * 31


@pytest.mark.parametrize(("design", "order"), [(scaling.REGIONS, 9), (scaling.ZONE_LOCK, 0)])
def test_what_shares_nothing_scales(design, order):
    one = scaling.simulate(1, design, order, 1, EVEN)
    assert scaling.simulate(16, design, order, 1, EVEN) == pytest.approx(16 * one, rel=0.02)


def test_same_result_each_time():
    rates = [scaling.simulate(8, scaling.MAGAZINES, ORDER, scaling.BURSTS[-1]) for _ in range(2)]
    assert rates[0] == rates[1]


def test_lists_and_lines_are_those_of_pfm():
    board = frameboard.Board(*FRAMES, processors=1, watched=False)
    lists = scaling.Buddy(ZONE_ORDER, FRAMES[0])
    chosen = random.Random(1)
    mine = []
    for _ in range(300):
        lists.lines.clear()
        if mine and chosen.random() < 0.5:
            pfn, order = mine.pop(chosen.randrange(len(mine)))
            _, reached = board.buddy("give", pfn, order)
            lists.give(pfn, order)
        else:
            order = chosen.choice((0, 0, 1, 2))
            pfn, reached = board.buddy("take", order)
            taken = lists.take(order)
            assert pfn == (taken[0] if taken else 0)
            if pfn:
                mine.append((pfn, order))
        assert lists.lines | {scaling.LOCK_LINE} == {line(virt) for virt in reached}


def line(virt):
    """Return the line of an address of the board, as scaling.Buddy names it."""
    if virt < framelayout.ARRAY:
        return ("list", (virt - framelayout.CONTROL) // 64)
    return (virt - framelayout.ARRAY) // 64
