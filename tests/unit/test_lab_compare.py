"""pfm/lab/compare.py: one trace under each policy, in figures and curves."""

import random

from ktap import equal, raises
from maps import MIB

import pfm
from pfm.lab.compare import Comparison
from pfm.lab.firstfit import FirstFit
from pfm.lab.policy import POLICIES
from pfm.lab.trace import Trace
from pfm.memmap import protocol
from pfm.testing import FakeMachine

SMALL = [(0, 16 * MIB, protocol.USABLE)]


def _trace(steps):
    """Return a random trace that keeps some 200 frames."""
    random.seed(7)
    trace = Trace()
    held = []
    for _ in range(steps):
        if len(held) > 24:
            trace.free(held.pop(random.getrandbits(20) % len(held)))
        else:
            held.append(trace.alloc(1 + random.getrandbits(4)))
    return trace


def _lab(check):
    with FakeMachine(SMALL) as machine, pfm.sandbox(2, machine.boot()) as lab:
        check(lab)
        equal(lab.owners().total, 0)
        lab.check()


def test_each_policy_does_the_trace():
    def check(lab):
        found = Comparison(lab, _trace(500))
        equal([row.name for row in found.results], [policy.__name__ for policy in POLICIES])
        for row in found.results:
            equal(row.failed, 0)
            assert 0 <= row.mean <= row.worst <= 1
            assert 64 <= len(row.curve) <= 128
        # Only blocks of a power of two hold frames that nobody asked for.
        equal([row.waste > 0 for row in found.results], [True, False, False, False])
        text = repr(found)
        for name in ("BuddySystem", "FirstFit", "NextFit", "BestFit", "500 steps"):
            assert name in text, text
        assert max([len(line) for line in text.split("\n")]) <= 79
        equal(found.svg().count("<polyline"), 4)

    _lab(check)


def test_allocations_that_fail_are_counted_and_their_frees_left_out():
    def check(lab):
        trace = Trace()
        for frames in (300, 400, 100):
            trace.alloc(frames)
        for index in (1, 0):
            trace.free(index)
        trace.alloc(300)
        found = Comparison(lab, trace, (FirstFit,))
        equal([(row.failed, row.name) for row in found.results], [(1, "FirstFit")])

    _lab(check)


def test_known_fragmentation():
    def check(lab):
        free = lab.largest_free().frames
        trace = Trace()
        held = [trace.alloc(10) for _ in range(3)]
        trace.free(held[1])
        row = Comparison(lab, trace, (FirstFit,)).results[0]
        equal(len(row.curve), 4)
        assert abs(row.curve[3] - 10 / (free - 20)) < 1e-6, row
        equal(row.curve[:3], [0, 0, 0])
        equal((row.worst, row.waste), (row.curve[3], 0))

    _lab(check)


def test_empty_trace():
    def check(lab):
        raises(ValueError, Comparison, lab, Trace())

    _lab(check)
