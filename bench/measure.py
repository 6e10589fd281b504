"""Timing on both ports: jobs that do the same work, run in turn."""

import gc
import time

# Odd, so that the median is one of the runs.
RUNS = 11

# A run takes at least this long, to make the clock's resolution and cost negligible.
_RUN_US = 2000


class Figure:
    """One row: `who`'s time for `work` at `size`, in nanoseconds per `unit`, over `RUNS` runs."""

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
    """Return the microseconds that `times` runs of `job` take.

    `after`, unless None, is called after each and not counted.
    """
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
    """Return the figures of `jobs`, (who, function) pairs whose functions do `units` of the work.

    The jobs run in turn, so that other load on the machine affects all alike.  If `loop` names
    a job, the loop around the work, its time is subtracted from those after it.  `after` maps
    jobs to functions that are called, untimed, after each of their runs.
    """
    after = [after and after.get(who) for who, _ in jobs]
    times = []
    for i, (_, job) in enumerate(jobs):
        # In the first run caches, page tables and translations are cold.
        _elapsed(job, 1, after[i])
        times.append(_RUN_US // max(1, _elapsed(job, 1, after[i])) + 1)
    gc.collect()
    samples = [[] for _ in jobs]
    for _ in range(RUNS):
        around = 0
        for i, (who, job) in enumerate(jobs):
            # Not timed: this run replaces what the job before left in the caches.
            _elapsed(job, 1, after[i])
            spent = _elapsed(job, times[i], after[i]) * 1000 / times[i] / units
            samples[i].append(spent - around)
            if who == loop:
                around = spent
    return [Figure(work, who, size, unit, samples[i]) for i, (who, _) in enumerate(jobs)]
