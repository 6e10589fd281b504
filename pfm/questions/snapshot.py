"""What changed: the allocations at one time, the difference of two times, leaks."""

from collections import namedtuple

from ..address import PAGE_SHIFT
from ..alloc.sites import site_of, site_text
from ..arguments import elements_virt
from ..report.report import Report
from ..tags import tag_text
from ..units import human_size, phys_text
from .blocks import SHOWN
from .cursor import ALLOCATIONS, WORD_SIZE, cursors, words
from .loops import BATCH, FOUND_FRAMES, FOUND_PFN, FOUND_TAG, FOUND_WORDS, only_in, total, walk

# An allocation of `frames` from `pfn` on, with the number `tag`; `place` is the call site's text
# where it is known, in what a difference found allocated, else "-".
Allocation = namedtuple("Allocation", ("pfn", "frames", "tag", "place"))

# Room for allocations that are made while a snapshot is taken.
_SPARE = 16


def _collect(manager, taken, room):
    """Write the allocations to `taken`, which has room for so many; return how many there are."""
    base = manager.array.address
    virt = elements_virt(taken)
    beyond = words(BATCH * FOUND_WORDS)
    count = 0
    for cursor in cursors(manager, ALLOCATIONS):
        while True:
            if count < room:
                at = virt + count * FOUND_WORDS * WORD_SIZE
                found = walk(base, cursor, at, room - count)
            else:
                found = walk(base, cursor, beyond, BATCH)
            if not found:
                break
            count += found
    return count


class Snapshot(Report):
    """The allocations at the time it was taken: iterate for each as an `Allocation`, in order.

    `after - before` is their `Difference`.  It takes 16 bytes of the Python heap for each.
    """

    def __init__(self, manager):
        super().__init__()
        self.manager = manager
        room = 0
        self.taken = words(0)
        self.count = _collect(manager, self.taken, room)
        # An interrupt handler may have allocated since they were counted.
        while self.count > room:
            room = self.count + _SPARE
            self.taken = words(room * FOUND_WORDS)
            self.count = _collect(manager, self.taken, room)

    def __len__(self):
        return self.count

    def __iter__(self):
        for at in range(self.count):
            yield self.at(at)

    def at(self, index, sites=0):
        """Return the allocation of that index, with its place if `sites` has the call sites."""
        word = index * FOUND_WORDS
        pfn = self.taken[word + FOUND_PFN]
        return Allocation(
            pfn,
            self.taken[word + FOUND_FRAMES],
            self.taken[word + FOUND_TAG],
            site_text(site_of(sites, pfn) if sites else 0),
        )

    def frames(self):
        """Return how many frames were allocated."""
        return total(self.taken, self.count)

    def __sub__(self, before):
        """Return the `Difference` from `before` to this.  Raises TypeError."""
        if not isinstance(before, Snapshot) or before.manager is not self.manager:
            raise TypeError("before: a Snapshot of the same manager")
        return Difference(before, self)

    def lines(self):
        """Yield the lines of the printed summary."""
        frames = self.frames()
        yield "Snapshot of {} allocations, {} frames, {}".format(
            self.count, frames, human_size(frames << PAGE_SHIFT)
        )


def _only_in(mine, others, sites=0):
    """Return a list of the allocations of a snapshot that the other does not have."""
    found = words(mine.count)
    count = only_in(mine.taken, mine.count, others.taken, others.count, found)
    return [mine.at(found[at], sites) for at in range(count)]


class Difference(Report):
    """What was allocated and freed between two snapshots: lists of `Allocation`.

    Allocations are the same if first frame, length and tag are: one that was freed and made
    again at its place does not show.
    """

    def __init__(self, before, after):
        super().__init__()
        self.allocated = _only_in(after, before, after.manager._sites)
        self.freed = _only_in(before, after)

    def frames(self):
        """Return by how many frames allocated memory grew, negative if it shrank."""
        return _frames(self.allocated) - _frames(self.freed)

    def lines(self):
        """Yield the lines of the printed table."""
        yield "  {:<14} {:>10} {:>10}  {:<10} Call site".format("From", "Frames", "Size", "Tag")
        for sign, allocations in (("+", self.allocated), ("-", self.freed)):
            for row in allocations[:SHOWN]:
                yield "{} {} {:>10} {:>10}  {:<10} {}".format(
                    sign,
                    phys_text(row.pfn << PAGE_SHIFT),
                    row.frames,
                    human_size(row.frames << PAGE_SHIFT),
                    tag_text(row.tag),
                    row.place,
                )
            if len(allocations) > SHOWN:
                yield "{} and {} more".format(sign, len(allocations) - SHOWN)
        yield "Allocated: {} frames in {}; freed: {} frames in {}".format(
            _frames(self.allocated), len(self.allocated), _frames(self.freed), len(self.freed)
        )


def _frames(allocations):
    return sum([allocation.frames for allocation in allocations])


class Leaks(Report):
    """What was allocated in a `with` block and not freed: `allocated` and `freed` of `Difference`.

    Inside the block it says what is so up to now.
    """

    def __init__(self, manager):
        super().__init__()
        self._manager = manager
        self._before = None
        self._found = None

    def __enter__(self):
        self._found = None
        self._before = Snapshot(self._manager)
        return self

    def __exit__(self, kind, value, traceback):
        self._found = self.difference()

    def difference(self):
        """Return the `Difference` between begin and end of the block.

        Raises RuntimeError if it has not begun.
        """
        if self._found is not None:
            return self._found
        if self._before is None:
            raise RuntimeError("leaks() is used in a with statement")
        return Snapshot(self._manager) - self._before

    @property
    def allocated(self):
        """The allocations that were made and not freed."""
        return self.difference().allocated

    @property
    def freed(self):
        """The earlier allocations that were freed."""
        return self.difference().freed

    def frames(self):
        """Return by how many frames allocated memory grew."""
        return self.difference().frames()

    def lines(self):
        """Yield the lines of the printed table."""
        return self.difference().lines()
