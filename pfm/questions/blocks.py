"""Which blocks there are, by kind, zone and tag."""

from collections import namedtuple

from ..address import PAGE_SHIFT, PFN_LIMIT
from ..alloc.zone import Zone, zone_number, zone_of
from ..errors import ArgumentError
from ..frame.entry import CACHED, FREE, KIND_NAMES, RESERVED, USED
from ..report.report import Report
from ..tags import tag_number, tag_text
from ..units import human_size, phys_text
from .cursor import cursors, words
from .loops import (
    BATCH,
    FOUND_FRAMES,
    FOUND_KIND_RC,
    FOUND_KIND_SHIFT,
    FOUND_PFN,
    FOUND_TAG,
    FOUND_WORDS,
    total,
    walk,
)

# `frames` from `pfn` on, which `kind` names; `zone` is that of the first.  An allocation has
# `rc` references and a `tag`, a number; for others both are 0.
Block = namedtuple("Block", ("pfn", "frames", "kind", "zone", "rc", "tag"))

_KINDS = (FREE, USED, CACHED, RESERVED)
_NAMES = tuple([KIND_NAMES[kind] for kind in _KINDS])

_RC_MASK = (1 << FOUND_KIND_SHIFT) - 1

# A printed list shows at most this many blocks.
SHOWN = 20


def _kinds(kind):
    """Return a bit for each kind that the argument `kind`, a name or None, means."""
    if kind is None:
        return sum([1 << wanted for wanted in _KINDS])
    if not isinstance(kind, str):
        raise TypeError("kind: {}, not {}".format(_allowed(), type(kind).__name__))
    if kind not in _NAMES:
        raise ArgumentError("kind", repr(kind), _allowed())
    return 1 << _KINDS[_NAMES.index(kind)]


def _allowed():
    return "one of " + ", ".join([repr(name) for name in _NAMES])


class BlockList(Report):
    """The blocks of a kind, in a zone, with a tag: iterate for each as a `Block`, in order.

    Computed while iterating.  The memory may change meanwhile: each block is as it was when it
    was passed, so a loop may free the blocks that it gets.  An allocated run is one `Block`,
    and so are reserved frames in a row; free blocks are those of the free lists.
    """

    def __init__(self, manager, kind, zone, tag):
        super().__init__()
        self._manager = manager
        self._kinds = _kinds(kind)
        self._tag = None if tag is None else tag_number(tag)
        self._low, self._high = 0, PFN_LIMIT
        if zone is not None:
            zone = zone_number(zone)
            self._low, self._high = Zone.BOUNDS[zone], Zone.BOUNDS[zone + 1]

    def _cursors(self):
        return cursors(self._manager, self._kinds, self._tag, self._low, self._high)

    def sums(self):
        """Return the numbers of the blocks and of their frames.  Cost: a step per block."""
        base = self._manager.array.address
        found = words(BATCH * FOUND_WORDS)
        blocks = frames = 0
        for cursor in self._cursors():
            count = walk(base, cursor, found, BATCH)
            while count:
                blocks += count
                frames += total(found, count)
                count = walk(base, cursor, found, BATCH)
        return blocks, frames

    def __iter__(self):
        base = self._manager.array.address
        # One at a time, since the caller may change what comes next.
        found = words(FOUND_WORDS)
        for cursor in self._cursors():
            while walk(base, cursor, found, 1):
                pfn = found[FOUND_PFN]
                state = found[FOUND_KIND_RC]
                yield Block(
                    pfn,
                    found[FOUND_FRAMES],
                    KIND_NAMES[state >> FOUND_KIND_SHIFT],
                    zone_of(pfn),
                    state & _RC_MASK,
                    found[FOUND_TAG],
                )

    def lines(self):
        """Yield the lines of the printed table: the first blocks, and the sum of all."""
        yield "{:<14} {:>10} {:>10}  {:<8} {:<6} {:>5} Tag".format(
            "From", "Frames", "Size", "Kind", "Zone", "Refs"
        )
        shown = 0
        for block in self:
            if shown == SHOWN:
                break
            shown += 1
            yield "{} {:>10} {:>10}  {:<8} {:<6} {:>5} {}".format(
                phys_text(block.pfn << PAGE_SHIFT),
                block.frames,
                human_size(block.frames << PAGE_SHIFT),
                block.kind,
                Zone.NAMES[block.zone],
                block.rc or "-",
                tag_text(block.tag),
            )
        blocks, frames = self.sums()
        if blocks > shown:
            yield "and {} more".format(blocks - shown)
        yield "{} blocks, {} frames, {}".format(blocks, frames, human_size(frames << PAGE_SHIFT))
