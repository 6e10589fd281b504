"""Many frames in one call: runs of any length, frames at a given place, arrays of single frames.

A run is a row of frames allocated as one and freed by its first.  It is made
of blocks: the first is headed by the run's head, whose `next` counts the frames,
and the head of each further one names the run's head in `prev`.
"""

from array import array

import micropython
from micropython import const

from . import buddy, bulk, ownership
from .address import PAGE_SHIFT, PFN_LIMIT
from .allocator import FrameAllocator
from .arguments import frame_count, frames_array, integer, number
from .errors import (
    ArgumentError,
    FrameCorruptError,
    FrameNotPresentError,
    FrameStateError,
)
from .frame import (
    ABSENT,
    ENTRY_SHIFT,
    KIND_SHIFT,
    ORDER_SHIFT,
    SMALL_WORD,
    STATE_SHIFT,
    TAG_MAX,
    USED,
    USED_WORD,
    PageFrame,
)
from .lock import acquire, context, disable_irq, enable_irq, release
from .zone import Zone, zone_of

# Bytes of an array's element of the type "I".
_INT_SIZE = const(4)

_FRAMES = "an array('I'), or 1 frame to as many as there are"

# Frames that are looked at without an interrupt between them: some microseconds.
_CHUNK = const(1024)


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
        top = self._zone(zone)
        count = number("count", count, 1, self._managed or 1, "1 frame to as many as there are")
        align = number("align", align, 1, PFN_LIMIT + 1, "a power of two")
        if align & (align - 1):
            raise ArgumentError("align", align, "a power of two")
        end = self._last + 1
        if below is not None:
            below = integer("below", below, "a frame number")
            if below < 0:
                raise ArgumentError("below", below, "a frame number")
            end = min(below, end)
        tag = number("tag", tag, 0, TAG_MAX, "0 to 2**32 - 1")
        pfn = self._take_run(top, count, align, end)
        if not pfn:
            self._drain()
            pfn = self._take_run(top, count, align, end)
        if not pfn:
            self._run_out(top, bulk.order_for(count), count)
        self._hand_out_run(pfn, count, zero, tag)
        return pfn

    @micropython.native
    def alloc_at(self, pfn, count=1, zero=False, tag=0):
        """Allocate exactly the `count` frames from `pfn` on, and return `pfn`.

        Raises FrameStateError with the first frame that is not free,
        FrameNotPresentError, FrameRangeError, ArgumentError.  Cost: a step per
        free block touched, and per order of it.
        """
        pfn = self._pfn(pfn)
        count = frame_count(count)
        tag = number("tag", tag, 0, TAG_MAX, "0 to 2**32 - 1")
        self._pfn(pfn + count - 1)
        self._drain()
        first = zone_of(pfn)
        last = zone_of(pfn + count - 1)
        state = self._lock(first, last)
        taken = bulk.first_taken(self._base, pfn, pfn + count)
        free = taken == pfn + count
        if free:
            self._claim(pfn, count)
        self._unlock(first, last, state)
        if not free:
            self._not_free(taken)
        self._hand_out_run(pfn, count, zero, tag)
        return pfn

    @micropython.native
    def alloc_many(self, frames, zone=None, tag=0):
        """Allocate single frames: `frames` of them, or as many as fill the `array('I')` given; return the array.

        Each is freed on its own or by `free_many`.  Raises OutOfFramesError, with
        all that it had taken given back, ArgumentError, TypeError and
        FrameCorruptError (debug).  Cost: a few instructions a frame.
        """
        top = self._zone(zone)
        tag = number("tag", tag, 0, TAG_MAX, "0 to 2**32 - 1")
        kind = frames.__class__
        if kind is array or kind is memoryview:
            count = frames_array(frames)
        else:
            count = number("frames", frames, 1, self._managed or 1, _FRAMES)
            frames = array("I", bytes(count * _INT_SIZE))
        self._fill_array(frames, count, top, tag)
        return frames

    @micropython.native
    def free_many(self, frames):
        """Free every frame of an `array('I')` of frames allocated one by one or by `alloc_many`.

        Raises FrameStateError for one that is no such frame or stands twice,
        RefcountError, LockHeldError, FrameRangeError; then none of them is freed.
        Cost: a few instructions a frame, fewest where frames follow one another.
        """
        self._ready()
        count = frames_array(frames)
        if not count:
            return
        first = elements_virt(frames)
        end = first + count * _INT_SIZE
        self._leave_many(frames, first, end)
        self._give_marked(frames, first, count)

    @micropython.native
    def _give_marked(self, frames, first, count):
        """Give the marked frames of an array back, whose `count` elements begin at the address `first`."""
        end = first + count * _INT_SIZE
        if self.debug:
            bulk.junk_many(first, end, self._zones[0], self._hhdm, self._base)
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
        self._pfn(pfn)
        entry = PageFrame.at(self._base + (pfn << ENTRY_SHIFT))
        if entry.lock:
            self._refuse("free", pfn, -entry.lock)
        if entry.state >> KIND_SHIFT != USED:
            self._refuse("free", pfn, ownership.NOT_USED)
        if entry.rc > 1:
            self._refuse("free", pfn, ownership.SHARED)
        what = "head of several frames" if entry.order or entry.next else "twice in the array"
        raise FrameStateError("free", pfn, what)

    @micropython.native
    def _fill_array(self, frames, count, top, tag):
        done = self._take_many(frames, count, 0, top, tag)
        if done < count:
            self._drain()
            done = self._take_many(frames, count, done, top, tag)
        if done < count:
            self._take_back(frames, done)
            self._drain()
            self._run_out(top, 0, count)
        if self.debug:
            first = elements_virt(frames)
            end = first + count * _INT_SIZE
            phys = bulk.spoiled_many(first, end, self._hhdm, self._base, tag)
            if phys:
                value = bulk.word_at(self._hhdm + phys)
                self._take_back(frames, count)
                raise FrameCorruptError(phys >> PAGE_SHIFT, phys, value)

    @micropython.native
    def _take_many(self, frames, count, done, top, tag):
        """Fill `count` elements of `frames` from index `done` on as far as the zones allow; return how many it holds."""
        zone = top
        first = elements_virt(frames)
        while zone >= 0 and done < count:
            address = self._zones[zone]
            irq = acquire(address, Zone.NAMES[zone])
            limit = count
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
    def _take_back(self, frames, count):
        """Free the first `count` frames of an array that nobody has been given yet, whoever locks them."""
        if count:
            first = elements_virt(frames)
            bulk.leave_all(first, first + count * _INT_SIZE, self._base)
            self._give_marked(frames, first, count)

    def _not_free(self, pfn):
        if buddy.kind(self._base + (pfn << ENTRY_SHIFT)) == ABSENT:
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
