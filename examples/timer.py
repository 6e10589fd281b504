"""A timer that notes the free memory while the program allocates.  It needs the kernel.

make run SCRIPT=examples/timer.py
"""

import machine

from pfm import PFM

TICKS = 20
PERIOD_MS = 10

history = PFM.record()
held = []
ticks = 0


def tick(timer):
    """Note the free memory; `sample` does not touch the Python heap."""
    global ticks
    history.sample()
    ticks += 1
    if ticks == TICKS:
        timer.deinit()


machine.Timer(period=PERIOD_MS, callback=tick)
while ticks < TICKS:
    # A block more with each tick, up to half of them; then a block less.
    wanted = min(ticks, TICKS - ticks)
    if len(held) < wanted:
        held.append(PFM.alloc(order=11, tag="demo"))
    elif len(held) > wanted:
        PFM.free(held.pop())
    # Callbacks run here, and Ctrl-C is raised.
    machine.idle()

for pfn in held:
    PFM.free(pfn)
print(ticks, "ticks of", PERIOD_MS, "ms")
print(history)
