"""The flags of many frames in one call: a range, an array of frame numbers, or all there are."""

import micropython
from micropython import const

from . import backing
from .backing import touch
from .errors import (
    ArgumentError,
    FlagsRangeError,
    FrameNotPresentError,
    LockHeldError,
    LockTimeoutError,
)
from .flags import FLAGS_MASK
from .frame import PageFrame
from .lock import PLAIN, context, release, try_acquire
from .runs import FrameRuns, check_array

# frame.py
_ABSENT = const(7)
_BYTE_SHARED = const(13)
_LOCK = const(24)

# What the walks return for an array of frames that is all right.
_DONE = const(-1)


@micropython.viper
def _first_locked(base: int, start: int, end: int) -> int:
    """Return the first frame of `start`..`end` whose lock is taken, `end` for none."""
    while start < end:
        if int(ptr32(base + (start << 5))[6]):
            return start
        start += 1
    return end


@micropython.viper
def _set_range(base: int, start: int, end: int, bits: int):
    """Set `bits` in the entries `start`..`end`, eight at a time."""
    while start + 8 <= end:
        e = ptr16(base + (start << 5))
        e[0] = int(e[0]) | bits
        e[16] = int(e[16]) | bits
        e[32] = int(e[32]) | bits
        e[48] = int(e[48]) | bits
        e[64] = int(e[64]) | bits
        e[80] = int(e[80]) | bits
        e[96] = int(e[96]) | bits
        e[112] = int(e[112]) | bits
        start += 8
    while start < end:
        e = ptr16(base + (start << 5))
        e[0] = int(e[0]) | bits
        start += 1


@micropython.viper
def _keep_range(base: int, start: int, end: int, bits: int):
    """Clear all but `bits` in the entries `start`..`end`, eight at a time."""
    while start + 8 <= end:
        e = ptr16(base + (start << 5))
        e[0] = int(e[0]) & bits
        e[16] = int(e[16]) & bits
        e[32] = int(e[32]) & bits
        e[48] = int(e[48]) & bits
        e[64] = int(e[64]) & bits
        e[80] = int(e[80]) & bits
        e[96] = int(e[96]) & bits
        e[112] = int(e[112]) & bits
        start += 8
    while start < end:
        e = ptr16(base + (start << 5))
        e[0] = int(e[0]) & bits
        start += 1


@micropython.viper
def _change_locked(base: int, start: int, end: int, on: int, keep: int, owner: int) -> int:
    """Change the entries `start`..`end`, each under its lock; return `end`, or the frame whose lock did not come."""
    while start < end:
        entry = base + (start << 5)
        irq = int(try_acquire(entry + _LOCK, owner))
        if irq < 0:
            return start
        e = ptr16(entry)
        e[0] = int(e[0]) & keep | on
        release(entry + _LOCK, irq)
        start += 1
    return end


@micropython.viper
def _change_many(
    control: int, h: ptr32, frames: ptr32, count: int, on: int, keep: int, old: ptr16
) -> int:
    """Change the frames of an array, their flags before kept in `old`.

    Returns -1, or the index of a frame out of bounds, absent or locked, at which it ends.
    """
    base = int(h[0]) | int(h[1]) << 32
    low = int(h[2])
    high = int(h[3])
    plain = int(h[5])
    i = 0
    while i < count:
        pfn = int(frames[i])
        irq = 0 - 1
        if pfn >= low and pfn <= high:
            entry = base + (pfn << 5)
            if int(ptr8(entry)[_BYTE_SHARED]):
                touch(control, entry)
            e = ptr32(entry)
            if (int(e[0]) >> 29) != _ABSENT:
                if plain:
                    irq = 0 - int(e[6])
                else:
                    irq = int(try_acquire(entry + _LOCK, int(context())))
        if irq < 0:
            return i
        field = ptr16(entry)
        word = int(field[0])
        old[i] = word
        field[0] = word & keep | on
        if plain == 0:
            release(entry + _LOCK, irq)
        i += 1
    return 0 - 1


@micropython.viper
def _change_back(base: int, frames: ptr32, count: int, old: ptr16, owner: int):
    """Give the first `count` frames of an array the flags in `old`, the last change first."""
    while count > 0:
        count -= 1
        entry = base + (int(frames[count]) << 5)
        irq = int(try_acquire(entry + _LOCK, owner))
        ptr16(entry)[0] = int(old[count])
        if irq >= 0:
            release(entry + _LOCK, irq)


@micropython.viper
def _count(base: int, start: int, end: int, flags: int) -> int:
    """Return how many of the entries `start`..`end` have all of `flags`."""
    count = 0
    while start < end:
        entry = base + (start << 5)
        hit = 1 if (int(ptr16(entry)[0]) & flags) == flags else 0
        step = 1
        if int(ptr8(entry)[_BYTE_SHARED]):
            # All entries of a page that stands for many are alike.
            step = 128 - (start & 127)
            if step > end - start:
                step = end - start
        count += hit * step
        start += step
    return count


class FrameFlags(FrameRuns):
    """The part of `PageFrameManager` that changes and counts the flags of many frames."""

    def set_flags_range(self, pfn, count, flags):
        """Set the bits `flags` of the `count` frames from `pfn` on, each under its lock.

        Raises FrameRangeError, FrameNotPresentError, LockHeldError, FlagsRangeError,
        ArgumentError, with nothing changed.  Cost: a store per frame, and a look
        at each lock first while a guard is held anywhere.
        """
        self._change_range(pfn, count, flags, 0)

    def clear_flags_range(self, pfn, count, flags):
        """Clear the bits `flags` of the `count` frames from `pfn` on.  Errors and cost as `set_flags_range`."""
        self._change_range(pfn, count, 0, flags)

    def set_flags_many(self, frames, flags):
        """Set the bits `flags` of every frame of an `array('I')`, each under its lock.

        Raises FrameRangeError, FrameNotPresentError, LockHeldError, FlagsRangeError,
        with nothing changed.  Takes two bytes of the Python heap a frame.
        """
        self._change_array(frames, flags, 0)

    def clear_flags_many(self, frames, flags):
        """Clear the bits `flags` of every frame of an `array('I')`.  Errors and cost as `set_flags_many`."""
        self._change_array(frames, 0, flags)

    def count_flags(self, flags):
        """Return how many frames with RAM have all the bits `flags`.

        Takes no lock.  Raises FlagsRangeError, NotInitialisedError.  Cost: a look at
        each entry, one for 128 of those that were never written.
        """
        if flags & ~FLAGS_MASK:
            raise FlagsRangeError(flags)
        if self._last < 0:
            self._out_of_bounds(0)
        count = 0
        for region in self.regions:
            if region.present:
                count += _count(self._base, region.start, region.end, flags)
        return count

    def _change_range(self, pfn, count, on, off):
        if (on | off) & ~FLAGS_MASK:
            raise FlagsRangeError(on | off)
        if count < 1:
            raise ArgumentError("count", count, "1 frame or more")
        self._entry(pfn)
        end = pfn + count
        self._entry(end - 1)
        hole = self._first_absent(pfn, end)
        if hole < end:
            raise FrameNotPresentError(hole)
        backing.touch_range(self._zones[0], self._base, pfn, end)
        keep = FLAGS_MASK & ~off
        stuck = _first_locked(self._base, pfn, end) if self._guards() or not PLAIN else end
        if stuck == end and PLAIN:
            if on:
                _set_range(self._base, pfn, end, on)
            if off:
                _keep_range(self._base, pfn, end, keep)
        elif stuck == end:
            stuck = _change_locked(self._base, pfn, end, on, keep, context())
        if stuck < end:
            self._stuck(stuck)

    def _change_array(self, frames, on, off):
        if (on | off) & ~FLAGS_MASK:
            raise FlagsRangeError(on | off)
        count = len(frames)
        if not count:
            return
        check_array(frames)
        old = bytearray(2 * count)
        keep = FLAGS_MASK & ~off
        bad = _change_many(self._zones[0], self._hot, frames, count, on, keep, old)
        if bad != _DONE:
            _change_back(self._base, frames, bad, old, context())
            pfn = frames[bad]
            # Raises for a frame out of bounds or absent.
            self._lockable(pfn, 0)
            self._stuck(pfn)

    def _first_absent(self, start, end):
        """Return the first frame of `start`..`end` without RAM, `end` for none."""
        for region in self.regions:
            if region.present and region.start <= start < region.end:
                start = region.end
            if start >= end:
                return end
        return start

    def _stuck(self, pfn):
        """Raise the error for a frame whose lock is taken."""
        owner = PageFrame.at(self._entry(pfn)).lock
        error = LockHeldError if owner == context() else LockTimeoutError
        raise error(pfn, owner)
