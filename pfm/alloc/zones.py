"""The zones of a manager: opened at init, extended, locked together, counted."""

import micropython

from .. import processor
from ..control import MAGAZINE_SIZE, ZONES
from ..lock import acquire, release
from . import buddy, heads, magazine
from .zone import Zone, add_managed, add_present, set_bounds, zone_at, zone_of


@micropython.native
def lock_zones(zones, first, last):
    """Lock the zones `first`..`last`, lowest first, and return the state for `unlock_zones`.

    `zones` are the addresses of all.  Raises LockHeldError, LockTimeoutError, none locked.
    """
    before = acquire(zones[first], Zone.NAMES[first])
    zone = first
    try:
        while zone < last:
            acquire(zones[zone + 1], Zone.NAMES[zone + 1])
            zone += 1
    except BaseException as error:
        unlock_zones(zones, first, zone, before)
        raise error
    return before


@micropython.native
def unlock_zones(zones, first, last, before):
    """Undo `lock_zones`, highest zone first; `before` is the state of the lowest."""
    while last > first:
        release(zones[last], 0)
        last -= 1
    release(zones[first], before)


class Zones:
    """The part of `PageFrameManager` that sets up its zones and counts their frames."""

    @micropython.native
    def _set_top(self, zone):
        self._top = zone
        processor.set_top(self._cpu, zone, Zone.BOUNDS[zone])

    def _open(self):
        """Build the zones and their free lists over a new array."""
        for zone in range(ZONES):
            end = min(Zone.BOUNDS[zone + 1], self._last + 1)
            set_bounds(self._zones[zone], Zone.BOUNDS[zone], end)
        for region in self.regions:
            if region.present:
                self._count_present(region.start, region.end)
        self._adopt([region for region in self.regions if region.usable], False)

    def _recount(self):
        """Adopt the zones that an earlier manager opened."""
        for zone in range(ZONES):
            managed = zone_at(self._zones[0], zone).managed
            self._managed += managed
            if managed:
                self._set_top(zone)

    def _count_present(self, start, end):
        """Count the frames `start`..`end`, which have RAM, in their zones."""
        zone = zone_of(start)
        while start < end:
            high = min(Zone.BOUNDS[zone + 1], end)
            add_present(self._zones[zone], high - start)
            start = high
            zone += 1

    @micropython.native
    def _adopt(self, regions, clear):
        """Give the frames of `regions` to the free lists: all of them, or none if a lock fails.

        With `clear`, their entries, in populated pages of the array, are made TAIL first.
        """
        state = lock_zones(self._zones, 0, ZONES - 1)
        if self._top >= 0:
            # The magazines hold frames of the highest zone, which may change now.
            self._drain_locked()
        for region in regions:
            start = region.start
            if clear:
                heads.clear_entries(self._base, start, region.end)
            zone = zone_of(start)
            while start < region.end:
                high = Zone.BOUNDS[zone + 1]
                if high > region.end:
                    high = region.end
                address = self._zones[zone]
                buddy.free_range(address, self._base, start, high)
                add_managed(address, high - start)
                self._managed += high - start
                if zone > self._top:
                    self._set_top(zone)
                start = high
                zone += 1
        unlock_zones(self._zones, 0, ZONES - 1, state)

    def count_free(self):
        """Return the numbers of free frames in DMA, DMA32 and NORMAL, magazines included.

        Takes no lock.  Raises NotInitialisedError.
        """
        self._ready()
        counts = [buddy.free_count(zone) for zone in self._zones]
        if self._top >= 0:
            for processor in range(self._processors):
                counts[self._top] += magazine.count(self._magazines + processor * MAGAZINE_SIZE)
        return tuple(counts)

    def count_present(self):
        """Return the number of frames with RAM.  Raises NotInitialisedError."""
        self._ready()
        return sum([zone_at(zone, 0).present for zone in self._zones])
