"""References to an allocated block: added and dropped under its head's lock, counted without.

`entry` is the address of the head's entry as a signed number.  Nothing here uses the Python
heap.
"""

import micropython
from micropython import const

from ..lock import release, try_acquire
from .buddy import head_of

# frame/entry.py
_ENTRY_SHIFT = const(5)
_TAIL = const(0)
_USED = const(2)
_PART = const(3)
_COMPOUND_TAIL = const(5)
_KIND_SHIFT = const(29)
_WORD_NEXT = const(1)
_WORD_PREV = const(2)
_WORD_RC = const(3)
_RC_SHIFT = const(16)
_WORD_LIST_LOW = const(4)
_WORD_LIST_HIGH = const(5)
_LOCK_OFFSET = const(24)
_RC_MAX = const(0xFFFF)

# Returned instead of a count or a word; other negative numbers are minus the context that
# holds the frame's lock.
NOT_USED = const(-1 << 20)
SHARED = const((-1 << 20) - 1)
RC_FULL = const((-1 << 20) - 2)
IN_SLAB = const((-1 << 20) - 3)


@micropython.viper
def drop_ref(entry: int, owner: int, unref: int) -> int:
    """Drop the last reference to an allocated block; make its head TAIL and return its first word.

    The other words stay, for `keep_ref`.  With more references, drops one and returns how many
    are left if `unref` is 1, else changes nothing and returns SHARED.  A first word is larger
    than any count.
    """
    e = ptr32(entry)
    # Checked before the lock is taken, since the entry of an absent frame is read-only.
    if (int(e[0]) >> _KIND_SHIFT) != _USED:
        return NOT_USED
    irq = int(try_acquire(entry + _LOCK_OFFSET, owner))
    if irq < 0:
        return irq
    word = int(e[0])
    result = word
    if (word >> _KIND_SHIFT) != _USED:
        result = NOT_USED
    elif int(e[_WORD_LIST_LOW]) | int(e[_WORD_LIST_HIGH]):
        result = IN_SLAB
    else:
        rc = int(e[_WORD_RC]) >> _RC_SHIFT
        if rc > 1:
            if unref:
                e[_WORD_RC] = int(e[_WORD_RC]) - (1 << _RC_SHIFT)
                result = rc - 1
            else:
                result = SHARED
        else:
            e[0] = 0
    release(entry + _LOCK_OFFSET, irq)
    return result


@micropython.viper
def used_head(base: int, pfn: int) -> int:
    """Return the head of the allocated block or run that has the frame, 0 if none has it."""
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    if (int(e[0]) >> _KIND_SHIFT) == _TAIL:
        pfn = int(head_of(base, pfn))
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
    kind = int(e[0]) >> _KIND_SHIFT
    if kind == _COMPOUND_TAIL:
        pfn = int(e[_WORD_NEXT])
    elif kind == _PART:
        pfn = int(e[_WORD_PREV])
    if (int(ptr32(base + (pfn << _ENTRY_SHIFT))[0]) >> _KIND_SHIFT) != _USED:
        return 0
    return pfn


@micropython.viper
def count_refs(entry: int) -> int:
    """Return the number of references of an allocated head."""
    return int(ptr32(entry)[_WORD_RC]) >> _RC_SHIFT


@micropython.viper
def keep_ref(entry: int, word: int):
    """Undo the `drop_ref` that returned the first word `word`."""
    ptr32(entry)[0] = word


@micropython.viper
def clear_refs(entry: int):
    """Clear what `drop_ref` left of a head whose block is being freed."""
    ptr32(entry)[_WORD_RC] = 0


@micropython.viper
def add_ref(entry: int, owner: int) -> int:
    """Add a reference to an allocated block and return the new count."""
    e = ptr32(entry)
    if (int(e[0]) >> _KIND_SHIFT) != _USED:
        return NOT_USED
    irq = int(try_acquire(entry + _LOCK_OFFSET, owner))
    if irq < 0:
        return irq
    result = int(NOT_USED)
    if (int(e[_WORD_LIST_LOW]) | int(e[_WORD_LIST_HIGH])) != 0:
        result = int(IN_SLAB)
    elif (int(e[0]) >> _KIND_SHIFT) == _USED:
        rc = int(e[_WORD_RC]) >> _RC_SHIFT
        if rc == _RC_MAX:
            result = int(RC_FULL)
        else:
            e[_WORD_RC] = int(e[_WORD_RC]) + (1 << _RC_SHIFT)
            result = rc + 1
    release(entry + _LOCK_OFFSET, irq)
    return result
