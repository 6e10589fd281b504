"""Viper loops over many frames: compound tails, arrays of frames, runs, junk.

As in buddy.py, `zone` and `base` are signed virtual addresses, callers hold
what locks are needed, and nothing touches the Python heap.  Loops over arrays have
what changes in them as their first arguments, which viper keeps in registers (see
flagloops.py).
"""

import micropython
from micropython import const

from .backing import touch_range
from .buddy import give, holder, seed, take
from .fill import words
from .lock import cmpxchg32, xchg32

# zone.py
_ORDER_MAX = const(18)

# A constant is at most 30 bits wide here, so that mpy-cross takes it for any target;
# what is wider comes of a shift at run time.

# frame.py
_KIND_FREE = const(1)
_KIND_USED = const(2)
_KIND_PART = const(3)
_KIND_CACHED = const(4)
_KIND_COMPOUND_TAIL = const(5)
# A `state` that lasts for one call of free_many: used, and already seen in this array.
_LEAVING = const(0x1F)
# The upper half of the first word of a single used frame.
_SINGLE = const(2 << 13)
# The fourth word of a head with one reference.
_ONE_REFERENCE = const(1 << 16)

# flags.py
_COMPOUND = const(1 << 5)

# Words of a frame.
_FRAME_WORDS = const(1024)

# Junk of a freed frame, and the tag that says a free frame is filled with it.
JUNK = const(0x2AFEF1EE)
_JUNKED = const(0x2A756E6B)


@micropython.viper
def mark_tails(control: int, base: int, pfn: int, count: int):
    """Make the frames after `pfn` the tails of its compound block of `count` frames."""
    touch_range(control, base, pfn, pfn + count)
    word = _COMPOUND | int(_KIND_COMPOUND_TAIL) << 29
    tail = pfn + 1
    end = pfn + count
    while tail < end:
        e = ptr32(base + (tail << 5))
        e[0] = word
        e[1] = pfn
        tail += 1


@micropython.viper
def clear_tails(base: int, pfn: int, count: int):
    """Undo `mark_tails`."""
    tail = pfn + 1
    end = pfn + count
    while tail < end:
        ptr32(base + (tail << 5))[0] = 0
        tail += 1


@micropython.viper
def take_many(
    element: int, entry: int, pfn: int, zone: int, base: int, end: int, word: int, tag: int
) -> int:
    """Fill the array elements from the address `element` to `end` with allocated frames; return where it stopped.

    Takes the largest blocks that the rest fills and turns them into single frames
    whose entries begin with `word`.  A negative `tag` leaves the tags as they are.
    `entry` and `pfn` are 0.
    """
    order = int(_ORDER_MAX)
    while element < end and order >= 0:
        size = 1 << order
        pfn = 0
        if size <= (end - element) >> 2:
            pfn = int(take(zone, base, order))
        if pfn == 0:
            order -= 1
            continue
        stop = pfn + size
        touch_range(zone, base, pfn, stop)
        entry = base + (pfn << 5)
        while pfn < stop:
            ptr32(entry)[0] = word
            ptr32(entry)[1] = 0
            ptr32(entry)[2] = 0
            ptr32(entry)[3] = _ONE_REFERENCE
            ptr32(entry)[4] = 0
            ptr32(entry)[5] = 0
            if tag >= 0:
                ptr32(entry)[7] = tag
            ptr32(element)[0] = pfn
            entry += 32
            element += 4
            pfn += 1
    return element


@micropython.viper
def leave_many(
    element: int, entry: int, pfn: int, base: int, end: int, low: int, high: int
) -> int:
    """Mark the frames of the array elements from the address `element` to `end` as leaving.

    Returns where it stopped: at `end`, or at the first that is no single allocated
    frame in `low`..`high`, unlocked and referenced once.  For the only processor,
    with interrupts off.  `entry` and `pfn` are 0.
    """
    while element < end:
        pfn = int(ptr32(element)[0])
        if pfn < low or pfn > high:
            break
        entry = base + (pfn << 5)
        if (int(ptr32(entry)[0]) >> 16) != _SINGLE:
            break
        if int(ptr32(entry)[6]) or int(ptr32(entry)[1]) or (int(ptr32(entry)[3]) >> 16) != 1:
            break
        ptr8(entry)[3] = _LEAVING
        element += 4
    return element


@micropython.viper
def leave_many_locked(element: int, base: int, end: int, low: int, high: int, owner: int) -> int:
    """Mark frames as `leave_many`, each under its lock, for one of several processors."""
    while element < end:
        pfn = int(ptr32(element)[0])
        if pfn < low or pfn > high:
            break
        e = ptr32(base + (pfn << 5))
        lock = base + (pfn << 5) + 24
        # The entry of an absent frame cannot be written, so no lock is tried there.
        if (int(e[0]) >> 16) != _SINGLE or int(cmpxchg32(lock, 0, owner)):
            break
        good = (int(e[0]) >> 16) == _SINGLE and int(e[1]) == 0 and (int(e[3]) >> 16) == 1
        if good:
            ptr8(e)[3] = _LEAVING
        xchg32(lock, 0)
        if not good:
            break
        element += 4
    return element


@micropython.viper
def stay_many(element: int, end: int, base: int):
    """Take the marks of `leave_many` back."""
    while element < end:
        ptr8(base + (int(ptr32(element)[0]) << 5))[3] = _KIND_USED << 5
        element += 4


@micropython.viper
def leave_all(element: int, end: int, base: int):
    """Mark single frames as `leave_many` does without a look at them: nobody has been given them yet."""
    while element < end:
        ptr8(base + (int(ptr32(element)[0]) << 5))[3] = _LEAVING
        element += 4


@micropython.viper
def give_many(
    element: int, entry: int, pfn: int, zone: int, base: int, end: int, low: int, high: int
) -> int:
    """Give those leaving frames of the array elements from `element` to `end` that lie in `low`..`high` (exclusive) back.

    `zone` is theirs; frames that follow one another in the array go back as
    blocks.  Returns how many there were.  `entry` and `pfn` are 0.
    """
    given = 0
    while element < end:
        pfn = int(ptr32(element)[0])
        element += 4
        if pfn < low or pfn >= high:
            continue
        start = pfn
        entry = base + (pfn << 5)
        ptr32(entry)[0] = 0
        ptr32(entry)[3] = 0
        pfn += 1
        # Beyond `high` a frame may be free already, when its zone had its turn before.
        while element < end and int(ptr32(element)[0]) == pfn and pfn < high:
            entry += 32
            ptr32(entry)[0] = 0
            ptr32(entry)[3] = 0
            element += 4
            pfn += 1
        given += pfn - start
        seed(zone, base, start, pfn)
    return given


@micropython.viper
def fill_magazine(zone: int, base: int, magazine: int, limit: int):
    """Move single frames from the free lists into the magazine until it holds `limit`."""
    m = ptr32(magazine)
    count = int(m[0])
    while count < limit:
        pfn = int(take(zone, base, 0))
        if pfn == 0:
            break
        e = ptr32(base + (pfn << 5))
        e[0] = int(_KIND_CACHED) << 29
        count += 1
        m[count] = pfn
    m[0] = count


@micropython.viper
def drain_magazine(zone: int, base: int, magazine: int, limit: int):
    """Give frames of the magazine back to the free lists until it holds `limit`."""
    m = ptr32(magazine)
    count = int(m[0])
    while count > limit:
        pfn = int(m[count])
        count -= 1
        give(zone, base, pfn, 0)
    m[0] = count


@micropython.viper
def find_block(zone: int, base: int, order: int, count: int, below: int) -> int:
    """Return the lowest-order free block of at least `order` whose first `count` frames end at `below` or lower.

    0 for none.  Cost: a step for each block on the lists looked at.
    """
    z = ptr32(zone)
    while order <= _ORDER_MAX:
        pfn = int(z[8 + (order << 1)])
        while pfn:
            if pfn + count <= below:
                return pfn
            pfn = int(ptr32(base + (pfn << 5))[1])
        order += 1
    return 0


@micropython.viper
def find_run(base: int, start: int, end: int, count: int, align: int) -> int:
    """Return the first of `count` free frames in a row in `start`..`end`, at a multiple of `align`; 0 for none.

    `start`..`end` is a region of RAM that blocks tile.  Cost: a step for each block.
    """
    at = start
    begin = 0
    while at < end:
        state = int(ptr32(base + (at << 5))[0]) >> 24
        size = 1 << (state & 31)
        if (state >> 5) == _KIND_FREE:
            if begin == 0:
                begin = (at + align - 1) & (0 - align)
            if begin + count > end:
                return 0
            if at + size >= begin + count:
                return begin
        else:
            begin = 0
        at += size
    return 0


@micropython.viper
def junk(control: int, hhdm: int, base: int, pfn: int, count: int):
    """Fill `count` frames with junk and remember in each entry that it was done."""
    touch_range(control, base, pfn, pfn + count)
    while count:
        words(hhdm + (pfn << 12), int(_FRAME_WORDS), int(JUNK))
        ptr32(base + (pfn << 5))[7] = _JUNKED
        pfn += 1
        count -= 1


@micropython.viper
def spoiled(hhdm: int, base: int, pfn: int, count: int) -> int:
    """Return the physical address of the first word of `count` frames that is no longer junk, or 0.

    Looks at frames that `junk` filled, and forgets that they were.
    """
    found = 0
    while count:
        e = ptr32(base + (pfn << 5))
        if int(e[7]) == _JUNKED:
            e[7] = 0
            words = ptr32(hhdm + (pfn << 12))
            i = 0
            while i < _FRAME_WORDS:
                if int(words[i]) != JUNK:
                    if found == 0:
                        found = (pfn << 12) + (i << 2)
                    i = _FRAME_WORDS
                i += 1
        pfn += 1
        count -= 1
    return found


@micropython.viper
def spoiled_many(element: int, end: int, hhdm: int, base: int, tag: int) -> int:
    """Look at the single used frames of the array elements from `element` to `end` as `spoiled`; give them `tag`.

    Returns the physical address of the first word of all that is no longer junk, or 0.
    """
    found = 0
    while element < end:
        pfn = int(ptr32(element)[0])
        phys = int(spoiled(hhdm, base, pfn, 1))
        ptr32(base + (pfn << 5))[7] = tag
        if found == 0:
            found = phys
        element += 4
    return found


@micropython.viper
def junk_many(element: int, end: int, control: int, hhdm: int, base: int):
    """`junk` each frame of the array elements from `element` to `end`."""
    while element < end:
        junk(control, hhdm, base, int(ptr32(element)[0]), 1)
        element += 4


@micropython.viper
def word_at(virt: int) -> int:
    """Return the 32-bit word at the address `virt`, without the Python heap."""
    return int(ptr32(virt)[0])


@micropython.viper
def order_for(count: int) -> int:
    """Return the order of the smallest block that holds `count` frames."""
    order = 0
    while (1 << order) < count:
        order += 1
    return order


@micropython.viper
def first_taken(base: int, start: int, end: int) -> int:
    """Return the first frame of `start`..`end` that is not free, `end` when all are.  Cost: a step per block."""
    while start < end:
        head = int(holder(base, start))
        if head == 0:
            return start
        state = int(ptr32(base + (head << 5))[0]) >> 24
        if (state >> 5) != _KIND_FREE:
            return start
        start = head + (1 << (state & 31))
    return end


@micropython.viper
def mark_part(control: int, base: int, pfn: int, order: int, head: int):
    """Write the head of a further block of the run that begins at `head`."""
    touch_range(control, base, pfn, pfn + 1)
    e = ptr32(base + (pfn << 5))
    e[0] = (_KIND_PART << 5 | order) << 24 | order << 16
    e[1] = 0
    e[2] = head
    e[3] = 0
    e[4] = 0
    e[5] = 0
