"""Loops over many entries that change flags, or check whether they may be changed.

`set_…` and `keep_…` take no locks: they are for a processor that runs alone, interrupts off.  They
are separate functions because a combined one is 20 % slower.  `change_each` is for one of
several processors.

Viper keeps a function's first three arguments in registers (two, compiled ahead of time) and
all other locals on the stack; it loads and stores in one instruction with index 0, in three
with any other constant.  So what a loop uses most are the first arguments, even where the
caller has no value for them (a step, a local variable), and pointers are advanced as integers,
since viper cannot add to a pointer.
"""

import micropython
from micropython import const

from ..array.populate import populate
from ..lock import cmpxchg32, release, try_acquire

# address.py
_PAGE_SHIFT = const(12)

# frame/flags.py
_FLAGS_BITS = const(16)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_WORD_NEXT = const(1)
_WORD_PREV = const(2)
_WORD_RC = const(3)
_WORD_LOCK = const(6)
_BYTE_SHARED = const(13)
_LOCK_OFFSET = const(24)


@micropython.viper
def set_range(entry: int, bits: int, step: int, end: int, control: int):
    """Set `bits` in the entries from the address `entry` to `end`, `step` bytes apart."""
    while entry < end:
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        stop = (entry >> _PAGE_SHIFT << _PAGE_SHIFT) + (1 << _PAGE_SHIFT)
        if stop > end:
            stop = end
        groups = stop - 7 * step
        while entry < groups:
            ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
            entry += step
        while entry < stop:
            ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
            entry += step


@micropython.viper
def keep_range(entry: int, bits: int, step: int, end: int, control: int):
    """Clear all bits but `bits` in the entries from `entry` to `end`, `step` bytes apart."""
    while entry < end:
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        stop = (entry >> _PAGE_SHIFT << _PAGE_SHIFT) + (1 << _PAGE_SHIFT)
        if stop > end:
            stop = end
        groups = stop - 7 * step
        while entry < groups:
            ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
            entry += step
            ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
            entry += step
        while entry < stop:
            ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
            entry += step


@micropython.viper
def set_many(entry: int, base: int, bits: int, element: int, end: int, control: int):
    """Set `bits` in the frames of the array elements from the address `element` to `end`."""
    groups = end - 12
    while element < groups:
        e = ptr32(element)
        entry = (int(e[0]) << _ENTRY_SHIFT) + base
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
        entry = (int(e[_WORD_NEXT]) << _ENTRY_SHIFT) + base
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
        entry = (int(e[_WORD_PREV]) << _ENTRY_SHIFT) + base
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
        entry = (int(e[_WORD_RC]) << _ENTRY_SHIFT) + base
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
        element += 16
    while element < end:
        entry = (int(ptr32(element)[0]) << _ENTRY_SHIFT) + base
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        ptr16(entry)[0] = int(ptr16(entry)[0]) | bits
        element += 4


@micropython.viper
def keep_many(entry: int, base: int, bits: int, element: int, end: int, control: int):
    """Clear all bits but `bits` in the frames of the array elements from `element` to `end`."""
    groups = end - 12
    while element < groups:
        e = ptr32(element)
        entry = (int(e[0]) << _ENTRY_SHIFT) + base
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
        entry = (int(e[_WORD_NEXT]) << _ENTRY_SHIFT) + base
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
        entry = (int(e[_WORD_PREV]) << _ENTRY_SHIFT) + base
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
        entry = (int(e[_WORD_RC]) << _ENTRY_SHIFT) + base
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
        element += 16
    while element < end:
        entry = (int(ptr32(element)[0]) << _ENTRY_SHIFT) + base
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        ptr16(entry)[0] = int(ptr16(entry)[0]) & bits
        element += 4


@micropython.viper
def first_outside(
    pfn: int, low: int, high: int, element: int, end: int, rows: ptr32, count: int
) -> int:
    """Return the address of the first array element from `element` to `end` outside all `rows`.

    Returns `end` if there is none.  The `count` words of `rows` are the first and the last
    frame of each row in turn.  `low` to `high` is the row to start with, 1 to 0 for none.
    """
    groups = end - 12
    while element < end:
        # Most frames are in the same row as the one before them.
        while element < groups:
            e = ptr32(element)
            pfn = int(e[0])
            if pfn < low:
                break
            if pfn > high:
                break
            pfn = int(e[_WORD_NEXT])
            if pfn < low:
                break
            if pfn > high:
                break
            pfn = int(e[_WORD_PREV])
            if pfn < low:
                break
            if pfn > high:
                break
            pfn = int(e[_WORD_RC])
            if pfn < low:
                break
            if pfn > high:
                break
            element += 16
        if element == end:
            return end
        pfn = int(ptr32(element)[0])
        if pfn < low or pfn > high:
            i = 0
            while True:
                if i == count:
                    return element
                low = int(rows[i])
                high = int(rows[i + 1])
                if pfn >= low and pfn <= high:
                    break
                i += 2
        element += 4
    return end


@micropython.viper
def first_locked(entry: int, end: int, step: int) -> int:
    """Return the address of the first locked entry from `entry` to `end`, `end` if none."""
    while entry < end:
        if int(ptr32(entry)[_WORD_LOCK]):
            return entry
        entry += step
    return end


@micropython.viper
def first_locked_of(element: int, end: int, base: int) -> int:
    """Return the address of the first array element from `element` to `end` with a locked frame.

    Returns `end` if there is none.
    """
    while element < end:
        if int(ptr32(base + (int(ptr32(element)[0]) << _ENTRY_SHIFT))[_WORD_LOCK]):
            return element
        element += 4
    return end


@micropython.viper
def populate_many(control: int, base: int, frames: ptr32, count: int):
    """Populate the array page of every frame in an array of frame numbers."""
    i = 0
    while i < count:
        entry = base + (int(frames[i]) << _ENTRY_SHIFT)
        if int(ptr8(entry)[_BYTE_SHARED]):
            populate(control, entry)
        i += 1


@micropython.viper
def change_each(
    base: int,
    pfn: int,
    elements: int,
    index: int,
    end: int,
    on: int,
    keep: int,
    old: ptr16,
    owner: int,
) -> int:
    """Change the frames `index`..`end` of the array at `elements`, each under its lock.

    Without an array, 0, they count from the frame `pfn`.  Their old flags are stored in `old`.
    Returns `end`, or the index of a frame whose lock is taken.  Interrupts are off.
    """
    exchange = cmpxchg32
    while index < end:
        if elements:
            pfn = int(ptr32(elements)[index]) - index
        entry = base + ((pfn + index) << _ENTRY_SHIFT)
        if int(exchange(entry + _LOCK_OFFSET, 0, owner)):
            if int(try_acquire(entry + _LOCK_OFFSET, owner)) < 0:
                return index
        field = ptr16(entry)
        old[index] = int(field[0])
        field[0] = int(field[0]) & keep | on
        # A plain store releases the lock: x86 makes a processor's stores visible in order.
        ptr32(entry)[_WORD_LOCK] = 0
        index += 1
    return end


@micropython.viper
def change_back(base: int, pfn: int, elements: int, index: int, bits: int, old: ptr16, owner: int):
    """Restore `bits` of the first `index` frames of `change_each` from `old`, last one first."""
    while index > 0:
        index -= 1
        if elements:
            pfn = int(ptr32(elements)[index]) - index
        entry = base + ((pfn + index) << _ENTRY_SHIFT)
        irq = int(try_acquire(entry + _LOCK_OFFSET, owner))
        field = ptr16(entry)
        field[0] = int(field[0]) & ~bits | int(old[index]) & bits
        if irq >= 0:
            release(entry + _LOCK_OFFSET, irq)


@micropython.viper
def having(entry: int, flags: int, count: int, end: int) -> int:
    """Return how many of the `count` entries from `entry` to `end` have all of `flags`."""
    while entry < end:
        page_end = (entry >> _PAGE_SHIFT << _PAGE_SHIFT) + (1 << _PAGE_SHIFT)
        if page_end > end:
            page_end = end
        if int(ptr8(entry)[_BYTE_SHARED]):
            # All entries of a shared page are identical.
            if (int(ptr16(entry)[0]) & flags) != flags:
                count -= (page_end - entry) >> _ENTRY_SHIFT
            entry = page_end
        while entry < page_end:
            # After the shift the difference is 0, or -1 if a flag is missing.
            count += ((int(ptr16(entry)[0]) & flags) - flags) >> _FLAGS_BITS
            entry += 32
    return count
