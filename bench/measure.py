"""Timing on both ports: jobs that do the same work, run in turn, and what each comes to."""

import gc
import time

# Odd, so that the median is a run.
RUNS = 11

# A run takes at least this long, that the clock's tick and its own cost are lost in it.
_RUN_US = 2000


class Figure:
    """One row: what `who` takes for `work` at `size`, in nanoseconds for each `unit`, over `RUNS` runs."""

    def __init__(self, work, who, size, unit, samples):
        samples = sorted(samples)
        self.work = work
        self.who = who
        self.size = size
        self.unit = unit
        self.median = samples[len(samples) // 2]
        self.min = samples[0]
        self.max = samples[-1]

    def values(self):
        """Return the row as a dict, for JSON."""
        return {
            "work": self.work,
            "who": self.who,
            "size": self.size,
            "unit": self.unit,
            "median": self.median,
            "min": self.min,
            "max": self.max,
        }


def _elapsed(job, times, after):
    """Return the microseconds that `times` runs of `job` take, without those of `after` (or None) behind each."""
    if after:
        spent = 0
        for _ in range(times):
            spent += _elapsed(job, 1, None)
            after()
        return spent
    start = time.ticks_us()
    for _ in range(times):
        job()
    return time.ticks_diff(time.ticks_us(), start)


def compare(work, size, unit, units, jobs, loop=None, after=None):
    """Return the figures of `jobs`, (who, function) pairs whose functions each do `units` of the work.

    The jobs run in turn, so that what else the machine does meets all alike.
    Where `loop` names one of them, that one's time is taken off those after it: it
    is the loop that they have around the work.  `after` is a dict of what is done,
    unmeasured, after each run of those that it names.
    """
    after = [after and after.get(who) for who, _ in jobs]
    times = []
    for i, (_, job) in enumerate(jobs):
        # The first run finds caches, page tables and translations cold.
        _elapsed(job, 1, after[i])
        times.append(_RUN_US // max(1, _elapsed(job, 1, after[i])) + 1)
    gc.collect()
    samples = [[] for _ in jobs]
    for _ in range(RUNS):
        around = 0
        for i, (who, job) in enumerate(jobs):
            # Not timed: it meets what the job before it left in the caches.
            _elapsed(job, 1, after[i])
            spent = _elapsed(job, times[i], after[i]) * 1000 / times[i] / units
            samples[i].append(spent - around)
            if who == loop:
                around = spent
    return [Figure(work, who, size, unit, samples[i]) for i, (who, _) in enumerate(jobs)]
