"""Magazines: up to 64 free frames per processor, taken and given back without a zone's lock.

A magazine holds frames of the highest zone only, each of the kind CACHED.  An empty one is
refilled to half from the free lists, a full one is drained to half.  In the control page it is
a count followed by that many PFNs.  `zone`, `base` and `magazine` are signed virtual
addresses; nothing here uses the Python heap.
"""

import micropython
from micropython import const

from .buddy import give, take

# frame/entry.py
_ENTRY_SHIFT = const(5)
_CACHED = const(4)
_KIND_SHIFT = const(29)
_WORD_RC = const(3)

# Frames that a magazine can hold, and those it holds after a refill or a drain.
MAGAZINE_FRAMES = const(64)
MAGAZINE_BATCH = const(32)


@micropython.viper
def pop(magazine: int) -> int:
    """Take a frame from the magazine; return it, 0 if there is none.  Interrupts are off."""
    m = ptr32(magazine)
    count = int(m[0])
    if count == 0:
        return 0
    m[0] = count - 1
    return int(m[count])


@micropython.viper
def push(magazine: int, base: int, pfn: int, limit: int) -> int:
    """Put a frame without references into the magazine; return 1, or 0 if it holds `limit`.

    Interrupts are off.
    """
    m = ptr32(magazine)
    count = int(m[0]) + 1
    if count > limit:
        return 0
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    e[0] = int(_CACHED) << _KIND_SHIFT
    e[_WORD_RC] = 0
    m[count] = pfn
    m[0] = count
    return 1


@micropython.viper
def fill(zone: int, base: int, magazine: int, limit: int):
    """Refill the magazine with frames from the free lists until it holds `limit`."""
    m = ptr32(magazine)
    count = int(m[0])
    while count < limit:
        pfn = int(take(zone, base, 0))
        if pfn == 0:
            break
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
        e[0] = int(_CACHED) << _KIND_SHIFT
        count += 1
        m[count] = pfn
    m[0] = count


@micropython.viper
def drain(zone: int, base: int, magazine: int, limit: int):
    """Drain frames from the magazine to the free lists until it holds `limit`."""
    m = ptr32(magazine)
    count = int(m[0])
    while count > limit:
        pfn = int(m[count])
        count -= 1
        give(zone, base, pfn, 0)
    m[0] = count


@micropython.viper
def count(magazine: int) -> int:
    """Return how many frames the magazine holds."""
    return int(ptr32(magazine)[0])
