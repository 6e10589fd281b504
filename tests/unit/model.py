"""A model of the allocator that is cheap enough for the kernel: a byte for each frame, and nothing of buddies.

It starts from the entries and the zones as the manager has them, so it runs on a machine
in use, where no host can follow.  A mistake in those it would share; so there is a second
model, which shares no code with pfm: tests/host/allocator_model.py.
"""

from pfm import Zone
from pfm.alloc.zone import zone_at, zone_of
from pfm.control import ZONES
from pfm.frame.entry import FREE, ORDER_MASK, STATE_KIND_SHIFT, PageFrame

# States of a frame; foreign ones were not free when the model was made.
FREE_FRAME = 0
FOREIGN = 1
HEAD = 2
INSIDE = 3
COMPOUND_TAIL = 4

# Frames that are looked at in one comparison, and the most that `fits` is asked for.
_PIECE = 1 << 12

_PATTERNS = [bytes([state]) * _PIECE for state in range(COMPOUND_TAIL + 1)]


def _fill(states, start, end, state):
    """Store `state` over `states[start:end]`."""
    pattern = _PATTERNS[state]
    while start < end:
        stop = min(end, start + len(pattern))
        states[start:stop] = pattern[: stop - start]
        start = stop


class Model:
    """What is free now in `manager`, whose magazine is drained; `free` counts it for each zone."""

    def __init__(self, manager):
        self._pfm = manager
        self.free = list(manager.count_free())
        # (first, end, a byte for each frame) for each usable region.
        self._windows = []
        for region in manager.regions:
            if region.usable:
                self._windows.append((region.start, region.end, self._look(region)))

    def _look(self, region):
        states = bytearray(region.end - region.start)
        at = region.start
        while at < region.end:
            entry = PageFrame.at(self._pfm.array.base + at * PageFrame.SIZE)
            end = at + (1 << (entry.state & ORDER_MASK))
            if entry.state >> STATE_KIND_SHIFT != FREE:
                _fill(states, at - region.start, end - region.start, FOREIGN)
            at = end
        return states

    def _window(self, pfn):
        """Return the window that the frame lies in, an empty one for none."""
        for window in self._windows:
            if window[0] <= pfn < window[1]:
                return window
        return 0, 0, b""

    def state(self, pfn):
        """Return the state of a frame, FOREIGN where none is usable."""
        start, end, states = self._window(pfn)
        return states[pfn - start] if start <= pfn < end else FOREIGN

    def take(self, start, end, compound=False):
        """Make the frames one block's and return True; False where not all of them are free."""
        first, last, states = self._window(start)
        if end > last:
            return False
        at = start - first
        while at < end - first:
            stop = min(end - first, at + _PIECE)
            if states[at:stop] != _PATTERNS[FREE_FRAME][: stop - at]:
                return False
            at = stop
        states[start - first] = HEAD
        _fill(states, start - first + 1, end - first, COMPOUND_TAIL if compound else INSIDE)
        self._count(start, end, -1)
        return True

    def give(self, start, end):
        """Make the frames free."""
        first, _, states = self._window(start)
        _fill(states, start - first, end - first, FREE_FRAME)
        self._count(start, end, 1)

    def _count(self, start, end, sign):
        """Add the frames `start`..`end` to what is free in their zones, or take them off."""
        for zone in range(zone_of(start), ZONES):
            stop = min(end, Zone.BOUNDS[zone + 1])
            if start < stop:
                self.free[zone] += sign * (stop - start)
                start = stop

    def spare(self, zone):
        """Return how many frames the zone has above its watermark."""
        return self.free[zone] - zone_at(self._pfm._zones[0], zone).watermark

    def fits(self, top, count, align, below):
        """Return whether any zone that may be used has `count` free frames in a row, all of it merged."""
        for zone in range(top, -1, -1):
            if zone < top and self.spare(zone) < count:
                continue
            low = Zone.BOUNDS[zone]
            high = min(Zone.BOUNDS[zone + 1], below)
            for window in self._windows:
                if self._fits_in(window, low, high, count, align):
                    return True
        return False

    def _fits_in(self, window, low, high, count, align):
        start, end, states = window
        at = max(start, low)
        end = min(end, high)
        wanted = _PATTERNS[FREE_FRAME][:count]
        while True:
            at = (at + align - 1) & -align
            if at + count > end:
                return False
            found = states.find(wanted, at - start, end - start)
            if found < 0:
                return False
            if not found + start & (align - 1):
                return True
            at = found + start
