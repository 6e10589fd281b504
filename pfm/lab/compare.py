"""Policies compared: the same trace under each, in figures and as curves."""

import time
from collections import namedtuple

from ..errors import OutOfFramesError
from ..report import plot
from ..report.report import Report
from .policy import POLICIES
from .trial import Trial

# `failed` allocations of the trace found no room.  `waste` is the greatest share of the frames
# in use that nobody asked for; `worst` and `mean` are of `unusable`, the share of the free
# frames outside the longest free range, after each step of `curve`.  `us` is the time of a
# step in microseconds.
Result = namedtuple("Result", ("name", "failed", "waste", "worst", "mean", "us", "curve"))

# Points of a curve: the drawing in characters has as many columns.
_POINTS = 64


def _run(manager, trace, policy):
    """Do the trace under a policy, verify it, and return the `Result`."""
    trial = Trial(manager, policy)
    held = {}
    failed = 0
    waste = 0
    curve = []
    spent = 0
    every = max(1, len(trace) // _POINTS)
    for step, (index, frames) in enumerate(trace):
        started = time.ticks_us()
        if not frames:
            if index in held:
                trial.free(held.pop(index))
        else:
            try:
                held[index] = trial.alloc(frames)
            except OutOfFramesError:
                failed += 1
        spent += time.ticks_diff(time.ticks_us(), started)
        if step % every == 0:
            curve.append(trial.unusable())
            free = sum([count for _, count in trial.policy.free_ranges()])
            if trial.count > free:
                waste = max(waste, 1 - trial.used / (trial.count - free))
    trial.check()
    for pfn in held.values():
        trial.free(pfn)
    trial.check()
    return Result(
        trial.name,
        failed,
        waste,
        max(curve),
        sum(curve) / len(curve),
        spent / len(trace),
        curve,
    )


class Comparison(Report):
    """The trace done under each of `policies`: `results` has a `Result` for each.

    `manager` best is a sandbox: nothing else may allocate from it meanwhile.  Afterwards it is
    as before.  Raises ValueError for a trace without a step, PolicyError.
    """

    def __init__(self, manager, trace, policies=POLICIES):
        super().__init__()
        if not len(trace):
            raise ValueError("the trace has no step")
        self.steps = len(trace)
        self.results = [_run(manager, trace, policy) for policy in policies]

    def _curves(self):
        return [(result.name, result.curve) for result in self.results]

    def lines(self):
        """Yield the lines of the table and of the curves, drawn in characters."""
        yield "{:<12} {:>7} {:>7} {:>7} {:>7} {:>8}".format(
            "Policy", "Failed", "Waste", "Worst", "Mean", "us/step"
        )
        for row in self.results:
            yield "{:<12} {:>7} {:>7.3f} {:>7.3f} {:>7.3f} {:>8.1f}".format(
                row.name, row.failed, row.waste, row.worst, row.mean, row.us
            )
        for line in plot.text(self._title(), self._curves(), _share):
            yield line

    def svg(self):
        """Return the curves as the text of an SVG picture."""
        return "\n".join(plot.svg(self._title(), self._curves(), _share, "first step", "last"))

    def _title(self):
        return "Free frames outside the longest free range, {} steps".format(self.steps)


def _share(value):
    return "{:.0f} %".format(100 * value)
