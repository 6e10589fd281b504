"""Frames by kind and flags, like Linux's page-types, and ranges of frames by flags."""

from array import array
from collections import namedtuple

from ..address import PAGE_SHIFT
from ..frame.entry import ABSENT, CACHED, FREE, KIND_NAMES
from ..frame.flags import PageFlags, decode_flags
from ..units import human_size, phys_text
from .loops import (
    CURSOR_AT,
    CURSOR_BLOCK_END,
    CURSOR_BLOCK_KIND,
    CURSOR_END,
    CURSOR_FILLED,
    CURSOR_WORDS,
    TALLY_KIND_SHIFT,
    TALLY_SLOTS,
    first_with,
    first_without,
    inside_of,
    tally,
)
from .report import Report, spans

# `count` frames have exactly `flags`, and `kind` is their own or their block's.
PageType = namedtuple("PageType", ("kind", "flags", "count"))

_PFN_BITS = 32
_PFN_MASK = 0xFFFF_FFFF
_WORD_SIZE = 4
_FLAGS_MASK = 0xFFFF

# A printed list shows at most this many ranges.
_RANGES_SHOWN = 20


def _tally(manager):
    """Return {kind << 16 | flags: frames} of the frames with RAM."""
    found = {}
    table = array("I", bytes(TALLY_SLOTS * 2 * _WORD_SIZE))
    cursor = array("I", bytes(CURSOR_WORDS * _WORD_SIZE))
    base = manager.array.address
    for start, end in spans(manager.regions):
        block = inside_of(base, start)
        cursor[CURSOR_AT] = start
        cursor[CURSOR_END] = end
        cursor[CURSOR_BLOCK_END] = block & _PFN_MASK
        cursor[CURSOR_BLOCK_KIND] = block >> _PFN_BITS
        while not tally(base, cursor, table):
            _empty(table, found)
            cursor[CURSOR_FILLED] = 0
    _empty(table, found)
    return found


def _empty(table, found):
    """Move the counts of a tally's table to the dictionary `found`."""
    for slot in range(0, TALLY_SLOTS * 2, 2):
        if table[slot]:
            key = table[slot] - 1
            found[key] = found.get(key, 0) + table[slot + 1]
            table[slot] = table[slot + 1] = 0


class PageTypes(Report):
    """How many frames there are of each kind with each combination of flags.

    `types` has a `PageType` for each combination, the most frequent first; `kinds` has the
    frames of each kind by its name; `total` is the number of frames with RAM.
    """

    def __init__(self, manager):
        super().__init__()
        found = _tally(manager)
        self.types = [
            PageType(key >> TALLY_KIND_SHIFT, key & _FLAGS_MASK, count)
            for key, count in found.items()
        ]
        self.types.sort(key=lambda row: (-row.count, row.kind, row.flags))
        kinds = [0] * len(KIND_NAMES)
        for row in self.types:
            kinds[row.kind] += row.count
        self.kinds = {KIND_NAMES[kind]: count for kind, count in enumerate(kinds) if count}
        self.total = sum(kinds) - kinds[ABSENT]
        meminfo = manager.meminfo()
        self.differences.extend(meminfo.differences)
        self.compare("present", self.total, meminfo.total.present)
        self.compare("free", kinds[FREE] + kinds[CACHED], sum(manager.count_free()))

    def lines(self):
        """Yield the lines of the printed table."""
        yield "{:<6} {:>11} {:>10}  {:<13} {}".format("Flags", "Frames", "Size", "Kind", "Names")
        for row in self.types:
            yield "0x{:04x} {:>11} {:>10}  {:<13} {}".format(
                row.flags,
                row.count,
                human_size(row.count << PAGE_SHIFT),
                KIND_NAMES[row.kind],
                decode_flags(row.flags),
            )
        yield "Frames with RAM: {} ({})".format(self.total, self.verdict())


class FlagRanges(Report):
    """The ranges of frames with all bits of `flags`: iterate for (first frame, count), in order.

    Computed while iterating.  A frame is in a range exactly if `check_flags` says so: those of
    holes are RESERVED.
    """

    def __init__(self, manager, flags):
        super().__init__()
        self._manager = manager
        self.flags = flags

    def _segments(self):
        """Yield (start, end, whether there is RAM) for all frames in bounds."""
        at = self._manager.min()
        for start, end in spans(self._manager.regions):
            if start > at:
                yield at, start, False
            yield start, end, True
            at = end

    def __iter__(self):
        base = self._manager.array.address
        flags = self.flags
        holes = not flags & ~PageFlags.RESERVED
        begin = -1
        for at, end, ram in self._segments():
            while at < end:
                if begin < 0:
                    at = first_with(base, at, end, flags) if ram else at if holes else end
                    if at < end:
                        begin = at
                else:
                    at = first_without(base, at, end, flags) if ram else end if holes else at
                    if at < end:
                        yield begin, at - begin
                        begin = -1
        if begin >= 0:
            yield begin, end - begin

    def lines(self):
        """Yield the lines of the printed table: the first ranges, and the sum of all."""
        yield "Ranges of {}".format(decode_flags(self.flags))
        yield "{:<14} {:<14} {:>10} {:>12} {:>12}".format("From", "To", "Size", "First", "Frames")
        ranges = 0
        frames = 0
        for first, count in self:
            if ranges < _RANGES_SHOWN:
                yield "{} {} {:>10} {:>12} {:>12}".format(
                    phys_text(first << PAGE_SHIFT),
                    phys_text((first + count) << PAGE_SHIFT),
                    human_size(count << PAGE_SHIFT),
                    first,
                    count,
                )
            ranges += 1
            frames += count
        if ranges > _RANGES_SHOWN:
            yield "and {} more".format(ranges - _RANGES_SHOWN)
        self.differences = []
        self.compare("frames", frames, self._recount())
        yield "{} ranges, {} frames ({})".format(ranges, frames, self.verdict())

    def _recount(self):
        """Count the same frames independently, by a tally of the flags."""
        flags = self.flags
        found = _tally(self._manager)
        frames = sum([count for key, count in found.items() if key & flags == flags])
        if not flags & ~PageFlags.RESERVED:
            frames += sum([end - start for start, end, ram in self._segments() if not ram])
        return frames
