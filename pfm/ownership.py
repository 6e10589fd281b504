"""How an allocated block changes hands: references, and the way back to free, under its frame's lock.

As in buddy.py, entries are signed virtual addresses and nothing here touches
the Python heap.
"""

import micropython
from micropython import const

from .lock import release, try_acquire

# frame.py
_KIND_USED = const(2)
_KIND_CACHED = const(4)
_RC_MAX = const(0xFFFF)
_LOCK = const(24)

# What the functions below return instead of a count or a word; other negative
# numbers are minus the context that holds the frame's lock.
NOT_USED = const(-1 << 20)
SHARED = const((-1 << 20) - 1)
RC_FULL = const((-1 << 20) - 2)


@micropython.viper
def retire(entry: int, owner: int, unref: int) -> int:
    """Take the last reference from an allocated block's head and return its first word, no head any more.

    With more than one reference, drops one and returns 0 if `unref`, else returns SHARED.
    """
    e = ptr32(entry)
    # Before the lock is, for the entry of an absent frame cannot be written.
    if (int(e[0]) >> 29) != _KIND_USED:
        return NOT_USED
    irq = int(try_acquire(entry + _LOCK, owner))
    if irq < 0:
        return irq
    word = int(e[0])
    result = word
    if (word >> 29) != _KIND_USED:
        result = NOT_USED
    else:
        rc = int(e[3]) >> 16
        if rc > 1:
            if unref:
                e[3] = int(e[3]) - (1 << 16)
                result = 0
            else:
                result = SHARED
        else:
            e[0] = 0
            e[3] = 0
    release(entry + _LOCK, irq)
    return result


@micropython.viper
def forget(entry: int) -> int:
    """Make the head of a block that nobody has been given yet no head any more; return its first word."""
    e = ptr32(entry)
    word = int(e[0])
    e[0] = 0
    e[3] = 0
    return word


@micropython.viper
def share(entry: int, owner: int) -> int:
    """Add a reference to an allocated block's head and return how many there are."""
    e = ptr32(entry)
    if (int(e[0]) >> 29) != _KIND_USED:
        return NOT_USED
    irq = int(try_acquire(entry + _LOCK, owner))
    if irq < 0:
        return irq
    result = int(NOT_USED)
    if (int(e[0]) >> 29) == _KIND_USED:
        rc = int(e[3]) >> 16
        if rc == _RC_MAX:
            result = int(RC_FULL)
        else:
            e[3] = int(e[3]) + (1 << 16)
            result = rc + 1
    release(entry + _LOCK, irq)
    return result


@micropython.viper
def pop(magazine: int) -> int:
    """Take a frame out of the magazine; 0 when it is empty.  Interrupts are off."""
    m = ptr32(magazine)
    count = int(m[0])
    if count == 0:
        return 0
    m[0] = count - 1
    return int(m[count])


@micropython.viper
def push(magazine: int, base: int, pfn: int, limit: int) -> int:
    """Put a retired frame into the magazine and return 1, or 0 when it holds `limit`.  Interrupts are off."""
    m = ptr32(magazine)
    count = int(m[0]) + 1
    if count > limit:
        return 0
    ptr32(base + (pfn << 5))[0] = int(_KIND_CACHED) << 29
    m[count] = pfn
    m[0] = count
    return 1
