"""Who has how much: allocated frames by tag."""

from collections import namedtuple

from ..address import PAGE_SHIFT
from ..report.report import Report
from ..tags import tag_number, tag_text
from ..units import human_size
from .cursor import ALLOCATIONS, cursors, words
from .loops import (
    BATCH,
    FOUND_WORDS,
    TALLY_ALLOCATIONS,
    TALLY_FRAMES,
    TALLY_FULL,
    TALLY_HIGH,
    TALLY_SLOTS,
    TALLY_WORDS,
    tally,
    walk,
)

# `frames` in `allocations` have the `tag`, a number, whose text is `name`.
Owner = namedtuple("Owner", ("tag", "name", "frames", "allocations"))


class Owners(Report):
    """The allocated frames by tag: `owners` has an `Owner` for each tag, the largest first.

    `frames(tag)` returns the frames of one tag, and `total` is their sum.
    """

    def __init__(self, manager):
        super().__init__()
        self.owners = [
            Owner(tag, tag_text(tag), frames, allocations)
            for tag, (frames, allocations) in tallied(manager).items()
        ]
        self.owners.sort(key=lambda owner: (-owner.frames, owner.tag))
        self.total = sum([owner.frames for owner in self.owners])
        self.compare("used frames", self.total, manager._managed - sum(manager.count_free()))

    def frames(self, tag):
        """Return how many frames have the tag, a number or a text.  Raises ArgumentError, TypeError."""
        tag = tag_number(tag)
        return sum([owner.frames for owner in self.owners if owner.tag == tag])

    def lines(self):
        """Yield the lines of the printed table."""
        yield "{:<10} {:>11} {:>10} {:>11}".format("Tag", "Frames", "Size", "Allocations")
        for owner in self.owners:
            yield "{:<10} {:>11} {:>10} {:>11}".format(
                owner.name, owner.frames, human_size(owner.frames << PAGE_SHIFT), owner.allocations
            )
        yield "Used frames: {} ({})".format(self.total, self.verdict())


def tallied(manager, tag=None, sites=0):
    """Return {tag: (frames, allocations)} of the allocations, of all or of one tag.

    With `sites`, the address of the call sites, the keys are those.
    """
    base = manager.array.address
    counts = {}
    filled = 0
    table = words(TALLY_SLOTS * TALLY_WORDS)
    found = words(BATCH * FOUND_WORDS)
    for cursor in cursors(manager, ALLOCATIONS, tag):
        count = walk(base, cursor, found, BATCH)
        while count:
            filled += tally(sites, found, count, table)
            if filled > TALLY_FULL:
                _empty(table, counts)
                filled = 0
            count = walk(base, cursor, found, BATCH)
    _empty(table, counts)
    return counts


def _empty(table, counts):
    """Move the counts of a tally to the dictionary `counts`."""
    for at in range(0, TALLY_SLOTS * TALLY_WORDS, TALLY_WORDS):
        if table[at + TALLY_FRAMES]:
            key = table[at] | table[at + TALLY_HIGH] << 32
            frames, allocations = counts.get(key, (0, 0))
            counts[key] = (
                frames + table[at + TALLY_FRAMES],
                allocations + table[at + TALLY_ALLOCATIONS],
            )
            for word in range(TALLY_WORDS):
                table[at + word] = 0
