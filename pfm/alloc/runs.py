"""Runs: contiguous frames of any number, allocated as one and freed by the first.

A run consists of blocks.  The head of the first block heads the run and counts its frames in
`next`; the head of each further block, a part, names the run's head in `prev`.
"""

import micropython
from micropython import const

from ..address import PFN_LIMIT
from ..arguments import frame_count, integer, number
from ..array.populate import populate_range
from ..errors import ArgumentError, FrameNotPresentError, FrameStateError
from ..frame.entry import (
    ABSENT,
    ENTRY_SHIFT,
    ORDER_SHIFT,
    SMALL_WORD,
    STATE_SHIFT,
    USED_WORD,
)
from ..lock import acquire, release
from ..tags import tag_number
from . import buddy, heads
from .buddy import head_of
from .zone import Zone, zone_of
from .zones import lock_zones, unlock_zones

# frame/entry.py
_ENTRY_SHIFT = const(5)
_FREE = const(1)
_PART = const(3)
_STATE_KIND_SHIFT = const(5)
_ORDER_MASK = const(31)
_ORDER_SHIFT = const(16)
_STATE_SHIFT = const(24)
_WORD_NEXT = const(1)
_WORD_PREV = const(2)
_WORD_RC = const(3)
_WORD_LIST_LOW = const(4)
_WORD_LIST_HIGH = const(5)

# alloc/zone.py
_ORDER_MAX = const(18)
_ZONE_LISTS = const(8)

# Frozen, a number of more than 30 bits is an object; adding to it in the call would make another.
_ALIGN_MAX = PFN_LIMIT + 1


class Runs:
    """The part of `PageFrameManager` that allocates contiguous frames."""

    @micropython.native
    def alloc_contiguous(self, count, align=1, zone=None, below=None, zero=False, tag=0):
        """Allocate `count` contiguous frames from a multiple of `align` on; return the first.

        `align` is a power of two, in frames; `zone` is the highest zone allowed; all frames
        are below the frame `below`; `zero` and `tag` are as in `alloc`.  Free the run by its
        first frame.  Raises ArgumentError, TypeError, OutOfFramesError, FrameCorruptError
        (debug).  Cost: a step per free block of sufficient order; if none fits, a step per
        block.
        """
        top = self._zone(zone)
        count = number("count", count, 1, self._managed or 1, "1 to the number of usable frames")
        align = number("align", align, 1, _ALIGN_MAX, "a power of two")
        if align & (align - 1):
            raise ArgumentError("align", align, "a power of two")
        end = self._last + 1
        if below is not None:
            below = integer("below", below, "a frame number")
            if below < 0:
                raise ArgumentError("below", below, "a frame number")
            end = min(below, end)
        tag = tag_number(tag)
        pfn = self._take_run(top, count, align, end)
        if not pfn:
            self._trim()
            self._drain()
            pfn = self._take_run(top, count, align, end)
        if not pfn:
            self._run_out(top, order_for(count), count)
        self._hand_out_run(pfn, count, zero, tag)
        return pfn

    @micropython.native
    def alloc_at(self, pfn, count=1, zero=False, tag=0):
        """Allocate exactly the `count` frames from `pfn` on, and return `pfn`.

        Raises FrameStateError for the first frame that is not free, FrameNotPresentError,
        FrameRangeError, ArgumentError, TypeError.  Cost: a step per free block involved, and
        per order of it.
        """
        pfn = self._pfn(pfn)
        count = frame_count(count)
        tag = tag_number(tag)
        self._pfn(pfn + count - 1)
        first = zone_of(pfn)
        last = zone_of(pfn + count - 1)
        state = lock_zones(self._zones, first, last)
        if first <= self._top <= last:
            self._drain_locked()
        taken = first_taken(self._base, pfn, pfn + count)
        free = taken == pfn + count
        if free:
            self._take_run_at(pfn, count)
        unlock_zones(self._zones, first, last, state)
        if not free:
            self._not_free(taken)
        self._hand_out_run(pfn, count, zero, tag)
        return pfn

    def _not_free(self, pfn):
        if heads.kind(self._base + (pfn << ENTRY_SHIFT)) == ABSENT:
            raise FrameNotPresentError(pfn)
        raise FrameStateError("allocate", pfn, self.describe(pfn))

    @micropython.native
    def _take_run(self, top, count, align, below):
        """Take `count` contiguous frames off the lists of one zone; return the first or 0."""
        order = order_for(count if count > align else align)
        zone = top
        while zone >= 0:
            address = self._zones[zone]
            irq = acquire(address, Zone.NAMES[zone])
            pfn = 0
            if zone == top or buddy.spare(address) >= count:
                pfn = find_block(address, self._base, order, count, below)
                if not pfn:
                    pfn = self._find_across(zone, count, align, below)
                if pfn:
                    self._take_run_at(pfn, count)
            release(address, irq)
            if pfn:
                return pfn
            zone -= 1
        return 0

    @micropython.native
    def _find_across(self, zone, count, align, below):
        """Return the first of `count` contiguous free frames across several blocks, 0 if none."""
        for region in self.regions:
            if region.usable:
                start = max(region.start, Zone.BOUNDS[zone])
                end = min(region.end, Zone.BOUNDS[zone + 1], below)
                if end - start >= count:
                    pfn = find_run(self._base, start, end, count, align)
                    if pfn:
                        return pfn
        return 0

    @micropython.native
    def _take_run_at(self, pfn, count):
        """Take exactly these frames, all of them free, off the lists, as a run."""
        at = pfn
        end = pfn + count
        while at < end:
            order = buddy.largest_order(at, end)
            buddy.take_at(self._zones[zone_of(at)], self._base, at, order)
            mark_part(self._zones[0], self._base, at, order, pfn)
            at += 1 << order

    @micropython.native
    def _hand_out_run(self, pfn, count, zero, tag):
        order = buddy.largest_order(pfn, pfn + count)
        word = USED_WORD | order << ORDER_SHIFT | order << STATE_SHIFT
        if count == 1:
            word |= SMALL_WORD
        self._hand_out(pfn, word, 0 if count == 1 << order else count, count, zero, tag)


@micropython.viper
def find_block(zone: int, base: int, order: int, count: int, below: int) -> int:
    """Return a free block of at least `order` whose first `count` frames end at or below `below`.

    Returns 0 if there is none; lower orders are preferred.  Cost: a step per block on the
    lists looked at.
    """
    z = ptr32(zone)
    while order <= _ORDER_MAX:
        pfn = int(z[_ZONE_LISTS + (order << 1)])
        while pfn:
            if pfn + count <= below:
                return pfn
            pfn = int(ptr32(base + (pfn << _ENTRY_SHIFT))[_WORD_NEXT])
        order += 1
    return 0


@micropython.viper
def find_run(base: int, start: int, end: int, count: int, align: int) -> int:
    """Return the first of `count` contiguous free frames in `start`..`end`, a multiple of `align`.

    Returns 0 if there is none.  `start`..`end` is a region of RAM that blocks tile.  Cost: a
    step per block.
    """
    at = start
    begin = 0
    while at < end:
        state = int(ptr32(base + (at << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT
        size = 1 << (state & _ORDER_MASK)
        if (state >> _STATE_KIND_SHIFT) == _FREE:
            if begin == 0:
                begin = (at + align - 1) & (0 - align)
            if begin + count > end:
                return 0
            if at + size >= begin + count:
                return begin
        else:
            begin = 0
        at += size
    return 0


@micropython.viper
def order_for(count: int) -> int:
    """Return the order of the smallest block that holds `count` frames."""
    order = 0
    while (1 << order) < count:
        order += 1
    return order


@micropython.viper
def first_taken(base: int, start: int, end: int) -> int:
    """Return the first frame of `start`..`end` that is not free, `end` if all are.

    Cost: a step per block.
    """
    while start < end:
        head = int(head_of(base, start))
        if head == 0:
            return start
        state = int(ptr32(base + (head << _ENTRY_SHIFT))[0]) >> _STATE_SHIFT
        if (state >> _STATE_KIND_SHIFT) != _FREE:
            return start
        start = head + (1 << (state & _ORDER_MASK))
    return end


@micropython.viper
def mark_part(control: int, base: int, pfn: int, order: int, head: int):
    """Write the head of a further block, a part, of the run that begins at `head`."""
    populate_range(control, base, pfn, pfn + 1)
    e = ptr32(base + (pfn << _ENTRY_SHIFT))
    e[0] = (_PART << _STATE_KIND_SHIFT | order) << _STATE_SHIFT | order << _ORDER_SHIFT
    e[_WORD_NEXT] = 0
    e[_WORD_PREV] = head
    e[_WORD_RC] = 0
    e[_WORD_LIST_LOW] = 0
    e[_WORD_LIST_HIGH] = 0
