"""Memory on the screen while a program allocates.  It needs the kernel, and a screen.

make run SCRIPT=examples/picture.py SCREENSHOT=picture.png
"""

import random

import memorymap

from pfm import PFM

STEPS = 300
TAGS = ("net", "file", "anon")

random.seed(1)
picture = memorymap.Picture()
# The text stays hidden, so that the screenshot shows the picture; kernel.screen(True) ends that.
picture.open()
held = []
changes = 0
for _ in range(STEPS):
    if len(held) > STEPS // 3:
        PFM.free(held.pop(random.randrange(len(held))))
    held.append(PFM.alloc_contiguous(random.randrange(1, 200), tag=random.choice(TAGS)))
    changes += picture.refresh()
for pfn in held:
    PFM.free(pfn)
print(STEPS, "steps,", changes, "cells drawn")
