"""`PFM.check()`: checks every invariant of docs/invariants.md, under the name used there."""

from array import array
from collections import namedtuple

import micropython
import uctypes

from ..address import PAGE_SHIFT, signed
from ..alloc.magazine import MAGAZINE_FRAMES
from ..alloc.zone import ORDER_MAX, Zone, watermark, zone_at
from ..control import MAGAZINE_SIZE
from ..errors import InvariantError
from ..frame.entry import ABSENT, GRANULE_SHIFT, RESERVED
from ..lock import acquire, context, release
from ..memmap.regions import FRAME_ARRAY
from . import loops
from .slabs import SlabWalk

# Indexed by the codes of loops.py.
INVARIANTS = (
    None,
    "absent-frame",
    "reserved-frame",
    "frame-lock",
    "blocks-tile",
    "block-order",
    "block-aligned",
    "block-tail",
    "refcount",
    "run",
    "compound",
    "buddies-merged",
    "list-member",
    "list-linked",
    "list-head",
    "list-length",
    "orders-mask",
    "magazine",
    "zone-lock",
    "zone-bounds",
    "zone-free",
    "zone-managed",
    "zone-present",
    "watermark",
    "array-reserved",
    "slab-class",
    "slab-objects",
    "slab-list",
    "slab-counts",
    "stock",
)

# What a check walked: frames with RAM, reserved ones included; blocks; and the frames of the
# blocks by state.
Walked = namedtuple("Walked", ("frames", "blocks", "free", "cached", "used"))


class _Walk:
    """One walk over `manager`; loops.py describes its report."""

    def __init__(self, manager):
        self._pfm = manager
        self._base = manager._base
        self._contexts = manager._processors
        self._report = array("I", bytes(4 * loops.REPORT_WORDS))
        self._place = signed(uctypes.addressof(self._report))
        self.frames = 0
        self.blocks = 0
        self.free = 0
        self.cached = 0
        self.used = 0

    def _judge(self, code):
        """Raise the error for the code that a walk returned, unless that is 0."""
        if code:
            report = self._report
            raise InvariantError(
                INVARIANTS[code],
                report[loops.PFN],
                None,
                report[loops.FOUND],
                report[loops.EXPECTED],
            )

    def _single(self, start, end, kind):
        return loops.single(self._base, start, end, kind, self._contexts, self._place)

    def array(self):
        """Check that the array's own frames are reserved."""
        frames = self._pfm.array
        start = frames.start_phys >> PAGE_SHIFT
        end = frames.end_phys >> PAGE_SHIFT
        at = start
        for region in self._pfm.regions:
            if region.type == FRAME_ARRAY and region.start <= at < region.end:
                at = region.end
        if at != end:
            raise InvariantError("array-reserved", start, None, at, end)
        if self._single(start, end, RESERVED) == loops.RESERVED_FRAME:
            report = self._report
            raise InvariantError(
                "array-reserved",
                report[loops.PFN],
                None,
                report[loops.FOUND],
                report[loops.EXPECTED],
            )

    def reserved(self):
        """Check the frames with RAM that are never allocated."""
        for region in self._pfm.regions:
            if region.present:
                self.frames += region.end - region.start
                if not region.usable:
                    self._judge(self._single(region.start, region.end, RESERVED))

    def absent(self):
        """Check the holes: short ones whole, long ones by a granule or more at each edge."""
        at = 0
        for region in self._pfm.regions:
            if region.present:
                self._hole(at, region.start)
                at = region.end
        last = (at >> GRANULE_SHIFT) + 1 << GRANULE_SHIFT
        self._judge(self._single(at, last if at % (1 << GRANULE_SHIFT) else at, ABSENT))

    def _hole(self, start, end):
        granule = 1 << GRANULE_SHIFT
        low = min(end, (start + 2 * granule) & -granule)
        high = max(low, (end - 2 * granule) & -granule)
        self._judge(self._single(start, low, ABSENT))
        self._judge(self._single(high, end, ABSENT))

    def zones(self):
        """Check the bounds and counters that the zones keep."""
        for zone in range(len(Zone.NAMES)):
            state = self._state(zone)
            name = Zone.NAMES[zone]
            held = state.lock
            if held > self._contexts or held == context():
                raise InvariantError("zone-lock", None, name, held, 0)
            count = self._pfm._last + 1
            for found, expected in (
                (state.start, Zone.BOUNDS[zone]),
                (state.end, min(Zone.BOUNDS[zone + 1], count)),
            ):
                if found != expected:
                    raise InvariantError("zone-bounds", None, name, found, expected)
            present = 0
            usable = 0
            for _, start, end, kind in self._ranges(zone, False):
                present += end - start
                usable += end - start if kind.usable else 0
            for invariant, found, expected in (
                ("zone-present", state.present, present),
                ("zone-managed", state.managed, usable),
                ("watermark", state.watermark, watermark(usable)),
            ):
                if found != expected:
                    raise InvariantError(invariant, None, name, found, expected)

    def _state(self, zone):
        return zone_at(self._pfm._zones[0], zone)

    def _ranges(self, zone, usable):
        """Return (last of its region, start, end, region) for each range of RAM in a zone.

        With `usable`, only for usable ranges.
        """
        found = []
        for region in self._pfm.regions:
            start = max(region.start, Zone.BOUNDS[zone])
            end = min(region.end, Zone.BOUNDS[zone + 1])
            if start < end and region.present and (region.usable or not usable):
                found.append((end == region.end, start, end, region))
        return found

    def zone(self, zone):
        """Check the blocks and lists of a zone."""
        report = self._report
        for slot in range(loops.SEEN_USED, loops.REPORT_WORDS):
            # A run may continue from the zone below.
            if slot not in (loops.RUN_HEAD, loops.RUN_LEFT):
                report[slot] = 0
        # Prepared here, so that the walk under the lock allocates nothing.
        ranges = self._ranges(zone, True)
        limit = min(Zone.BOUNDS[zone + 1], self._pfm._last + 1)
        self._judge(self._locked_walk(zone, ranges, Zone.BOUNDS[zone], limit))
        name = Zone.NAMES[zone]
        free = report[loops.ZONE_FREE]
        managed = report[loops.ZONE_MANAGED]
        cached = report[loops.IN_MAGAZINES]
        blocks = sum([report[loops.SEEN_FREE + order] << order for order in range(ORDER_MAX + 1)])
        if free != blocks:
            raise InvariantError("zone-free", None, name, free, blocks)
        if report[loops.SEEN_CACHED] != cached:
            raise InvariantError("magazine", None, name, report[loops.SEEN_CACHED], cached)
        if free + cached + report[loops.SEEN_USED] != managed:
            raise InvariantError(
                "zone-managed", None, name, managed, free + cached + report[loops.SEEN_USED]
            )
        self.blocks += report[loops.SEEN_BLOCKS]
        self.free += free
        self.cached += cached
        self.used += report[loops.SEEN_USED]

    # Native code, since it holds a lock: docs/locks.md.
    @micropython.native
    def _locked_walk(self, zone, ranges, first, limit):
        """Walk a zone under its lock; return the code of the broken invariant, 0 if none."""
        manager = self._pfm
        base = self._base
        place = self._place
        address = manager._zones[zone]
        state = acquire(address, Zone.NAMES[zone])
        code = 0
        at = 0
        while at < len(ranges) and not code:
            last, start, end, _ = ranges[at]
            code = loops.blocks(base, start, end, address, self._contexts, place)
            if not code and last:
                code = loops.run_ends(place)
            at += 1
        if not code:
            code = loops.lists(base, address, place)
        loops.note_zone(address, place)
        if zone == manager._top:
            at = 0
            while at < manager._processors and not code:
                magazine = manager._magazines + at * MAGAZINE_SIZE
                code = loops.magazine(base, magazine, MAGAZINE_FRAMES, first, limit, place)
                at += 1
        release(address, state)
        return code


def check(manager):
    """Check `manager`; see `PageFrameManager.check`."""
    walked = _Walk(manager)
    walked.zones()
    walked.array()
    walked.reserved()
    walked.absent()
    for zone in range(len(Zone.NAMES)):
        walked.zone(zone)
    SlabWalk(manager).check()
    return Walked(walked.frames, walked.blocks, walked.free, walked.cached, walked.used)
