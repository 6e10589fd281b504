"""What a policy of allocation is, and the four of this folder.

A policy decides which frames an allocation gets.  It is a class with

    Policy(first, count)   a policy for the `count` free frames from `first` on
    alloc(count)           returns the first of `count` free frames in a row, now allocated, or 0
    free(pfn, count)       makes the frames free that `alloc(count)` returned as `pfn`
    free_ranges()          returns the free frames as an iterable of (first frame, count)

and a name.  It keeps its lists on the Python heap; `Trial` (trial.py) puts it to work on real
frames and verifies what it does.
"""

from .bestfit import BestFit
from .buddysystem import BuddySystem
from .firstfit import FirstFit
from .nextfit import NextFit

POLICIES = (BuddySystem, FirstFit, NextFit, BestFit)
