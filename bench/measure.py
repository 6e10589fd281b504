"""Timing on both ports: runs of one job, and what they come to."""

import time

# Odd, so that the median is a run.
RUNS = 7


class Figure:
    """One row of the table: `name` at `size`, nanoseconds for each `unit`, over `RUNS` runs."""

    def __init__(self, name, size, unit, samples):
        samples = sorted(samples)
        self.name = name
        self.size = size
        self.unit = unit
        self.median = samples[len(samples) // 2]
        self.min = samples[0]
        self.max = samples[-1]

    def values(self):
        """Return the row as a dict, for JSON."""
        return {
            "name": self.name,
            "size": self.size,
            "unit": self.unit,
            "median": self.median,
            "min": self.min,
            "max": self.max,
        }


def figure(name, size, unit, units, job):
    """Run `job` a few times, the first uncounted; its cost is spread over `units` of `unit`."""
    job()
    samples = []
    for _ in range(RUNS):
        start = time.ticks_us()
        job()
        samples.append(time.ticks_diff(time.ticks_us(), start) * 1000 / units)
    return Figure(name, size, unit, samples)
