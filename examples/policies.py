"""Four policies of allocation on one recorded trace, in a sandbox.

make run SCRIPT=examples/policies.py
build/unix/micropython docs/labs/unix.py examples/policies.py
"""

import random

import pfm
from pfm.lab.compare import Comparison

STEPS = 300
HELD = 40

random.seed(1)
with pfm.sandbox(mib=6) as lab:
    held = []
    with lab.recording() as trace:
        for _ in range(STEPS):
            if len(held) == HELD:
                lab.free(held.pop(random.randrange(HELD)))
            # Most are small, some are large.
            frames = random.choice((1, 1, 2, 3, 5, 8, 40))
            held.append(lab.alloc_contiguous(frames))
    for pfn in held:
        lab.free(pfn)
    comparison = Comparison(lab, trace)
    print(comparison)

    least = min(comparison.results, key=lambda result: result.mean)
    print("Least scattered:", least.name)
