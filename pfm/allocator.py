"""Frames handed out and taken back: zones, magazines and runs on top of the buddy system.

Arguments and results are frame numbers and counts of frames.  Methods marked
native keep their state off the Python heap, so no path of alloc and free touches it.
"""

import micropython
from micropython import const

from . import buddy, bulk, fill, hot, ownership
from .address import PAGE_SHIFT
from .arguments import integer, number
from .errors import (
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

# Found in this module's globals, where a builtin would be looked for in vain first.
_INT = int


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
        self._hot = hot.write(control, frames, _MAGAZINES_OFFSET)
        # Here, so that to change them later takes no memory.
        self._managed = 0
        self._top = -1

    @micropython.native
    def _guards(self):
        """Return how many guards hold a frame's lock."""
        return hot.guards(self._hot)

    @micropython.native
    def _set_top(self, zone):
        self._top = zone
        hot.set_top(self._hot, zone, Zone.BOUNDS[zone])

    def _open(self):
        """Build the zones and their free lists over an array just built."""
        for zone in range(ZONES):
            end = min(Zone.BOUNDS[zone + 1], self._last + 1)
            set_bounds(self._zones[zone], Zone.BOUNDS[zone], end)
        for region in self.regions:
            if region.present:
                self._count_present(region.start, region.end)
        self._adopt([region for region in self.regions if region.usable], False)

    def _recount(self):
        """Take up zones that a manager before this one had opened."""
        for zone in range(ZONES):
            managed = zone_at(self._zones[0], zone).managed
            self._managed += managed
            if managed:
                self._set_top(zone)

    def _count_present(self, start, end):
        """Count the frames `start`..`end`, which have RAM, into their zones."""
        zone = zone_of(start)
        while start < end:
            high = min(Zone.BOUNDS[zone + 1], end)
            add_present(self._zones[zone], high - start)
            start = high
            zone += 1

    @micropython.native
    def _adopt(self, regions, clear):
        """Give the frames of `regions` to the free lists: all of them, or none when a lock does not come.

        With `clear`, their entries, which lie in pages of the array that may be written,
        become the inside of blocks first.
        """
        state = self._lock(0, ZONES - 1)
        if self._top >= 0:
            # The magazines hold frames of the highest zone, which may be another from now on.
            self._drain_locked()
        for region in regions:
            start = region.start
            if clear:
                buddy.clear(self._base, start, region.end)
            zone = zone_of(start)
            while start < region.end:
                high = Zone.BOUNDS[zone + 1]
                if high > region.end:
                    high = region.end
                address = self._zones[zone]
                buddy.seed(address, self._base, start, high)
                add_managed(address, high - start)
                self._managed += high - start
                if zone > self._top:
                    self._set_top(zone)
                start = high
                zone += 1
        self._unlock(0, ZONES - 1, state)

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
        top = self._zone(zone)
        # A call of `number` for what is no plain int in bounds alone.
        if order.__class__ is not _INT or not 0 <= order <= ORDER_MAX:
            order = number("order", order, 0, ORDER_MAX, "0 to 18")
        if tag.__class__ is not _INT or not 0 <= tag <= TAG_MAX:
            tag = number("tag", tag, 0, TAG_MAX, "0 to 2**32 - 1")
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

    @micropython.viper
    def free(self, pfn):
        """Free the block or run whose first frame is `pfn`, however it was allocated.

        Raises FrameStateError for a frame that heads no allocated block (free
        already, a tail, reserved), RefcountError when others hold references,
        LockHeldError, FrameRangeError, FrameNotPresentError.  Takes its argument by
        position.  Cost: a step per order merged.
        """
        self._free(pfn)

    @micropython.native
    def _free(self, pfn):
        pfn = self._pfn(pfn)
        word = ownership.retire(self._base + (pfn << ENTRY_SHIFT), context(), 0)
        if word < 0:
            self._refuse("free", pfn, word)
        self._give_back(pfn, word)

    @micropython.native
    def ref(self, pfn):
        """Add a reference to the block headed (or, compound, containing) `pfn`; return how many it has.

        Raises RefcountError at 65,535, otherwise as `free`.
        """
        pfn = self._pfn(pfn)
        count = ownership.share(self._head_entry(pfn), context())
        if count < 0:
            self._refuse("reference", pfn, count)
        return count

    @micropython.native
    def unref(self, pfn):
        """Drop a reference to the block headed (or, compound, containing) `pfn`; the last one frees it.

        Returns True when it did.  Errors and cost as `free`.
        """
        pfn = self._pfn(pfn)
        entry = self._head_entry(pfn)
        word = ownership.retire(entry, context(), 1)
        if word < 0:
            self._refuse("unreference", pfn, word)
        if word == 0:
            return False
        self._give_back((entry - self._base) >> ENTRY_SHIFT, word)
        return True

    @micropython.native
    def _pfn(self, pfn):
        """Return `pfn` as a plain int in bounds."""
        if pfn.__class__ is not _INT:
            pfn = self._plain_pfn(pfn)
        if not self._first <= pfn <= self._last:
            self._out_of_bounds(pfn)
        return pfn

    def _plain_pfn(self, pfn):
        self._ready()
        return integer("pfn", pfn, "0 to 2**32 - 1")

    @micropython.native
    def _ready(self):
        """Raise NotInitialisedError before init."""
        if self._last < 0:
            self._out_of_bounds(0)

    def _out_of_bounds(self, pfn):
        if self._last < 0:
            raise NotInitialisedError("PFM.init() has not been called")
        raise FrameRangeError(pfn, self._first, self._last)

    @micropython.native
    def _head_entry(self, pfn):
        """Return the address of the entry that speaks for `pfn`: a compound tail's head, else its own."""
        head = buddy.compound_head(self._base + (pfn << ENTRY_SHIFT), pfn)
        return self._base + (head << ENTRY_SHIFT)

    @micropython.native
    def _zone(self, zone):
        """Return the zone to begin at for the argument `zone`; -1 where no zone has ever had a frame."""
        top = self._top
        if top < 0:
            self._ready()
        if zone is None:
            return top
        if zone.__class__ is not _INT or not 0 <= zone < ZONES:
            zone = number("zone", zone, 0, ZONES - 1, "Zone.DMA, DMA32 or NORMAL")
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
        self._drain()
        pfn = self._take(top, order)
        if not pfn:
            self._run_out(top, order, 1 << order)
        return pfn

    def _run_out(self, top, order, count):
        # Where there has never been a frame, every zone has been looked at.
        raise OutOfFramesError(top if top >= 0 else ZONES - 1, order, count, self.free_frames())

    @micropython.native
    def _hand_out(self, pfn, word, count, frames, zero, tag):
        """Write the head of a block or run taken off the lists, with what `alloc` was asked for."""
        phys = 0
        if self.debug:
            phys = bulk.spoiled(self._hhdm, self._base, pfn, frames)
        buddy.use(self._base, pfn, word, count, tag)
        if phys:
            value = bulk.word_at(self._hhdm + phys)
            # No lock is asked for: a guard may hold it, and the block is nobody's yet.
            self._give_back(pfn, ownership.forget(self._base + (pfn << ENTRY_SHIFT)))
            raise FrameCorruptError(phys >> PAGE_SHIFT, phys, value)
        if zero:
            fill.words(self._hhdm + (pfn << PAGE_SHIFT), frames * _PAGE_WORDS, 0)

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
        """Give the frames of the calling processor's magazine back to the free lists, where they merge.

        Raises LockHeldError, LockTimeoutError, NotInitialisedError.  Cost: a step per frame and order merged.
        """
        self._ready()
        self._drain()

    @micropython.native
    def _drain(self):
        if self._top >= 0:
            irq = acquire(self._zones[self._top], Zone.NAMES[self._top])
            self._drain_locked()
            release(self._zones[self._top], irq)

    @micropython.native
    def _drain_locked(self):
        """Empty the magazine into the highest zone, whose lock is held."""
        bulk.drain_magazine(self._zones[self._top], self._base, self._magazine(), 0)

    @micropython.native
    def _lock(self, first, last):
        """Lock the zones `first`..`last`, from the lowest up, and return the state for `_unlock`."""
        before = acquire(self._zones[first], Zone.NAMES[first])
        zone = first
        try:
            while zone < last:
                acquire(self._zones[zone + 1], Zone.NAMES[zone + 1])
                zone += 1
        except BaseException as error:
            self._unlock(first, zone, before)
            raise error
        return before

    @micropython.native
    def _unlock(self, first, last, before):
        """Undo `_lock`, from the highest zone down; `before` is of the lowest."""
        while last > first:
            release(self._zones[last], 0)
            last -= 1
        release(self._zones[first], before)

    def free_frames(self):
        """Return the frames free in DMA, DMA32 and NORMAL, those in magazines among them.

        Takes no lock.  Raises NotInitialisedError.
        """
        self._ready()
        counts = [buddy.free_count(zone) for zone in self._zones]
        if self._top >= 0:
            for processor in range(self._processors):
                counts[self._top] += buddy.cached_count(
                    self._magazines + processor * MAGAZINE_SIZE
                )
        return tuple(counts)

    def present_frames(self):
        """Return how many frames have RAM.  Raises NotInitialisedError."""
        self._ready()
        return sum([zone_at(zone, 0).present for zone in self._zones])

    def _refuse(self, action, pfn, code):
        """Raise the error that a negative `code` of ownership.py stands for."""
        if code > ownership.NOT_USED:
            error = LockHeldError if -code == context() else LockTimeoutError
            raise error(pfn, -code)
        entry = PageFrame.at(self._head_entry(pfn))
        if code == ownership.SHARED:
            raise RefcountError(action, pfn, entry.rc)
        if code == ownership.RC_FULL:
            raise RefcountError(action, pfn, RC_MAX)
        if entry.state >> KIND_SHIFT == ABSENT:
            raise FrameNotPresentError(pfn)
        raise FrameStateError(action, pfn, self.describe(pfn))

    def describe(self, pfn):
        """Return what the frame is at the moment in words, such as `"inside the free block at 512"`.

        Takes no lock.  Raises FrameRangeError, NotInitialisedError.
        """
        pfn = self._pfn(pfn)
        kind = buddy.kind(self._base + (pfn << ENTRY_SHIFT))
        if kind == COMPOUND_TAIL:
            head = buddy.compound_head(self._base + (pfn << ENTRY_SHIFT), pfn)
            return "tail of the compound block at {}".format(head)
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
