"""Lab 4: does traces in a sandbox under several policies."""

from checking import expect, expect_equal

import pfm
from pfm import OutOfFramesError
from pfm.lab.bestfit import BestFit
from pfm.lab.buddysystem import BuddySystem
from pfm.lab.compare import Comparison
from pfm.lab.firstfit import FirstFit
from pfm.lab.trace import Trace
from pfm.lab.trial import Trial

_MIB = 16
_ROUNDS = 60
_LARGE = 24
# Of what is free, at most this share may lie outside the longest range.
_SCATTERED_MAX = 0.05


def measures(work):
    """The index of a few lists of ranges."""
    hint = "the frames in short ranges, by all free frames"
    for ranges, count, expected in (
        ([], 4, 0),
        ([(1, 8)], 8, 0),
        ([(1, 8)], 9, 1),
        ([(1, 1), (5, 3), (9, 4)], 4, 0.5),
        ([(1, 1), (5, 3), (9, 4)], 2, 0.125),
    ):
        expect_equal(
            work.unusable(ranges, count), expected, "{} of {}: {}".format(count, ranges, hint)
        )


def agrees(work):
    """It is what `PFM.fragmentation` says, for blocks."""
    with pfm.sandbox(2) as lab:
        for pfn in [lab.alloc() for _ in range(100)][::3]:
            lab.free(pfn)
        lab.drain()
        blocks = [(block.pfn, block.frames) for block in lab.blocks("free")]
        for order in range(8):
            found = work.unusable(blocks, 1 << order)
            expected = lab.fragmentation(order).index
            expect(
                abs(found - expected) < 1e-6, "order {}: {}, not {}".format(order, expected, found)
            )


def _failed(make, *policies):
    """Return how many allocations of the trace that `make` returns fail under each policy."""
    with pfm.sandbox(_MIB) as lab:
        trace = make(lab.largest_free().frames)
        expect(len(trace), "the trace has no step")
        return [result.failed for result in Comparison(lab, trace, policies).results]


def best_fit_loses(work):
    """A trace that first fit can do and best fit can not."""
    first, best = _failed(work.worse_for_best_fit, FirstFit, BestFit)
    expect(not first, "first fit failed {} times".format(first))
    expect(best, "best fit failed never; hint: have it leave two pieces that are too short")


def first_fit_loses(work):
    """A trace that best fit can do and first fit can not."""
    first, best = _failed(work.worse_for_first_fit, FirstFit, BestFit)
    expect(not best, "best fit failed {} times".format(best))
    expect(first, "first fit failed never; hint: have it cut the long range for a short request")


def buddies_lose(work):
    """A trace that first fit can do and the buddy system can not."""
    first, buddies = _failed(work.worse_for_buddies, FirstFit, BuddySystem)
    expect(not first, "first fit failed {} times".format(first))
    expect(buddies, "the buddy system failed never; hint: how many frames does a request get?")


def _scattering():
    """Return a trace in which many large allocations come and go, and small ones stay."""
    trace = Trace()
    large = []
    for number in range(_ROUNDS):
        large.append(trace.alloc(_LARGE + number % 5))
        trace.alloc(1 + number % 3)
    for index in large:
        trace.free(index)
    return trace


def _scattered(lab, trace, policy):
    """Do the trace, and return the share of the free frames outside the longest free range."""
    trial = Trial(lab, policy)
    held = {}
    try:
        for index, frames in trace:
            if frames:
                held[index] = trial.alloc(frames)
            else:
                trial.free(held.pop(index))
        trial.check()
        return trial.unusable()
    finally:
        for pfn in held.values():
            trial.free(pfn)


def own_policy(work):
    """The policy hands out what is free, all of it, and takes everything back."""
    with pfm.sandbox(1) as lab:
        trial = Trial(lab, work.OwnPolicy)
        held = []
        try:
            while True:
                held.append(trial.alloc(1 + len(held) * 5 % 12))
        except OutOfFramesError:
            pass
        trial.check()
        try:
            while True:
                held.append(trial.alloc(1))
        except OutOfFramesError:
            pass
        expect_equal(list(trial.policy.free_ranges()), [], "single frames use up all that is free")
        for pfn in held[::2] + held[1::2]:
            trial.free(pfn)
        trial.check()
        expect_equal(len(trial.policy.free_ranges()), 1, "ranges when all is free again")


def own_policy_is_better(work):
    """Where small allocations stay and large ones go, the policy leaves one long range."""
    trace = _scattering()
    with pfm.sandbox(_MIB) as lab:
        first = _scattered(lab, trace, FirstFit)
        own = _scattered(lab, trace, work.OwnPolicy)
        hint = "{:.0f} % of the free frames are scattered, by first fit {:.0f} %; hint: two ends"
        expect(own <= _SCATTERED_MAX, hint.format(100 * own, 100 * first))


STEPS = (
    ("the index", measures),
    ("the index agrees with the manager's", agrees),
    ("best fit loses", best_fit_loses),
    ("first fit loses", first_fit_loses),
    ("the buddy system loses", buddies_lose),
    ("a policy of one's own", own_policy),
    ("it keeps what is free together", own_policy_is_better),
)
