"""pfm/lab/policy.py, pfm/lab/firstfit.py, pfm/lab/nextfit.py, pfm/lab/bestfit.py, pfm/lab/buddysystem.py: each policy picks what its name says."""

import random

from ktap import equal

from pfm.lab.bestfit import BestFit
from pfm.lab.buddysystem import BuddySystem
from pfm.lab.firstfit import FirstFit
from pfm.lab.nextfit import NextFit
from pfm.lab.policy import POLICIES

ONE_PATH = "no manager is involved"


def _with_holes(policy):
    """Return a policy whose free ranges are 10..15, 20..22, 30..34 and 50..99."""
    made = policy(10, 90)
    made.alloc(40)
    for pfn, count in ((10, 5), (30, 4), (20, 2)):
        made.free(pfn, count)
    equal(list(made.free_ranges()), [(10, 5), (20, 2), (30, 4), (50, 50)])
    return made


def test_first_fit():
    made = _with_holes(FirstFit)
    equal([made.alloc(n) for n in (3, 3, 2, 2, 51, 50)], [10, 30, 13, 20, 0, 50])


def test_best_fit():
    made = _with_holes(BestFit)
    equal([made.alloc(n) for n in (3, 2, 5, 6, 1, 45)], [30, 20, 10, 50, 33, 0])


def test_next_fit():
    made = _with_holes(NextFit)
    equal([made.alloc(n) for n in (3, 2, 45, 2, 1, 9)], [50, 53, 55, 10, 12, 0])


def test_buddy_system():
    made = BuddySystem(10, 90)
    equal(
        list(made.free_ranges()),
        [(10, 2), (12, 4), (16, 16), (32, 32), (64, 32), (96, 4)],
    )
    # Three frames take four, the smallest block that fits is split first.
    equal([made.alloc(n) for n in (3, 1, 1, 5, 64, 32)], [12, 10, 11, 16, 0, 32])
    for pfn, count in ((12, 3), (11, 1), (16, 5), (32, 32), (10, 1)):
        made.free(pfn, count)
    equal(
        list(made.free_ranges()),
        [(10, 2), (12, 4), (16, 16), (32, 32), (64, 32), (96, 4)],
    )


def test_ranges_join():
    for policy in (FirstFit, NextFit, BestFit):
        made = policy(1, 30)
        for _ in range(3):
            made.alloc(10)
        equal((list(made.free_ranges()), made.alloc(1)), ([], 0))
        for pfn in (11, 1, 21):
            made.free(pfn, 10)
        equal(list(made.free_ranges()), [(1, 30)])


def test_random_against_a_set_of_frames():
    random.seed(5)
    for policy in POLICIES:
        made = policy(7, 500)
        free = set(range(7, 507))
        held = []
        for _ in range(600):
            if held and random.getrandbits(3) < 3:
                pfn, count = held.pop(random.getrandbits(20) % len(held))
                made.free(pfn, count)
                free |= set(range(pfn, pfn + count))
            else:
                count = 1 + random.getrandbits(5)
                pfn = made.alloc(count)
                if pfn:
                    frames = set(range(pfn, pfn + count))
                    equal(frames - free, set())
                    free -= frames
                    held.append((pfn, count))
        listed = [pfn + at for pfn, count in made.free_ranges() for at in range(count)]
        equal(len(listed), len(set(listed)))
        equal(set(listed) - free, set())
        for pfn, count in held:
            made.free(pfn, count)
        equal(sum([count for _, count in made.free_ranges()]), 500)
