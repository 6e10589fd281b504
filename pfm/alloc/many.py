"""Many single frames at a time: allocated into an `array('I')` or freed from one, all or none.

The loops take what changes in them as their first arguments, which viper keeps in registers
(see manyflags/loops.py).
"""

from array import array

import micropython
from micropython import const

from ..address import PAGE_SHIFT
from ..arguments import elements_virt, frames_array, number
from ..array.populate import populate_range
from ..errors import FrameCorruptError, FrameStateError
from ..frame.entry import (
    ENTRY_SHIFT,
    ORDER_MASK,
    SMALL_WORD,
    STATE_KIND_SHIFT,
    USED,
    PageFrame,
)
from ..lock import alone, disable_irq, enable_irq, lock_many
from ..tags import tag_number
from . import poison, references, sites
from .buddy import free_count, free_range, spare, take
from .zone import Zone, zone_of
from .zones import lock_zones, unlock_zones

# frame/entry.py
_ENTRY_SHIFT = const(5)
_ENTRY_SIZE = const(32)
_USED = const(2)
_STATE_KIND_SHIFT = const(5)
_STATE_SHIFT = const(24)
_WORD_NEXT = const(1)
_WORD_PREV = const(2)
_WORD_RC = const(3)
_RC_SHIFT = const(16)
_WORD_LIST_LOW = const(4)
_WORD_LIST_HIGH = const(5)
_WORD_LOCK = const(6)
_WORD_TAG = const(7)
_BYTE_STATE = const(3)
_LOCK_OFFSET = const(24)

# alloc/zone.py
_ORDER_MAX = const(18)

# Size of an element of an `array('I')`, in bytes.
_ELEMENT = const(4)
_ELEMENT_SHIFT = const(2)

_FRAMES = "an array('I'), or 1 to the number of usable frames"

# Frames checked with interrupts off: a few microseconds.
_CHUNK = const(1024)

# Constants have at most 30 bits here, so that mpy-cross accepts them for any target; wider
# values are shifted at run time.

# The `state` of a frame during `free_many`: used, and already found in this array.
_FREEING = const(0x1F)
# The `state` of a single used frame.
_SINGLE = const(2 << 5)


class Many:
    """The part of `PageFrameManager` that allocates and frees many single frames at a time."""

    @micropython.native
    def alloc_many(self, frames, zone=None, tag=0):
        """Allocate single frames into an `array('I')` and return it.

        `frames` is the number of frames, or the array (or a writable view) to fill.  Each
        frame can be freed alone or by `free_many`.  `zone` and `tag` are as in `alloc`.
        Raises OutOfFramesError, LockTimeoutError, ArgumentError, TypeError, with none taken, and
        FrameCorruptError (debug), with all given back.  Cost: a few instructions per frame.
        """
        top = self._zone(zone)
        tag = tag_number(tag)
        kind = frames.__class__
        if kind is array or kind is memoryview:
            count = frames_array(frames)
        else:
            count = number("frames", frames, 1, self._managed or 1, _FRAMES)
            frames = array("I", bytes(count * _ELEMENT))
        self._fill_array(frames, count, top, tag)
        return frames

    @micropython.native
    def free_many(self, frames):
        """Free every frame of an `array('I')` of frames that were allocated singly.

        Raises FrameStateError for a frame that is not a single allocated frame or appears
        twice, RefcountError, LockHeldError, LockTimeoutError, FrameRangeError, TypeError; then no
        frame is freed.  Cost: a few instructions per frame, least where consecutive frames follow one
        another.
        """
        self._ready()
        count = frames_array(frames)
        if not count:
            return
        first = elements_virt(frames)
        end = first + count * _ELEMENT
        zone = self._mark_freeing(frames, first, end)
        self._free_marked(first, end, zone)

    @micropython.native
    def _fill_array(self, frames, count, top, tag):
        # Usually the highest zone has them all.
        if not self._take_all(frames, count, top, top, tag):
            if not self._take_all(frames, count, top, 0, tag):
                self._trim()
                self._drain()
                if not self._take_all(frames, count, top, 0, tag):
                    self._run_out(top, 0, count)
        if self.debug:
            first = elements_virt(frames)
            end = first + count * _ELEMENT
            phys = poison.spoiled_many(first, end, self._hhdm, self._base, tag)
            if phys:
                value = poison.word_at(self._hhdm + phys)
                # Even if guards hold them: no caller has these frames yet.
                mark_all(first, end, self._base)
                self._free_marked(first, end, -1)
                raise FrameCorruptError(phys >> PAGE_SHIFT, phys, value)
            if self._sites:
                sites.note_many(self._sites, first, end, sites.call_site())

    @micropython.native
    def _take_all(self, frames, count, top, low, tag):
        """Fill `frames` from the zones `top` down to `low`; return False, none taken, if too few.

        Zones below `top` give what they have above their watermarks.
        """
        if top < 0:
            return False
        # In debug mode the tags still say which frames are poisoned.
        if self.debug:
            tag = -1
        # All locks come before the first frame is taken.
        irq = lock_zones(self._zones, low, top)
        room = free_count(self._zones[top])
        zone = top - 1
        while zone >= low:
            above = spare(self._zones[zone])
            if above > 0:
                room += above
            zone -= 1
        enough = room >= count
        if enough:
            end = elements_virt(frames) + count * _ELEMENT
            chain = 0
            zone = top
            while count > 0:
                address = self._zones[zone]
                room = free_count(address) if zone == top else max(spare(address), 0)
                room = min(room, count)
                chain = take_blocks(chain, address, self._base, room)
                count -= room
                zone -= 1
        unlock_zones(self._zones, low, top, irq)
        if enough:
            write_singles(end, 0, 0, chain, self._zones[0], self._base, SMALL_WORD, tag)
        return enough

    @micropython.native
    def _mark_freeing(self, frames, first, end):
        """Mark the frames of the elements `first`..`end` as being freed, or raise, none marked.

        Returns the zone of all of them, -1 if they are of several.
        """
        element = first
        single = alone()
        base = self._base
        # Usually all frames are of one zone, so the bounds are those of the first one's.
        zone = zone_of(frames[0])
        low = Zone.BOUNDS[zone]
        if low < self._first:
            low = self._first
        high = Zone.BOUNDS[zone + 1] - 1
        if high > self._last:
            high = self._last
        while element < end:
            stop = min(element + _CHUNK * _ELEMENT, end)
            irq = disable_irq()
            if single:
                element = mark_freeing(element, 0, 0, base, stop, low, high)
            else:
                element = mark_freeing_locked(element, 0, 0, base, stop, low, high)
            enable_irq(irq)
            if element < stop:
                pfn = frames[(element - first) // _ELEMENT]
                if zone >= 0 and self._first <= pfn <= self._last and zone_of(pfn) != zone:
                    zone = -1
                    low = self._first
                    high = self._last
                    continue
                unmark_freeing(first, element, base)
                self._refuse_many(pfn)
        return zone

    @micropython.native
    def _free_marked(self, first, end, zone):
        """Free the marked frames of the elements `first`..`end`, of one zone or several (-1).

        If a lock does not come, none is freed and none marked any more.  In debug mode they are
        poisoned all the same.
        """
        if self.debug:
            poison.poison_many(first, end, self._zones[0], self._hhdm, self._base)
        low = high = zone
        if zone < 0:
            low = 0
            high = self._top
        try:
            # All locks come before the first frame is freed.
            irq = lock_zones(self._zones, low, high)
        except BaseException as error:
            unmark_freeing(first, end, self._base)
            raise error
        zone = high
        while zone >= low:
            free_marked(
                first,
                0,
                0,
                self._zones[zone],
                self._base,
                end,
                Zone.BOUNDS[zone],
                Zone.BOUNDS[zone + 1],
            )
            zone -= 1
        unlock_zones(self._zones, low, high, irq)

    def _refuse_many(self, pfn):
        """Raise the error for a frame of `free_many` that is not a single allocated frame."""
        self._pfn(pfn)
        entry = PageFrame.at(self._base + (pfn << ENTRY_SHIFT))
        if entry.lock:
            self._refuse("free", pfn, -entry.lock)
        if entry.state >> STATE_KIND_SHIFT != USED:
            self._refuse("free", pfn, references.NOT_USED)
        if entry.freelist_va:
            self._refuse("free", pfn, references.IN_SLAB)
        if entry.rc > 1:
            self._refuse("free", pfn, references.SHARED)
        what = (
            "head of several frames"
            if entry.state & ORDER_MASK or entry.next
            else "twice in the array"
        )
        raise FrameStateError("free", pfn, what)


@micropython.viper
def take_blocks(chain: int, zone: int, base: int, count: int) -> int:
    """Take `count` frames off the free lists, which have them, as the largest blocks that fit.

    Returns the first of a chain through `next` of the blocks' heads, the block taken last first
    and `chain` after the block taken first; `prev` has their orders.  The heads stay TAIL, so a
    soft reset that comes before `write_singles` finds no block in them.
    """
    order = int(_ORDER_MAX)
    while count:
        size = 1 << order
        pfn = 0
        if size <= count:
            pfn = int(take(zone, base, order))
        if pfn == 0:
            order -= 1
            continue
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
        e[_WORD_NEXT] = chain
        e[_WORD_PREV] = order
        chain = pfn
        count -= size
    return chain


@micropython.viper
def write_singles(
    element: int, entry: int, pfn: int, chain: int, control: int, base: int, word: int, tag: int
):
    """Make single frames, whose first word is `word`, of the blocks of `take_blocks`.

    Their numbers go into the array that ends at the address `element`, the chain's first block
    last.  A negative `tag` leaves the tags unchanged.  `entry` and `pfn` are 0.
    """
    while chain:
        pfn = chain
        entry = base + (pfn << _ENTRY_SHIFT)
        chain = int(ptr32(entry)[_WORD_NEXT])
        stop = pfn + (1 << int(ptr32(entry)[_WORD_PREV]))
        populate_range(control, base, pfn, stop)
        after = element - ((stop - pfn) << _ELEMENT_SHIFT)
        element = after
        while pfn < stop:
            ptr32(entry)[0] = word
            ptr32(entry)[_WORD_NEXT] = 0
            ptr32(entry)[_WORD_PREV] = 0
            ptr32(entry)[_WORD_RC] = 1 << _RC_SHIFT
            ptr32(entry)[_WORD_LIST_LOW] = 0
            ptr32(entry)[_WORD_LIST_HIGH] = 0
            if tag >= 0:
                ptr32(entry)[_WORD_TAG] = tag
            ptr32(element)[0] = pfn
            entry += _ENTRY_SIZE
            element += _ELEMENT
            pfn += 1
        element = after


@micropython.viper
def mark_freeing(
    element: int, entry: int, pfn: int, base: int, end: int, low: int, high: int
) -> int:
    """Mark the frames of the array elements from the address `element` to `end` as being freed.

    Returns where it stopped: at `end`, or at the first that is not a single allocated frame in
    `low`..`high` (inclusive), unlocked and with one reference.  For a processor that runs
    alone, with interrupts off.  `entry` and `pfn` are 0.
    """
    while element < end:
        pfn = int(ptr32(element)[0])
        if pfn < low or pfn > high:
            break
        entry = base + (pfn << _ENTRY_SHIFT)
        if (int(ptr32(entry)[0]) >> _STATE_SHIFT) != _SINGLE:
            break
        if (
            int(ptr32(entry)[_WORD_LOCK])
            or int(ptr32(entry)[_WORD_NEXT])
            or (int(ptr32(entry)[_WORD_RC]) >> _RC_SHIFT) != 1
        ):
            break
        ptr8(entry)[_BYTE_STATE] = _FREEING
        element += _ELEMENT
    return element


@micropython.viper
def mark_freeing_locked(
    element: int, entry: int, pfn: int, base: int, end: int, low: int, high: int
) -> int:
    """Mark frames as `mark_freeing` does, under their locks, for one of several processors."""
    first = element
    # The entry of an absent frame is read-only, so its lock must not be tried.
    while element < end:
        pfn = int(ptr32(element)[0])
        if pfn < low or pfn > high:
            break
        if (int(ptr32(base + (pfn << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT) != _SINGLE:
            break
        element += _ELEMENT
    # A frame that stands twice is locked already the second time.
    end = int(lock_many(first, element, base + _LOCK_OFFSET, int(_ENTRY_SIZE)))
    element = first
    while element < end:
        entry = base + (int(ptr32(element)[0]) << _ENTRY_SHIFT)
        if (
            (int(ptr32(entry)[0]) >> _STATE_SHIFT) != _SINGLE
            or int(ptr32(entry)[_WORD_NEXT])
            or (int(ptr32(entry)[_WORD_RC]) >> _RC_SHIFT) != 1
        ):
            break
        ptr8(entry)[_BYTE_STATE] = _FREEING
        ptr32(entry)[_WORD_LOCK] = 0
        element += _ELEMENT
    first = element
    while first < end:
        ptr32(base + (int(ptr32(first)[0]) << _ENTRY_SHIFT))[_WORD_LOCK] = 0
        first += _ELEMENT
    return element


@micropython.viper
def mark_all(element: int, end: int, base: int):
    """Mark frames as `mark_freeing` does, without checks: no caller has them yet."""
    while element < end:
        ptr8(base + (int(ptr32(element)[0]) << _ENTRY_SHIFT))[_BYTE_STATE] = _FREEING
        element += _ELEMENT


@micropython.viper
def unmark_freeing(element: int, end: int, base: int):
    """Undo `mark_freeing`."""
    while element < end:
        ptr8(base + (int(ptr32(element)[0]) << _ENTRY_SHIFT))[_BYTE_STATE] = (
            _USED << _STATE_KIND_SHIFT
        )
        element += _ELEMENT


@micropython.viper
def free_marked(
    element: int, entry: int, pfn: int, zone: int, base: int, end: int, low: int, high: int
):
    """Free the marked frames of one zone in the array elements from `element` to `end`.

    `zone` is the zone of the frames `low`..`high` (exclusive).  Frames that follow one another
    in the array are freed as blocks.  `entry` and `pfn` are 0.
    """
    while element < end:
        pfn = int(ptr32(element)[0])
        element += _ELEMENT
        if pfn < low or pfn >= high:
            continue
        start = pfn
        entry = base + (pfn << _ENTRY_SHIFT)
        ptr32(entry)[0] = 0
        ptr32(entry)[_WORD_RC] = 0
        pfn += 1
        # A frame from `high` up is free already: its zone came first.
        while element < end and int(ptr32(element)[0]) == pfn and pfn < high:
            entry += _ENTRY_SIZE
            ptr32(entry)[0] = 0
            ptr32(entry)[_WORD_RC] = 0
            element += _ELEMENT
            pfn += 1
        free_range(zone, base, start, pfn)
