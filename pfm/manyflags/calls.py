"""The flags of many frames in one call: a range, an array of frame numbers, or all frames."""

from array import array

import micropython
from micropython import const

from ..arguments import elements_virt, frame_count, frames_array
from ..array.populate import populate_range
from ..errors import (
    FrameNotPresentError,
    LockHeldError,
    LockTimeoutError,
)
from ..frame.entry import ENTRY_SHIFT, ENTRY_SIZE, PageFrame
from ..frame.flags import FLAGS_MASK, flags_number
from ..lock import PLAIN, alone, context, disable_irq, enable_irq
from ..processor import guards
from . import loops

# Size of an array's element, in bytes.
_ELEMENT = const(4)

# Frames changed with interrupts off, a few microseconds; all of them where there are no
# interrupts.
_ALL = const(0x2000_0000)
_CHUNK = _ALL if PLAIN else 1024


class ManyFlags:
    """The part of `PageFrameManager` that changes and counts the flags of many frames."""

    @micropython.native
    def set_flags_range(self, pfn, count, flags):
        """Set the bits `flags` of the `count` frames from `pfn` on, under their locks.

        Raises FrameRangeError, FrameNotPresentError, LockHeldError, LockTimeoutError,
        FlagsRangeError, ArgumentError, TypeError, with nothing changed.  Cost: a load and a
        store per frame, and before that a look at each lock while any guard is held.  While
        other processors run Python an atomic exchange per frame, and two bytes of the Python
        heap.
        """
        self._change_range(pfn, count, flags, True)

    @micropython.native
    def clear_flags_range(self, pfn, count, flags):
        """Clear the bits `flags` of the `count` frames from `pfn` on.

        Errors and cost as `set_flags_range`.
        """
        self._change_range(pfn, count, flags, False)

    @micropython.native
    def set_flags_many(self, frames, flags):
        """Set the bits `flags` of every frame of an `array('I')`, under their locks.

        Errors and cost as `set_flags_range`; TypeError if `frames` is not such an array.
        """
        self._ready()
        self._change_array(frames, flags_number(flags), 0)

    @micropython.native
    def clear_flags_many(self, frames, flags):
        """Clear the bits `flags` of every frame of an `array('I')`.

        Errors and cost as `set_flags_many`.
        """
        self._ready()
        self._change_array(frames, 0, flags_number(flags))

    def count_flags(self, flags):
        """Return how many frames with RAM have all bits of `flags`.

        Takes no lock.  Raises FlagsRangeError, TypeError, NotInitialisedError.  Cost: a look
        at each entry, or at one per shared page of 128.
        """
        self._ready()
        flags = flags_number(flags)
        count = 0
        for region in self.regions:
            if region.present:
                frames = region.end - region.start
                entry = self._base + (region.start << ENTRY_SHIFT)
                end = entry + (frames << ENTRY_SHIFT)
                count += loops.having(entry, flags, frames, end)
        return count

    @micropython.native
    def _change_range(self, pfn, count, flags, sets):
        pfn = self._pfn(pfn)
        flags = flags_number(flags)
        on = flags if sets else 0
        off = flags - on
        count = frame_count(count)
        end = pfn + count
        if end > self._last:
            self._pfn(end - 1)
        entry = self._base + (pfn << ENTRY_SHIFT)
        stop = self._base + (end << ENTRY_SHIFT)
        hole = self._first_absent(pfn, end)
        if hole < end:
            raise FrameNotPresentError(hole)
        single = alone()
        if single and guards(self._cpu):
            locked = loops.first_locked(entry, stop, ENTRY_SIZE)
            if locked < stop:
                self._stuck(end - ((stop - locked) >> ENTRY_SHIFT))
        if single:
            self._store_range(entry, stop, on, off)
        else:
            populate_range(self._zones[0], self._base, pfn, end)
            done = self._change_each(pfn, 0, count, on, off)
            if done < count:
                self._stuck(pfn + done)

    @micropython.native
    def _change_array(self, frames, on, off):
        count = frames_array(frames)
        if not count:
            return
        first = elements_virt(frames)
        stop = first + count * _ELEMENT
        rows = self._ram_rows()
        element = loops.first_outside(0, 1, 0, first, stop, rows, len(rows))
        if element < stop:
            pfn = self._pfn(frames[(element - first) // _ELEMENT])
            raise FrameNotPresentError(pfn)
        if alone():
            if guards(self._cpu):
                element = loops.first_locked_of(first, stop, self._base)
                if element < stop:
                    self._stuck(frames[(element - first) // _ELEMENT])
            self._store_array(first, stop, on, off)
        else:
            loops.populate_many(self._zones[0], self._base, frames, count)
            done = self._change_each(0, first, count, on, off)
            if done < count:
                self._stuck(frames[done])

    # Native code, so that no KeyboardInterrupt is raised between two chunks.
    @micropython.native
    def _store_range(self, entry, stop, on, off):
        """Change the entries from the address `entry` to `stop`, none of which is locked."""
        change = loops.set_range if on else loops.keep_range
        bits = on if on else FLAGS_MASK & ~off
        while entry < stop:
            end = min(entry + _CHUNK * ENTRY_SIZE, stop)
            irq = disable_irq()
            change(entry, bits, ENTRY_SIZE, end, self._zones[0])
            enable_irq(irq)
            entry = end

    @micropython.native
    def _store_array(self, element, stop, on, off):
        """Change the frames of the array elements from the address `element` to `stop`."""
        change = loops.set_many if on else loops.keep_many
        bits = on if on else FLAGS_MASK & ~off
        while element < stop:
            end = min(element + _CHUNK * _ELEMENT, stop)
            irq = disable_irq()
            change(0, self._base, bits, element, end, self._zones[0])
            enable_irq(irq)
            element = end

    @micropython.native
    def _change_each(self, pfn, elements, count, on, off):
        """Change frames by `loops.change_each`; return `count`, or the index of a locked one."""
        old = bytearray(2 * count)
        keep = FLAGS_MASK & ~off
        owner = context()
        done = 0
        while done < count:
            end = min(done + _CHUNK, count)
            irq = disable_irq()
            done = loops.change_each(self._base, pfn, elements, done, end, on, keep, old, owner)
            enable_irq(irq)
            if done < end:
                loops.change_back(self._base, pfn, elements, done, on | off, old, owner)
                break
        return done

    @micropython.native
    def _first_absent(self, start, end):
        """Return the first frame of `start`..`end` without RAM, `end` if there is none."""
        for region in self.regions:
            if region.present and region.start <= start < region.end:
                start = region.end
            if start >= end:
                return end
        return start

    @micropython.native
    def _ram_rows(self):
        """Return the first and the last frame of each row of RAM, in an `array('I')`."""
        if self._rows_of is not self.regions:
            rows = []
            for region in self.regions:
                if region.present and rows and rows[-1] == region.start - 1:
                    rows[-1] = region.end - 1
                elif region.present:
                    rows += (region.start, region.end - 1)
            self._rows = array("I", rows)
            self._rows_of = self.regions
        return self._rows

    def _stuck(self, pfn):
        """Raise the error for a frame whose lock is taken."""
        owner = PageFrame.at(self._base + (pfn << ENTRY_SHIFT)).lock
        error = LockHeldError if owner == context() else LockTimeoutError
        raise error(pfn, owner)
