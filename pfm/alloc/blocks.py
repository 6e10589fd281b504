"""Blocks of 2**order frames: `alloc`, `free`, `ref`, `unref`, `count_refs` and `drain`.

The methods here are the slow path: they document each call, do all checks and handle every
case.  `alloc` and `free` have a fast path too (fastpath/), which is tried first and calls
the method here for anything but the common case:

    alloc   no argument but `order`, served by the magazine (order 0) or the highest zone
    free    a used block with one reference, unlocked, neither a run nor compound

It may skip the conversion of arguments, since it takes small integers only; the zone's lock,
since a magazine belongs to one processor; and lower zones and draining, since the slow path
does those when the first attempt fails.  In debug mode, and with `fast_path = False`, the
methods here alone run.  docs/tour.md follows both paths.

Native code with its state off the Python heap: `alloc` and `free` allocate nothing from it.
"""

import micropython
from micropython import const

from .. import fill
from ..address import PAGE_SHIFT
from ..arguments import number
from ..control import MAGAZINE_SIZE, ZONES
from ..errors import (
    FrameCorruptError,
    FrameNotPresentError,
    FrameStateError,
    OutOfFramesError,
    RefcountError,
)
from ..frame.entry import (
    ABSENT,
    COMPOUND_TAIL,
    ENTRY_SHIFT,
    ENTRY_SIZE,
    KIND_NAMES,
    ORDER_MASK,
    ORDER_SHIFT,
    PART,
    RC_MAX,
    SMALL_WORD,
    STATE_KIND_SHIFT,
    STATE_SHIFT,
    TAG_MAX,
    TAIL,
    USED_WORD,
    PageFrame,
)
from ..frame.flags import PageFlags
from ..lock import acquire, context, disable_irq, enable_irq, refuse, release, resume, stop
from ..tags import tag_number
from . import buddy, heads, magazine, poison, references, sites
from .compound import clear_tails, mark_tails
from .compound import head as compound_head
from .zone import ORDER_MAX, Zone, zone_number, zone_of
from .zones import lock_zones, unlock_zones

# alloc/magazine.py
_MAGAZINE_FRAMES = const(64)
_MAGAZINE_BATCH = const(32)

_PAGE_WORDS = const(1024)

# A global of this module is found faster than a builtin.
_INT = int


class Blocks:
    """The part of `PageFrameManager` that allocates, frees and references blocks."""

    @micropython.native
    def alloc(self, order=0, zone=None, zero=False, tag=0, compound=False):
        """Allocate 2**order frames, aligned to their size, and return the number of the first.

        `zone` is the highest zone allowed (default: the highest there is); lower zones are
        tried down to their watermarks.  `zero` clears the frames, `tag` (tags.py) is kept to
        say who allocated, `compound` lets `ref` and `unref` take any frame of the block.  The
        block has one reference, and the flag SMALL (order 0) or, if compound, COMPOUND.  Has a
        fast path.  Raises OutOfFramesError, ArgumentError, TypeError, FrameCorruptError
        (debug).  Cost: a few instructions for order 0 in the highest zone, otherwise a step per
        order split.
        """
        top = self._zone(zone)
        # `number` is called only for what is not a plain int in range.
        if order.__class__ is not _INT or not 0 <= order <= ORDER_MAX:
            order = number("order", order, 0, ORDER_MAX, "0 to 18")
        if tag.__class__ is not _INT or not 0 <= tag <= TAG_MAX:
            tag = tag_number(tag)
        pfn = 0
        if order == 0 and top == self._top:
            pfn = self._pop()
        if not pfn:
            pfn = self._take(top, order)
        if not pfn:
            pfn = self._alloc_slow(top, order)
        word = USED_WORD | order << ORDER_SHIFT | order << STATE_SHIFT
        if order == 0:
            word |= SMALL_WORD
        elif compound:
            word |= PageFlags.COMPOUND
            mark_tails(self._zones[0], self._base, pfn, 1 << order)
        self._hand_out(pfn, word, 0, 1 << order, zero, tag)
        return pfn

    @micropython.viper
    def free(self, pfn):
        """Free the block or run whose first frame is `pfn`, however it was allocated.

        Positional argument only; has a fast path.  Raises FrameStateError if `pfn` is not the
        first frame of an allocated block or run (already free, a tail, reserved),
        RefcountError if others hold references, LockHeldError, FrameRangeError,
        FrameNotPresentError, TypeError.  Cost: a step per order merged.
        """
        self._free(pfn)

    @micropython.native
    def _free(self, pfn):
        pfn = self._pfn(pfn)
        word = references.drop_ref(self._base + (pfn << ENTRY_SHIFT), context(), 0)
        if word < 0:
            self._refuse("free", pfn, word)
        self._give_back(pfn, word)

    @micropython.native
    def ref(self, pfn):
        """Add a reference to the block with the head `pfn`, or any frame if compound.

        Returns the new count.  Raises RefcountError at 65,535, otherwise as `free`.
        """
        pfn = self._pfn(pfn)
        count = references.add_ref(self._head_entry(pfn), context())
        if count < 0:
            self._refuse("reference", pfn, count)
        return count

    @micropython.native
    def unref(self, pfn):
        """Drop a reference to the block with the head `pfn`, or any frame if compound.

        Dropping the last reference frees the block.  Returns the number of references left.
        Errors and cost as `free`.
        """
        pfn = self._pfn(pfn)
        entry = self._head_entry(pfn)
        word = references.drop_ref(entry, context(), 1)
        if word < 0:
            self._refuse("unreference", pfn, word)
        if word <= RC_MAX:
            return word
        self._give_back((entry - self._base) >> ENTRY_SHIFT, word)
        return 0

    @micropython.native
    def count_refs(self, pfn):
        """Return how many references the block or run has that the frame `pfn` is of, 0 if none.

        That of a slab, in use by objects, is 2 and one more for each.  Takes no lock.  Raises
        FrameRangeError, TypeError, NotInitialisedError.  Cost: a step per order.
        """
        head = references.used_head(self._base, self._pfn(pfn))
        return references.count_refs(self._base + (head << ENTRY_SHIFT)) if head else 0

    @micropython.native
    def drain(self):
        """Drain all processors' magazines to the free lists, where their frames merge.

        Before, its stocks of objects go back to their slabs, and empty slabs to it.  Raises
        LockHeldError, LockTimeoutError, NotInitialisedError.  Cost: a step per object, frame
        and order merged; other processors that run Python stop meanwhile.
        """
        self._ready()
        self._trim()
        self._drain()

    @micropython.native
    def _zone(self, zone):
        """Return the zone to start at for the argument `zone`, -1 if no zone ever had a frame."""
        top = self._top
        if top < 0:
            self._ready()
        if zone is None:
            return top
        if zone.__class__ is not _INT or not 0 <= zone < ZONES:
            zone = zone_number(zone)
        return zone if zone < top else top

    @micropython.native
    def _head_entry(self, pfn):
        """Return the address of the entry that describes `pfn`: its own, or a compound head's."""
        head = compound_head(self._base + (pfn << ENTRY_SHIFT), pfn)
        return self._base + (head << ENTRY_SHIFT)

    @micropython.native
    def _pop(self):
        """Return a frame from the processor's magazine, which is refilled if empty; 0 for none."""
        own = self._magazine()
        irq = disable_irq()
        pfn = magazine.pop(own)
        enable_irq(irq)
        if pfn:
            return pfn
        zone = self._zones[self._top]
        irq = acquire(zone, Zone.NAMES[self._top])
        magazine.fill(zone, self._base, own, _MAGAZINE_BATCH)
        pfn = magazine.pop(own)
        release(zone, irq)
        return pfn

    @micropython.native
    def _take(self, top, order):
        """Take a block from `top`, or from lower zones above their watermarks; 0 for none."""
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
    def _alloc_slow(self, top, order):
        """Give back what is kept at hand, so that it merges, and retry.  Raises OutOfFramesError."""
        self._trim()
        self._drain()
        pfn = self._take(top, order)
        if not pfn:
            self._run_out(top, order, 1 << order)
        return pfn

    def _run_out(self, top, order, count):
        # If no zone ever had a frame, all of them were tried.
        raise OutOfFramesError(top if top >= 0 else ZONES - 1, order, count, self.count_free())

    @micropython.native
    def _hand_out(self, pfn, word, count, frames, zero, tag):
        """Write the head of a block or run just taken; check its poison, clear its frames."""
        phys = 0
        if self.debug:
            phys = poison.spoiled(self._hhdm, self._base, pfn, frames)
            if self._sites:
                sites.note(self._sites, pfn, sites.call_site())
        heads.write(self._base, pfn, word, count, tag)
        if phys:
            value = poison.word_at(self._hhdm + phys)
            # No lock is taken: a guard may hold it, and no caller has the block yet.
            self._give_back(pfn, heads.forget(self._base + (pfn << ENTRY_SHIFT)))
            raise FrameCorruptError(phys >> PAGE_SHIFT, phys, value)
        if zero:
            fill.words(self._hhdm + (pfn << PAGE_SHIFT), frames * _PAGE_WORDS, 0)

    @micropython.native
    def _give_back(self, pfn, word):
        """Free the block or run of a head without references; `word` was its first word.

        If a lock does not come, the head is again as it was before its last reference was
        dropped.  In debug mode its frames are poisoned all the same.
        """
        entry = self._base + (pfn << ENTRY_SHIFT)
        order = word >> STATE_SHIFT & ORDER_MASK
        count = heads.run_length(entry)
        if self.debug:
            frames = count if count else 1 << order
            poison.poison(self._zones[0], self._hhdm, self._base, pfn, frames)
        zone = zone_of(pfn)
        try:
            if count:
                self._give_run(pfn, order, pfn + count)
            elif order == 0 and zone == self._top:
                self._give_frame(pfn)
            else:
                address = self._zones[zone]
                irq = acquire(address, Zone.NAMES[zone])
                references.clear_refs(entry)
                if order and heads.kind(entry + ENTRY_SIZE) == COMPOUND_TAIL:
                    clear_tails(self._base, pfn, 1 << order)
                buddy.give(address, self._base, pfn, order)
                release(address, irq)
        except BaseException as error:
            references.keep_ref(entry, word)
            raise error

    @micropython.native
    def _give_frame(self, pfn):
        """Free a frame of the highest zone: into the magazine, which is drained if full."""
        own = self._magazine()
        irq = disable_irq()
        done = magazine.push(own, self._base, pfn, _MAGAZINE_FRAMES)
        enable_irq(irq)
        if done:
            return
        address = self._zones[self._top]
        irq = acquire(address, Zone.NAMES[self._top])
        magazine.drain(address, self._base, own, _MAGAZINE_BATCH)
        magazine.push(own, self._base, pfn, _MAGAZINE_FRAMES)
        release(address, irq)

    @micropython.native
    def _give_run(self, pfn, order, end):
        """Free the blocks of the run `pfn`..`end`, of which the first has that order."""
        first = zone_of(pfn)
        last = zone_of(end - 1)
        irq = lock_zones(self._zones, first, last)
        references.clear_refs(self._base + (pfn << ENTRY_SHIFT))
        while True:
            buddy.give(self._zones[zone_of(pfn)], self._base, pfn, order)
            pfn += 1 << order
            if pfn == end:
                break
            order = heads.forget_part(self._base + (pfn << ENTRY_SHIFT))
        unlock_zones(self._zones, first, last, irq)

    @micropython.native
    def _magazine(self):
        return self._magazines + (context() - 1) * MAGAZINE_SIZE

    @micropython.native
    def _drain(self):
        if self._top >= 0:
            irq = acquire(self._zones[self._top], Zone.NAMES[self._top])
            self._drain_locked()
            release(self._zones[self._top], irq)

    @micropython.native
    def _drain_locked(self):
        """Drain all magazines into the highest zone, whose lock is held."""
        # The lock keeps out who fills or drains its own magazine, the stop who pushes or pops.
        stop()
        own = self._magazines
        end = own + self._processors * MAGAZINE_SIZE
        while own < end:
            magazine.drain(self._zones[self._top], self._base, own, 0)
            own += MAGAZINE_SIZE
        resume()

    def _refuse(self, action, pfn, code):
        """Raise the error for a negative `code` of references.py."""
        if code > references.NOT_USED:
            refuse(pfn, -code)
        entry = PageFrame.at(self._head_entry(pfn))
        if code == references.SHARED:
            raise RefcountError(action, pfn, entry.rc)
        if code == references.RC_FULL:
            raise RefcountError(action, pfn, RC_MAX)
        if code == references.IN_SLAB:
            raise FrameStateError(action, pfn, "slab of " + self._name(entry.size_class))
        if entry.state >> STATE_KIND_SHIFT == ABSENT:
            raise FrameNotPresentError(pfn)
        raise FrameStateError(action, pfn, self.describe(pfn))

    def describe(self, pfn):
        """Return the frame's state in words, such as `"inside the free block at 512"`.

        Takes no lock.  Raises FrameRangeError, TypeError, NotInitialisedError.
        """
        pfn = self._pfn(pfn)
        kind = heads.kind(self._base + (pfn << ENTRY_SHIFT))
        if kind == COMPOUND_TAIL:
            head = compound_head(self._base + (pfn << ENTRY_SHIFT), pfn)
            return "tail of the compound block at {}".format(head)
        if kind == PART:
            return "part of the run at {}".format(
                PageFrame.at(self._base + (pfn << ENTRY_SHIFT)).prev
            )
        if kind != TAIL:
            return KIND_NAMES[kind]
        head = buddy.head_of(self._base, pfn)
        if not head:
            return "in no block"
        kind = heads.kind(self._base + (head << ENTRY_SHIFT))
        return "inside the {} block at {}".format(KIND_NAMES[kind], head)
