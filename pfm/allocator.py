"""Frames handed out and taken back: zones, magazines and runs on top of the buddy system.

Arguments and results are frame numbers and counts of frames.  Methods marked
native keep their state off the Python heap, so no path of alloc and free touches it.
"""

import micropython
import uctypes
from micropython import const

from . import buddy, bulk, fill, hot, ownership
from .address import PAGE_SHIFT
from .errors import (
    ArgumentError,
    FrameCorruptError,
    FrameNotPresentError,
    FrameRangeError,
    FrameStateError,
    LockHeldError,
    LockTimeoutError,
    NotInitialisedError,
    OutOfFramesError,
    RefcountError,
)
from .flags import PageFlags
from .frame import (
    ABSENT,
    COMPOUND_TAIL,
    ENTRY_SHIFT,
    ENTRY_SIZE,
    KIND_NAMES,
    KIND_SHIFT,
    ORDER_MASK,
    ORDER_SHIFT,
    PART,
    RC_MAX,
    SMALL_WORD,
    STATE_SHIFT,
    TAG_MAX,
    TAIL,
    USED_WORD,
    PageFrame,
)
from .lock import acquire, context, disable_irq, enable_irq, release
from .zone import (
    ORDER_MAX,
    ZONE_SIZE,
    ZONES,
    Zone,
    add_managed,
    add_present,
    set_bounds,
    zone_at,
    zone_of,
)

# Frames that a processor keeps at hand, and how many it moves at once.
MAGAZINE_FRAMES = const(64)
_MAGAZINE_BATCH = const(32)
# Bytes of a magazine in the control pages.
MAGAZINE_SIZE = const(512)
# Behind the zones in the control pages.
_MAGAZINES_OFFSET = const(1024)
_PAGE_WORDS = const(1024)


def control_size(processors):
    """Return the bytes of control memory for that many processors."""
    return _MAGAZINES_OFFSET + processors * MAGAZINE_SIZE


class FrameAllocator:
    """The allocating half of `PageFrameManager`; what that sets up at init stands in `_start`."""

    # Before init: out of these bounds is every frame.
    _first = 0
    _last = -1
    _top = -1
    _managed = 0
    _base = 0
    _hhdm = 0
    _zones = ()
    _magazines = 0
    _processors = 0
    _hot = 0
    debug = False

    def _start(self, frames, hhdm, control, processors, debug):
        """Take up a `FrameArray` and the control memory at `control`; addresses are signed."""
        self._base = frames.address
        self._hhdm = hhdm
        self._zones = tuple([control + zone * ZONE_SIZE for zone in range(ZONES)])
        self._magazines = control + _MAGAZINES_OFFSET
        self._processors = processors
        self.debug = debug
        self._first = frames.first
        self._last = frames.count - 1
        self._hot = hot.install(self, frames, control, _MAGAZINES_OFFSET)

    def _guards(self):
        """Return how many guards hold a frame's lock."""
        return uctypes.struct(self._hot, hot.HOT).guards

    def _set_top(self, zone):
        self._top = zone
        state = uctypes.struct(self._hot, hot.HOT)
        state.top = zone
        state.top_first = Zone.BOUNDS[zone]

    def _open(self):
        """Build the zones and their free lists over an array just built."""
        for zone in range(ZONES):
            end = min(Zone.BOUNDS[zone + 1], self._last + 1)
            set_bounds(self._zones[zone], Zone.BOUNDS[zone], end)
        for region in self.regions:
            if region.present:
                self._adopt(region.start, region.end, region.usable, True)

    def _recount(self):
        """Take up zones that a manager before this one had opened."""
        for zone in range(ZONES):
            managed = zone_at(self._zones[0], zone).managed
            self._managed += managed
            if managed:
                self._set_top(zone)

    def _adopt(self, start, end, usable, arrives):
        """Count the frames `start`..`end` into their zones if they are new; free them if `usable`."""
        zone = zone_of(start)
        while start < end:
            high = Zone.BOUNDS[zone + 1]
            if high > end:
                high = end
            address = self._zones[zone]
            if arrives:
                add_present(address, high - start)
            if usable:
                if not arrives and zone > self._top >= 0:
                    # The magazines hold frames of the highest zone only; those of init hold none.
                    self.drain()
                irq = acquire(address, Zone.NAMES[zone])
                buddy.seed(address, self._base, start, high)
                release(address, irq)
                add_managed(address, high - start)
                self._managed += high - start
                if zone > self._top:
                    self._set_top(zone)
            start = high
            zone += 1

    @micropython.native
    def alloc(self, order=0, zone=None, zero=False, tag=0, compound=False):
        """Allocate 2**order frames, aligned to their size, and return the first one's number.

        `zone` is the highest zone that will do (default: the highest there is);
        below it, zones are tried down to their low watermark.  `zero` clears the
        frames, `tag` (32 bits) is kept as who allocated, `compound` makes every
        frame of the block stand for the block in `ref` and `unref`.  The block
        has one reference, and the flag SMALL (order 0) or COMPOUND.
        Raises OutOfFramesError, ArgumentError, FrameCorruptError (debug).
        Cost: a few instructions for order 0 at the highest zone, else a step per order split.
        """
        top = self._zone(order, zone, tag)
        if not 0 <= order <= ORDER_MAX:
            raise ArgumentError("order", order, "0 to 18")
        pfn = 0
        if order == 0 and top == self._top:
            pfn = self._pop()
        if not pfn:
            pfn = self._take(top, order)
        if not pfn:
            pfn = self._scrape(top, order)
        word = USED_WORD | order << ORDER_SHIFT | order << STATE_SHIFT
        if order == 0:
            word |= SMALL_WORD
        elif compound:
            word |= PageFlags.COMPOUND
            bulk.mark_tails(self._zones[0], self._base, pfn, 1 << order)
        self._hand_out(pfn, word, 0, 1 << order, zero, tag)
        return pfn

    @micropython.native
    def free(self, pfn):
        """Free the block or run whose first frame is `pfn`, however it was allocated.

        Raises FrameStateError for a frame that heads no allocated block (free
        already, a tail, reserved), RefcountError when others hold references,
        LockHeldError, FrameRangeError, FrameNotPresentError.  Cost: a step per order merged.
        """
        word = ownership.retire(self._entry(pfn), context(), 0)
        if word < 0:
            self._refuse("free", pfn, word)
        self._give_back(pfn, word)

    @micropython.native
    def ref(self, pfn):
        """Add a reference to the block headed (or, compound, containing) `pfn`; return how many it has.

        Raises RefcountError at 65,535, otherwise as `free`.
        """
        head = self._head(pfn)
        count = ownership.share(self._entry(head), context())
        if count < 0:
            self._refuse("reference", pfn, count)
        return count

    @micropython.native
    def unref(self, pfn):
        """Drop a reference to the block headed (or, compound, containing) `pfn`; the last one frees it.

        Returns True when it did.  Errors and cost as `free`.
        """
        head = self._head(pfn)
        word = ownership.retire(self._entry(head), context(), 1)
        if word < 0:
            self._refuse("unreference", pfn, word)
        if word == 0:
            return False
        self._give_back(head, word)
        return True

    @micropython.native
    def _entry(self, pfn):
        """Return the address of the entry of a frame that is in bounds."""
        # In this order, for a `PFN` compares only from the left.
        if pfn < self._first or pfn > self._last:
            self._out_of_bounds(pfn)
        return self._base + (pfn << ENTRY_SHIFT)

    def _out_of_bounds(self, pfn):
        if self._last < 0:
            raise NotInitialisedError("PFM.init() has not been called")
        raise FrameRangeError(pfn, self._first, self._last)

    @micropython.native
    def _head(self, pfn):
        """Return the head of a compound block's tail `pfn`, any other frame as it is."""
        entry = self._entry(pfn)
        return buddy.compound_head(entry, pfn)

    @micropython.native
    def _zone(self, number, zone, tag):
        """Check that `number` is one, and what every allocation takes; return the zone to begin at."""
        top = self._top
        if top < 0:
            self._out_of_bounds(0)
        # Raises TypeError for what is no integer, before anything is taken.
        number | tag
        if not 0 <= tag <= TAG_MAX:
            raise ArgumentError("tag", tag, "32 bits")
        if zone is None:
            return top
        if not 0 <= zone | 0 < ZONES:
            raise ArgumentError("zone", zone, "Zone.DMA, DMA32 or NORMAL")
        return zone if zone < top else top

    @micropython.native
    def _magazine(self):
        return self._magazines + (context() - 1) * MAGAZINE_SIZE

    @micropython.native
    def _pop(self):
        """Return a frame of the processor's magazine, refilled when it is empty; 0 for none."""
        magazine = self._magazine()
        irq = disable_irq()
        pfn = ownership.pop(magazine)
        enable_irq(irq)
        if pfn:
            return pfn
        zone = self._zones[self._top]
        irq = acquire(zone, Zone.NAMES[self._top])
        bulk.fill_magazine(zone, self._base, magazine, _MAGAZINE_BATCH)
        pfn = ownership.pop(magazine)
        release(zone, irq)
        return pfn

    @micropython.native
    def _take(self, top, order):
        """Return a block taken off the free lists of `top` or, above their watermarks, of lower zones; else 0."""
        zone = top
        while zone >= 0:
            address = self._zones[zone]
            irq = acquire(address, Zone.NAMES[zone])
            pfn = 0
            if zone == top or buddy.spare(address) >= 1 << order:
                pfn = buddy.take(address, self._base, order)
            release(address, irq)
            if pfn:
                return pfn
            zone -= 1
        return 0

    @micropython.native
    def _scrape(self, top, order):
        """Try once more with the magazines' frames merged; raise OutOfFramesError when that fails too."""
        self.drain()
        pfn = self._take(top, order)
        if not pfn:
            raise OutOfFramesError(top, order, 1 << order, self.free_frames())
        return pfn

    @micropython.native
    def _hand_out(self, pfn, word, count, frames, zero, tag):
        """Write the head of a block or run taken off the lists, with what `alloc` was asked for."""
        phys = 0
        if self.debug:
            phys = bulk.spoiled(self._hhdm, self._base, pfn, frames)
        buddy.use(self._base, pfn, word, count, tag)
        if phys:
            error = self._corruption(phys)
            self.free(pfn)
            raise error
        if zero:
            fill.words(self._hhdm + (pfn << PAGE_SHIFT), frames * _PAGE_WORDS, 0)

    def _corruption(self, phys):
        """Return the error for a word at `phys` that is no longer junk."""
        word = uctypes.bytes_at(self._hhdm + phys, 4)
        return FrameCorruptError(phys >> PAGE_SHIFT, phys, int.from_bytes(word, "little"))

    @micropython.native
    def _give_back(self, pfn, word):
        """Free what a retired head with that first word headed."""
        entry = self._base + (pfn << ENTRY_SHIFT)
        order = word >> STATE_SHIFT & ORDER_MASK
        count = buddy.run_length(entry)
        if not count:
            if order and buddy.kind(entry + ENTRY_SIZE) == COMPOUND_TAIL:
                bulk.clear_tails(self._base, pfn, 1 << order)
            self._give_block(pfn, order)
            return
        end = pfn + count
        while True:
            self._give_block(pfn, order)
            pfn += 1 << order
            if pfn == end:
                return
            order = buddy.dissolve(self._base + (pfn << ENTRY_SHIFT))

    @micropython.native
    def _give_block(self, pfn, order):
        if self.debug:
            bulk.junk(self._zones[0], self._hhdm, self._base, pfn, 1 << order)
        zone = zone_of(pfn)
        address = self._zones[zone]
        if order == 0 and zone == self._top:
            magazine = self._magazine()
            irq = disable_irq()
            done = ownership.push(magazine, self._base, pfn, MAGAZINE_FRAMES)
            enable_irq(irq)
            if done:
                return
            irq = acquire(address, Zone.NAMES[zone])
            bulk.drain_magazine(address, self._base, magazine, _MAGAZINE_BATCH)
            ownership.push(magazine, self._base, pfn, MAGAZINE_FRAMES)
            release(address, irq)
            return
        irq = acquire(address, Zone.NAMES[zone])
        buddy.give(address, self._base, pfn, order)
        release(address, irq)

    @micropython.native
    def drain(self):
        """Give the frames of the calling processor's magazine back to the free lists, where they merge."""
        top = self._top
        if top < 0:
            self._out_of_bounds(0)
        irq = acquire(self._zones[top], Zone.NAMES[top])
        bulk.drain_magazine(self._zones[top], self._base, self._magazine(), 0)
        release(self._zones[top], irq)

    def free_frames(self):
        """Return the frames free in DMA, DMA32 and NORMAL, those in magazines among them.  Takes no lock."""
        counts = [buddy.free_count(zone) for zone in self._zones]
        if self._top >= 0:
            for processor in range(self._processors):
                counts[self._top] += buddy.cached_count(
                    self._magazines + processor * MAGAZINE_SIZE
                )
        return tuple(counts)

    def present_frames(self):
        """Return how many frames have RAM."""
        return sum([zone_at(zone, 0).present for zone in self._zones])

    def _refuse(self, action, pfn, code):
        """Raise the error that a negative `code` of ownership.py stands for."""
        if code > ownership.NOT_USED:
            error = LockHeldError if -code == context() else LockTimeoutError
            raise error(pfn, -code)
        entry = PageFrame.at(self._base + (self._head(pfn) << ENTRY_SHIFT))
        if code == ownership.SHARED:
            raise RefcountError(action, pfn, entry.rc)
        if code == ownership.RC_FULL:
            raise RefcountError(action, pfn, RC_MAX)
        if entry.state >> KIND_SHIFT == ABSENT:
            raise FrameNotPresentError(pfn)
        raise FrameStateError(action, pfn, self.describe(pfn))

    def describe(self, pfn):
        """Return what the frame is at the moment in words, such as `"inside the free block at 512"`."""
        self._entry(pfn)
        kind = buddy.kind(self._base + (pfn << ENTRY_SHIFT))
        if kind == COMPOUND_TAIL:
            return "tail of the compound block at {}".format(self._head(pfn))
        if kind == PART:
            return "part of the run at {}".format(
                PageFrame.at(self._base + (pfn << ENTRY_SHIFT)).prev
            )
        if kind != TAIL:
            return KIND_NAMES[kind]
        head = buddy.holder(self._base, pfn)
        if not head:
            return "in no block"
        kind = buddy.kind(self._base + (head << ENTRY_SHIFT))
        return "inside the {} block at {}".format(KIND_NAMES[kind], head)
