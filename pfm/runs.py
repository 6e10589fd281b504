"""Many frames in one call: runs of any length, frames at a given place, arrays of single frames.

A run is a row of frames allocated as one and freed by its first.  It is made
of blocks: the first is headed by the run's head, whose `next` counts the frames,
and the head of each further one names the run's head in `prev`.
"""

from array import array

import micropython
from micropython import const

from . import buddy, bulk, ownership
from .address import PFN_LIMIT
from .allocator import FrameAllocator
from .errors import (
    ArgumentError,
    FrameNotPresentError,
    FrameStateError,
    OutOfFramesError,
    PFMError,
)
from .frame import (
    ABSENT,
    KIND_SHIFT,
    ORDER_SHIFT,
    SMALL_WORD,
    STATE_SHIFT,
    USED,
    USED_WORD,
    PageFrame,
)
from .lock import acquire, context, disable_irq, enable_irq, release, xchg32
from .zone import Zone, zone_of

# Bytes of an array's element of the type "I", and what it makes of -1.
_INT_SIZE = const(4)
_INT_MAX = const(0xFFFFFFFF)

# Frames that are looked at without an interrupt between them: some microseconds.
_CHUNK = const(1024)


@micropython.native
def check_array(frames):
    """Raise TypeError for what has no unsigned elements of 32 bits; nothing else is told from memory at hand."""
    first = frames[0]
    frames[0] = -1
    stored = frames[0]
    frames[0] = first
    if stored != _INT_MAX:
        raise TypeError("frames must be an array('I')")


@micropython.viper
def elements_virt(frames: ptr32) -> int:
    """Return the signed address of an array's elements, without the heap."""
    return int(frames)


class FrameRuns(FrameAllocator):
    """The part of `PageFrameManager` that allocates more than a block at a time."""

    @micropython.native
    def alloc_pages(self, count, align=1, zone=None, below=None, zero=False, tag=0):
        """Allocate `count` frames in a row, the first at a multiple of `align`, and return its number.

        `align` is a power of two of frames, `zone` the highest zone that will do,
        and every frame lies before the frame `below`.  Free the run by its first frame.
        Raises ArgumentError, OutOfFramesError, FrameCorruptError (debug).
        Cost: a step per free block of a fitting order, and where none fits, a step per block.
        """
        top = self._zone(count, zone, tag)
        if not 1 <= count <= self._managed:
            raise ArgumentError("count", count, "1 frame to as many as there are")
        if not 1 <= align <= PFN_LIMIT or align & (align - 1):
            raise ArgumentError("align", align, "a power of two")
        if below is None:
            below = self._last + 1
        elif below < 0:
            raise ArgumentError("below", below, "a frame number")
        else:
            below = min(below | 0, self._last + 1)
        pfn = self._take_run(top, count, align, below)
        if not pfn:
            self.drain()
            pfn = self._take_run(top, count, align, below)
        if not pfn:
            raise OutOfFramesError(top, bulk.order_for(count), count, self.free_frames())
        self._hand_out_run(pfn, count, zero, tag)
        return pfn

    @micropython.native
    def alloc_at(self, pfn, count=1, zero=False, tag=0):
        """Allocate exactly the `count` frames from `pfn` on, and return `pfn`.

        Raises FrameStateError with the first frame that is not free,
        FrameNotPresentError, FrameRangeError, ArgumentError.  Cost: a step per
        free block touched, and per order of it.
        """
        self._zone(count, None, tag)
        if count < 1:
            raise ArgumentError("count", count, "1 frame or more")
        self._entry(pfn)
        self._entry(pfn + count - 1)
        self.drain()
        first = zone_of(pfn)
        last = zone_of(pfn + count - 1)
        irq = self._lock(first, last)
        taken = bulk.first_taken(self._base, pfn, pfn + count)
        free = taken == pfn + count
        if free:
            self._claim(pfn, count)
        self._unlock(first, last, irq)
        if not free:
            self._not_free(taken)
        self._hand_out_run(pfn, count, zero, tag)
        return pfn

    def alloc_many(self, frames, zone=None, tag=0):
        """Allocate single frames: `frames` of them, or as many as fill the `array('I')` given; return the array.

        Each is freed on its own or by `free_many`.  Raises OutOfFramesError, with
        all that it had taken given back, and ArgumentError.  Cost: a few
        instructions a frame.
        """
        if isinstance(frames, int):
            self._zone(frames, zone, tag)
            if not 1 <= frames <= self._managed:
                raise ArgumentError("frames", frames, "1 frame to as many as there are")
            frames = array("I", bytes(frames * _INT_SIZE))
        self._fill_array(frames, zone, tag)
        return frames

    @micropython.native
    def free_many(self, frames):
        """Free every frame of an `array('I')` of frames allocated one by one or by `alloc_many`.

        Raises FrameStateError for one that is no such frame or stands twice,
        RefcountError, LockHeldError, FrameRangeError; then none of them is freed.
        Cost: a few instructions a frame, fewest where frames follow one another.
        """
        count = len(frames)
        if not count:
            return
        if self._top < 0:
            self._out_of_bounds(0)
        check_array(frames)
        first = elements_virt(frames)
        end = first + count * _INT_SIZE
        self._leave_many(frames, first, end)
        if self.debug:
            at = 0
            while at < count:
                bulk.junk(self._zones[0], self._hhdm, self._base, frames[at], 1)
                at += 1
        # Mostly they are all of one zone.
        zone = zone_of(frames[0])
        given = self._give_many(first, end, zone)
        other = 0
        while given < count:
            if other != zone:
                given += self._give_many(first, end, other)
            other += 1

    @micropython.native
    def _leave_many(self, frames, first, end):
        """Mark the frames of the array, elements at `first`..`end`, as leaving, or raise and leave all as they were."""
        element = first
        alone = self._processors == 1
        base = self._base
        low = self._first
        high = self._last
        while element < end:
            stop = min(element + _CHUNK * _INT_SIZE, end)
            irq = disable_irq()
            if alone:
                element = bulk.leave_many(element, 0, 0, base, stop, low, high)
            else:
                element = bulk.leave_many_locked(element, base, stop, low, high, context())
            enable_irq(irq)
            if element < stop:
                bulk.stay_many(first, element, self._base)
                self._refuse_many(frames[(element - first) // _INT_SIZE])

    @micropython.native
    def _give_many(self, first, end, zone):
        """Give the marked frames of one zone back and return how many there were."""
        address = self._zones[zone]
        irq = acquire(address, Zone.NAMES[zone])
        given = bulk.give_many(
            first, 0, 0, address, self._base, end, Zone.BOUNDS[zone], Zone.BOUNDS[zone + 1]
        )
        release(address, irq)
        return given

    def _refuse_many(self, pfn):
        """Raise the error for a frame of free_many that is no single allocated frame."""
        entry = PageFrame.at(self._entry(pfn))
        if entry.lock:
            self._refuse("free", pfn, -entry.lock)
        if entry.state >> KIND_SHIFT != USED:
            self._refuse("free", pfn, ownership.NOT_USED)
        if entry.rc > 1:
            self._refuse("free", pfn, ownership.SHARED)
        what = "head of several frames" if entry.order or entry.next else "twice in the array"
        raise FrameStateError("free", pfn, what)

    @micropython.native
    def _fill_array(self, frames, zone, tag):
        count = len(frames)
        top = self._zone(0, zone, tag)
        if count:
            check_array(frames)
        done = self._take_many(frames, 0, top, tag)
        if done < count:
            self.drain()
            done = self._take_many(frames, done, top, tag)
        if done < count:
            self._undo_many(frames, done)
            raise OutOfFramesError(top, 0, count, self.free_frames())
        if self.debug:
            self._verify_many(frames, tag)

    @micropython.native
    def _take_many(self, frames, done, top, tag):
        """Fill `frames` from index `done` on as far as the zones allow and return how many it holds."""
        zone = top
        first = elements_virt(frames)
        while zone >= 0 and done < len(frames):
            address = self._zones[zone]
            irq = acquire(address, Zone.NAMES[zone])
            limit = len(frames)
            if zone < top:
                spare = buddy.spare(address)
                limit = min(limit, done + (spare if spare > 0 else 0))
            # What the tags say of junk is still wanted when debugging.
            kept = -1 if self.debug else tag
            element = first + done * _INT_SIZE
            end = first + limit * _INT_SIZE
            element = bulk.take_many(element, 0, 0, address, self._base, end, SMALL_WORD, kept)
            done = (element - first) // _INT_SIZE
            release(address, irq)
            zone -= 1
        return done

    @micropython.native
    def _undo_many(self, frames, done):
        at = 0
        while at < done:
            self.free(frames[at])
            at += 1
        self.drain()

    def _verify_many(self, frames, tag):
        spoiled = 0
        for pfn in frames:
            phys = bulk.spoiled(self._hhdm, self._base, pfn, 1)
            buddy.use(self._base, pfn, SMALL_WORD, 0, tag)
            spoiled = spoiled or phys
        if spoiled:
            error = self._corruption(spoiled)
            self.free_many(frames)
            raise error

    @micropython.native
    def _lock(self, first, last):
        """Lock the zones `first`..`last`, from the lowest up, and return the interrupt state before."""
        before = acquire(self._zones[first], Zone.NAMES[first])
        zone = first + 1
        try:
            while zone <= last:
                acquire(self._zones[zone], Zone.NAMES[zone])
                zone += 1
        except PFMError as error:
            self._unlock(first, zone - 1, before)
            raise error
        return before

    @micropython.native
    def _unlock(self, first, last, before):
        """Undo `_lock`; interrupts come back with the last of them."""
        while last > first:
            xchg32(self._zones[last], 0)
            last -= 1
        release(self._zones[first], before)

    def _not_free(self, pfn):
        if buddy.kind(self._entry(pfn)) == ABSENT:
            raise FrameNotPresentError(pfn)
        raise FrameStateError("allocate", pfn, self.describe(pfn))

    @micropython.native
    def _take_run(self, top, count, align, below):
        """Take `count` frames in a row off the lists of one zone and return the first; 0 for none."""
        order = bulk.order_for(count if count > align else align)
        zone = top
        while zone >= 0:
            address = self._zones[zone]
            irq = acquire(address, Zone.NAMES[zone])
            pfn = 0
            if zone == top or buddy.spare(address) >= count:
                pfn = bulk.find_block(address, self._base, order, count, below)
                if not pfn:
                    pfn = self._find_across(zone, count, align, below)
                if pfn:
                    self._claim(pfn, count)
            release(address, irq)
            if pfn:
                return pfn
            zone -= 1
        return 0

    @micropython.native
    def _find_across(self, zone, count, align, below):
        """Return the first of `count` free frames in a row that several blocks make up; 0 for none."""
        for region in self.regions:
            if region.usable:
                start = max(region.start, Zone.BOUNDS[zone])
                end = min(region.end, Zone.BOUNDS[zone + 1], below)
                if end - start >= count:
                    pfn = bulk.find_run(self._base, start, end, count, align)
                    if pfn:
                        return pfn
        return 0

    @micropython.native
    def _claim(self, pfn, count):
        """Take exactly these frames, all of them free, off the lists, as a run."""
        at = pfn
        end = pfn + count
        while at < end:
            order = buddy.piece(at, end)
            buddy.claim(self._zones[zone_of(at)], self._base, at, order)
            bulk.mark_part(self._zones[0], self._base, at, order, pfn)
            at += 1 << order

    @micropython.native
    def _hand_out_run(self, pfn, count, zero, tag):
        order = buddy.piece(pfn, pfn + count)
        word = USED_WORD | order << ORDER_SHIFT | order << STATE_SHIFT
        if count == 1:
            word |= SMALL_WORD
        self._hand_out(pfn, word, 0 if count == 1 << order else count, count, zero, tag)
