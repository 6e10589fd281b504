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
from ..lock import acquire, alone, cmpxchg32, context, disable_irq, enable_irq, release, xchg32
from ..tags import tag_number
from . import poison, references, sites
from .buddy import free_range, spare, take
from .zone import Zone, zone_of

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
        Raises OutOfFramesError and FrameCorruptError (debug), after giving back every frame
        taken, ArgumentError, TypeError.  Cost: a few instructions per frame.
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
        twice, RefcountError, LockHeldError, FrameRangeError, TypeError; then no frame is
        freed.  Cost: a few instructions per frame, least where consecutive frames follow one
        another.
        """
        self._ready()
        count = frames_array(frames)
        if not count:
            return
        first = elements_virt(frames)
        end = first + count * _ELEMENT
        self._mark_freeing(frames, first, end)
        self._free_marked(frames, first, count)

    @micropython.native
    def _fill_array(self, frames, count, top, tag):
        done = self._take_many(frames, count, 0, top, tag)
        if done < count:
            self._trim()
            self._drain()
            done = self._take_many(frames, count, done, top, tag)
        if done < count:
            self._undo_alloc(frames, done)
            self._drain()
            self._run_out(top, 0, count)
        if self.debug:
            first = elements_virt(frames)
            end = first + count * _ELEMENT
            phys = poison.spoiled_many(first, end, self._hhdm, self._base, tag)
            if phys:
                value = poison.word_at(self._hhdm + phys)
                self._undo_alloc(frames, count)
                raise FrameCorruptError(phys >> PAGE_SHIFT, phys, value)
            if self._sites:
                sites.note_many(self._sites, first, end, sites.call_site())

    @micropython.native
    def _take_many(self, frames, count, done, top, tag):
        """Fill `frames` from index `done` on while zones have frames; return the new index."""
        zone = top
        first = elements_virt(frames)
        while zone >= 0 and done < count:
            address = self._zones[zone]
            irq = acquire(address, Zone.NAMES[zone])
            limit = count
            if zone < top:
                above = spare(address)
                limit = min(limit, done + (above if above > 0 else 0))
            # In debug mode the tags still say which frames are poisoned.
            kept = -1 if self.debug else tag
            element = first + done * _ELEMENT
            end = first + limit * _ELEMENT
            element = take_many(element, 0, 0, address, self._base, end, SMALL_WORD, kept)
            done = (element - first) // _ELEMENT
            release(address, irq)
            zone -= 1
        return done

    @micropython.native
    def _undo_alloc(self, frames, count):
        """Free the first `count` frames, which no caller has yet, even if guards hold them."""
        if count:
            first = elements_virt(frames)
            mark_all(first, first + count * _ELEMENT, self._base)
            self._free_marked(frames, first, count)

    @micropython.native
    def _mark_freeing(self, frames, first, end):
        """Mark the frames of the elements `first`..`end` as being freed, or raise, none marked."""
        element = first
        single = alone()
        base = self._base
        low = self._first
        high = self._last
        while element < end:
            stop = min(element + _CHUNK * _ELEMENT, end)
            irq = disable_irq()
            if single:
                element = mark_freeing(element, 0, 0, base, stop, low, high)
            else:
                element = mark_freeing_locked(element, base, stop, low, high, context())
            enable_irq(irq)
            if element < stop:
                unmark_freeing(first, element, self._base)
                self._refuse_many(frames[(element - first) // _ELEMENT])

    @micropython.native
    def _free_marked(self, frames, first, count):
        """Free the marked frames of an array of `count` elements at the address `first`."""
        end = first + count * _ELEMENT
        if self.debug:
            poison.poison_many(first, end, self._zones[0], self._hhdm, self._base)
        # Usually all frames are of one zone.
        zone = zone_of(frames[0])
        given = self._free_marked_of(first, end, zone)
        other = 0
        while given < count:
            if other != zone:
                given += self._free_marked_of(first, end, other)
            other += 1

    @micropython.native
    def _free_marked_of(self, first, end, zone):
        """Free the marked frames of one zone and return how many there were."""
        address = self._zones[zone]
        irq = acquire(address, Zone.NAMES[zone])
        given = free_marked(
            first, 0, 0, address, self._base, end, Zone.BOUNDS[zone], Zone.BOUNDS[zone + 1]
        )
        release(address, irq)
        return given

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
def take_many(
    element: int, entry: int, pfn: int, zone: int, base: int, end: int, word: int, tag: int
) -> int:
    """Fill the array elements from the address `element` to `end`; return where it stopped.

    Takes the largest blocks that fit and writes each as single frames whose first word is
    `word`.  A negative `tag` leaves the tags unchanged.  `entry` and `pfn` are 0.
    """
    order = int(_ORDER_MAX)
    while element < end and order >= 0:
        size = 1 << order
        pfn = 0
        if size <= (end - element) >> _ELEMENT_SHIFT:
            pfn = int(take(zone, base, order))
        if pfn == 0:
            order -= 1
            continue
        stop = pfn + size
        populate_range(zone, base, pfn, stop)
        entry = base + (pfn << _ENTRY_SHIFT)
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
    return element


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
def mark_freeing_locked(element: int, base: int, end: int, low: int, high: int, owner: int) -> int:
    """Mark frames as `mark_freeing` does, each under its lock, for one of several processors."""
    while element < end:
        pfn = int(ptr32(element)[0])
        if pfn < low or pfn > high:
            break
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
        lock = base + (pfn << _ENTRY_SHIFT) + _LOCK_OFFSET
        # The entry of an absent frame is read-only, so its lock must not be tried.
        if (int(e[0]) >> _STATE_SHIFT) != _SINGLE or int(cmpxchg32(lock, 0, owner)):
            break
        good = (
            (int(e[0]) >> _STATE_SHIFT) == _SINGLE
            and int(e[_WORD_NEXT]) == 0
            and (int(e[_WORD_RC]) >> _RC_SHIFT) == 1
        )
        if good:
            ptr8(e)[_BYTE_STATE] = _FREEING
        xchg32(lock, 0)
        if not good:
            break
        element += _ELEMENT
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
) -> int:
    """Free the marked frames of one zone in the array elements from `element` to `end`.

    `zone` is the zone of the frames `low`..`high` (exclusive).  Frames that follow one another
    in the array are freed as blocks.  Returns how many frames there were.  `entry` and `pfn`
    are 0.
    """
    given = 0
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
        # A frame from `high` up may be free already: its zone may have come first.
        while element < end and int(ptr32(element)[0]) == pfn and pfn < high:
            entry += _ENTRY_SIZE
            ptr32(entry)[0] = 0
            ptr32(entry)[_WORD_RC] = 0
            element += _ELEMENT
            pfn += 1
        given += pfn - start
        free_range(zone, base, start, pfn)
    return given
