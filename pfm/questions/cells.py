"""Who has which part of memory, for a picture: memory in cells, in lines of equal length."""

import micropython
from micropython import const

from ..alloc.buddy import head_of
from ..memmap import protocol
from ..memmap.regions import FRAME_ARRAY
from ..report.chart import height, stretches
from ..report.report import spans
from ..tags import tag_text
from .cursor import words
from .owners import tallied

# Owners of a cell.  Those from TAGGED on are a tag each.
NO_RAM = const(0)
OWNER_FREE = const(1)
UNTAGGED = const(2)
ARRAY = const(3)
KERNEL = const(4)
LOADER = const(5)
FIRMWARE = const(6)
OWNER_RESERVED = const(7)
TAGGED = const(8)
OWNERS = const(16)
TAGS = const(OWNERS - TAGGED)

_NAMES = ("", "free", "used", "array", "kernel", "loader", "ACPI", "reserved")

# Owners of the RAM that the manager does not hand out.
_OWNERS_BY_TYPE = {
    FRAME_ARRAY: ARRAY,
    protocol.EXECUTABLE_AND_MODULES: KERNEL,
    protocol.BOOTLOADER_RECLAIMABLE: LOADER,
    protocol.ACPI_RECLAIMABLE: FIRMWARE,
    protocol.ACPI_NVS: FIRMWARE,
}

# What a cell shows, in one word: its owner, and the steps up to which it is in use.
OWNER_SHIFT = const(8)
LEVEL_MASK = const(0xFF)
_STEPS_MAX = const(0xFF)
_STEPS_SHIFT = const(16)
# No state is this one.
_UNKNOWN = const(0xFFFF)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_GRANULE = const(128)
_FREE = const(1)
_USED = const(2)
_PART = const(3)
_CACHED = const(4)
_COMPOUND_TAIL = const(5)
_RESERVED = const(6)
_STATE_KIND_SHIFT = const(5)
_ORDER_MASK = const(31)
_STATE_SHIFT = const(24)
_WORD_NEXT = const(1)
_WORD_PREV = const(2)
_WORD_RC = const(3)
_SHARED_BIT = const(1 << 8)
_WORD_TAG = const(7)


class Line:
    """Frames from `start` on in a line of cells; or, with `hole`, so many frames without RAM.

    `pieces` has (first, end, owner) of its RAM, where the owner NO_RAM stands for whoever the
    entries say.
    """

    def __init__(self, start, hole, pieces):
        self.start = start
        self.hole = hole
        self.pieces = pieces


class Cells:
    """The memory of a manager in at most `rows` lines of `columns` cells, a power of two.

    A cell is `frames` frames, a power of two.  It belongs to the owner of most of its frames
    that are in use, to OWNER_FREE without any; its level says how many of `steps` they take,
    rounded up.  `update` brings a line up to date, and `totals`, the frames of each owner.  Eight
    tags are owners, those with most frames first; the others count as UNTAGGED.  Raises
    NotInitialisedError.
    """

    def __init__(self, manager, columns, rows, steps):
        manager._ready()
        if not 0 < steps <= _STEPS_MAX or columns & columns - 1 or columns < 1 or rows < 1:
            raise ValueError("{} rows of {} cells of {} steps".format(rows, columns, steps))
        self._manager = manager
        self._regions = None
        self._rows = rows
        self._steps = steps
        self.columns = columns
        self.changed = words(columns)
        self.totals = words(OWNERS)
        self._counts = words(columns * OWNERS)
        self._tags = words(TAGS)
        largest = sorted([(-frames, tag) for tag, (frames, _) in tallied(manager).items() if tag])
        for slot, (_, tag) in enumerate(largest[:TAGS]):
            self._tags[slot] = tag
        self.arrange()

    def arrange(self):
        """Lay out the lines if the regions have changed since; return whether they have.

        Then every cell counts as changed.
        """
        regions = self._manager.regions
        if regions is self._regions:
            return False
        shift = 0
        columns_shift = 0
        while 1 << columns_shift < self.columns:
            columns_shift += 1
        ranges = stretches(regions, columns_shift)
        while height(ranges) > self._rows:
            shift += 1
            ranges = stretches(regions, shift + columns_shift)
        lines = []
        at = 0
        for first, end in ranges:
            if first > at:
                lines.append(
                    Line(at << shift + columns_shift, first - at << shift + columns_shift, ())
                )
            for number in range(first, end):
                start = number << shift + columns_shift
                lines.append(
                    Line(start, 0, _pieces(regions, start, start + (self.columns << shift)))
                )
            at = end
        self._shift = shift
        self.frames = 1 << shift
        self._states = [words(self.columns) for _ in lines]
        self._sums = [words(OWNERS) for _ in lines]
        for owner in range(OWNERS):
            self.totals[owner] = 0
        self.lines = lines
        self._regions = regions
        self.redo()
        return True

    def redo(self):
        """Have every cell count as changed at its next update."""
        for states in self._states:
            for column in range(self.columns):
                states[column] = _UNKNOWN

    def update(self, number):
        """Bring line `number` up to date; return how many cells of it have changed.

        The first so many words of `changed` are their columns.  Cost: a step per block and cell.
        """
        line = self.lines[number]
        if line.hole:
            return 0
        base = self._manager.array.address
        # An update that was interrupted has left some.
        clear(self._counts, self.columns * OWNERS)
        for first, end, owner in line.pieces:
            count(base, first, end, line.start, self._shift | owner << 8, self._tags, self._counts)
        return settle(
            self._counts,
            self.columns | self._steps << _STEPS_SHIFT,
            self._sums[number],
            self.totals,
            self._states[number],
            self.changed,
        )

    def forget(self):
        """Make room for other tags instead of those that no frame has any more."""
        for slot in range(TAGS):
            if not self.totals[TAGGED + slot]:
                self._tags[slot] = 0

    def state(self, number, column):
        """Return what a cell shows, as owner << OWNER_SHIFT | level."""
        return self._states[number][column]

    def name(self, owner):
        """Return the name of an owner, "" for a tag's number that no tag has."""
        if owner < TAGGED:
            return _NAMES[owner]
        tag = self._tags[owner - TAGGED]
        return tag_text(tag) if tag else ""


def _pieces(regions, start, end):
    pieces = []
    for region in regions:
        if region.present and not region.usable and region.start < end and region.end > start:
            pieces.append(
                (
                    max(region.start, start),
                    min(region.end, end),
                    _OWNERS_BY_TYPE.get(region.type, OWNER_RESERVED),
                )
            )
    usable = [region for region in regions if region.usable]
    pieces.extend([(first, stop, NO_RAM) for first, stop in spans(usable, start, end)])
    return pieces


@micropython.viper
def owner_of(head: int, tags: ptr32) -> int:
    """Return the owner by the entry of an allocation's head; a new tag takes a vacant number."""
    tag = int(ptr32(head)[_WORD_TAG])
    if tag == 0:
        return UNTAGGED
    vacant = -1
    slot = 0
    while slot < TAGS:
        if int(tags[slot]) == tag:
            return TAGGED + slot
        if int(tags[slot]) == 0 and vacant < 0:
            vacant = slot
        slot += 1
    if vacant < 0:
        return UNTAGGED
    tags[vacant] = tag
    return TAGGED + vacant


@micropython.viper
def count(base: int, at: int, end: int, origin: int, shift_owner: int, tags: ptr32, counts: ptr32):
    """Add the frames `at`..`end` to the counts of their cells, from frame `origin` on.

    `shift_owner` is the shift from frames to cells, and the owner of all these frames << 8, 0
    for whoever the entries say.  Cost: a step per block and cell.
    """
    shift = shift_owner & 0xFF
    given = shift_owner >> 8
    while at < end:
        owner = given
        stop = end
        if owner == NO_RAM:
            owner = OWNER_RESERVED
            stop = at + 1
            e = ptr32(base + (at << _ENTRY_SHIFT))
            state = int(e[0]) >> _STATE_SHIFT
            kind = state >> _STATE_KIND_SHIFT
            if kind == _RESERVED:
                if (at & (_GRANULE - 1)) == 0 and int(e[_WORD_RC]) & _SHARED_BIT:
                    stop = at + _GRANULE
            else:
                # Of a run, the head of the block that this frame is in.
                head = int(head_of(base, at))
                if head:
                    e = ptr32(base + (head << _ENTRY_SHIFT))
                    state = int(e[0]) >> _STATE_SHIFT
                    kind = state >> _STATE_KIND_SHIFT
                    stop = head + (1 << (state & _ORDER_MASK))
                    if kind == _FREE or kind == _CACHED:
                        owner = OWNER_FREE
                    elif kind == _USED:
                        owner = int(owner_of(base + (head << _ENTRY_SHIFT), tags))
                    elif kind == _PART or kind == _COMPOUND_TAIL:
                        first = int(e[_WORD_PREV] if kind == _PART else e[_WORD_NEXT])
                        # The entries may have changed meanwhile.
                        if first < at:
                            owner = int(owner_of(base + (first << _ENTRY_SHIFT), tags))
                if stop <= at:
                    stop = at + 1
            if stop > end:
                stop = end
        while at < stop:
            cell = (at - origin) >> shift
            bound = origin + ((cell + 1) << shift)
            if bound > stop:
                bound = stop
            i = cell * OWNERS + owner
            counts[i] = int(counts[i]) + bound - at
            at = bound


@micropython.viper
def clear(counts: ptr32, size: int):
    """Make `size` words zero."""
    while size:
        size -= 1
        counts[size] = 0


@micropython.viper
def settle(
    counts: ptr32, columns_steps: int, sums: ptr32, totals: ptr32, states: ptr32, changed: ptr32
) -> int:
    """Make the counts of a line its states and `sums`, and add what those have changed to `totals`.

    Returns how many cells have changed.  `columns_steps` is columns | steps << _STEPS_SHIFT.
    """
    columns = columns_steps & ((1 << _STEPS_SHIFT) - 1)
    steps = columns_steps >> _STEPS_SHIFT
    owner = 0
    while owner < OWNERS:
        totals[owner] = int(totals[owner]) - int(sums[owner])
        sums[owner] = 0
        owner += 1
    changes = 0
    column = 0
    i = 0
    while column < columns:
        free = int(counts[i + OWNER_FREE])
        used = 0
        most = 0
        state = NO_RAM
        owner = OWNER_FREE
        while owner < OWNERS:
            frames = int(counts[i + owner])
            sums[owner] = int(sums[owner]) + frames
            if owner != OWNER_FREE:
                used += frames
                if frames > most:
                    most = frames
                    state = owner
            owner += 1
        if used:
            state = state << OWNER_SHIFT | (used * steps + used + free - 1) // (used + free)
        elif free:
            state = OWNER_FREE << OWNER_SHIFT
        if int(states[column]) != state:
            states[column] = state
            changed[changes] = column
            changes += 1
        i += OWNERS
        column += 1
    owner = 0
    while owner < OWNERS:
        totals[owner] = int(totals[owner]) + int(sums[owner])
        owner += 1
    return changes
