"""Memory over time: what a program takes and gives back, plotted in characters and as SVG.

make run SCRIPT=examples/history.py
build/unix/micropython docs/labs/unix.py examples/history.py
"""

import pfm

FRAMES = 64
ROUNDS = 12

with pfm.sandbox(mib=8) as lab:
    history = lab.record()
    held = []
    # Two waves: the second begins before the first is gone.
    for _ in range(2):
        for _ in range(ROUNDS):
            held.append(lab.alloc_contiguous(FRAMES))
            history.sample()
        for _ in range(ROUNDS - 4):
            lab.free(held.pop(0))
            history.sample()
    print(history)

    samples = list(history)
    _, before = samples[0]
    _, least = min(samples, key=lambda sample: sum(sample[1]))
    print("At most", sum(before) - sum(least), "frames were in use")
    print("The picture for a document has", len(history.svg()), "characters")
