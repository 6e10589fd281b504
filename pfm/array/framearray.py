"""The array of entries: its place, the frames behind it, and its contents after init.

Entry n is at `base` + 32 n, for every frame from 0 to the last with RAM.  The array is one
range of virtual addresses, but only the pages that describe a frame with RAM ("granules" of
128 entries) have frames reserved for them; all pages between them are one read-only page of
absent entries.
"""

from micropython import const

from .. import fill
from ..address import PAGE_SHIFT, PAGE_SIZE, signed
from ..errors import NoMemoryMapError, NoRoomError
from ..frame.entry import (
    ABSENT_WORD,
    ENTRY_SHIFT,
    ENTRY_SIZE,
    GRANULE,
    GRANULE_SHIFT,
    RESERVED_WORD,
    SHARED_BIT,
)
from ..frame.flags import PageFlags
from ..memmap.regions import FRAME_ARRAY, Region
from ..paging.tables import WRITE, TableCount
from . import populate

# First words of the entries on the three shared pages: free, reserved, absent.
_SHARED_WORDS = (0, RESERVED_WORD, ABSENT_WORD)
_SHARED_PAGES = const(3)


class FrameArray:
    """The array over the frames of `regions` (memmap/regions.py): `place`, `map`, then `build` it.

    `base` is its virtual address and `address` the same as a signed number, `count` the number
    of entries.  `start_phys` and `end_phys` bound its frames: the control page at
    `control_phys`, the shared pages, the granules, and the page tables that map them.  Raises
    NoMemoryMapError if no region is RAM.
    """

    base = 0
    address = 0
    start_phys = 0
    end_phys = 0
    control_phys = 0

    def __init__(self, regions):
        self.regions = regions
        present = [region for region in regions if region.present]
        if not present:
            raise NoMemoryMapError("the memory map contains no RAM")
        self.first = present[0].start
        self.count = present[-1].end

    def save(self, saved):
        """Record in the struct `saved` (see resume.py) where the array is."""
        saved.base = self.base
        saved.start_phys = self.start_phys
        saved.tables_phys = self._tables_phys
        saved.end_phys = self.end_phys

    def restore(self, saved):
        """Use the array that `saved` describes, instead of `place`, `map` and `build`."""
        self.base = saved.base
        self.address = signed(self.base)
        self.start_phys = self.control_phys = saved.start_phys
        self._tables_phys = self._next_table_phys = saved.tables_phys
        self.end_phys = saved.end_phys
        self.regions = self._carve()

    def place(self, control_pages, sparse):
        """Choose the frames for the array, at the top of the highest usable region that has room.

        They include `control_pages` frames for the control page.  Unless `sparse`, holes get
        frames too, so that the array needs no mapping.  Raises NoRoomError.
        """
        pages = (self.count + GRANULE - 1) >> GRANULE_SHIFT
        own = pages
        tables = 0
        runs = [[0, pages]]
        if sparse:
            runs = self._runs()
            own = sum([end - first for first, end in runs])
            tables = _tables(runs)
        needed = control_pages + _SHARED_PAGES + own + tables
        largest = 0
        for region in reversed(self.regions):
            if region.usable:
                room = region.end - region.start
                if room >= needed:
                    break
                if room > largest:
                    largest = room
        else:
            raise NoRoomError(needed, largest)
        self.start_phys = (region.end - needed) << PAGE_SHIFT
        self.end_phys = region.end << PAGE_SHIFT
        self.control_phys = self.start_phys
        self._shared_phys = self.control_phys + control_pages * PAGE_SIZE
        self._pool_phys = self._shared_phys + _SHARED_PAGES * PAGE_SIZE
        self._tables_phys = self._pool_phys + own * PAGE_SIZE
        self._next_table_phys = self._tables_phys
        self.regions = self._carve()
        self._pieces = self._cut(runs)

    def take_table(self):
        """Return the physical address of the next frame set aside for the array's page tables."""
        phys = self._next_table_phys
        self._next_table_phys += PAGE_SIZE
        return phys

    def map(self, hhdm, space):
        """Map the array in `space` (see machine.py), or, if that is None, use it in the HHDM.

        In a `lazy` space, pages with the same entries share one frame until they are written.
        """
        control_virt = hhdm + self.control_phys
        fill.zero(control_virt, self._shared_phys - self.control_phys)
        self._lazy = space is not None and space.lazy
        if space is None:
            self.base = hhdm + self._pool_phys
            self.address = signed(self.base)
            return
        for i, word in enumerate(_SHARED_WORDS):
            page_virt = hhdm + self._shared_phys + i * PAGE_SIZE
            fill.entries(page_virt, GRANULE, word, 0 if word == ABSENT_WORD else SHARED_BIT)
        self.base = space.reserve(self._pieces[-1][1])
        self.address = signed(self.base)
        hole = 0
        for first, end, pieces in self._pieces:
            if first > hole:
                self._map_same(space.map_shared, hole, first, ABSENT_WORD)
            at = first
            for start, stop, word in pieces:
                low, high = self._whole(start, stop, word)
                if low < high:
                    self._map_own(space, at, low)
                    self._map_same(space.map_same, low, high, word)
                    at = high
            self._map_own(space, at, end)
            hole = end
        state = populate.pool_at(control_virt)
        state.next_phys = self._pool_phys
        state.hhdm = hhdm
        space.open(state)

    def _map_own(self, space, first, end):
        """Map the pages `first`..`end` of the array to frames of their own."""
        if first < end:
            space.map(self.base + first * PAGE_SIZE, self._pool_phys, end - first, WRITE)
            self._pool_phys += (end - first) * PAGE_SIZE

    def _map_same(self, map_pages, first, end, word):
        """Map the pages `first`..`end` of the array to the shared page of entries with `word`."""
        phys = self._shared_phys + _SHARED_WORDS.index(word) * PAGE_SIZE
        map_pages(self.base + first * PAGE_SIZE, phys, end - first)

    def build(self):
        """Write every entry that has a frame of its own, once, in its final state.

        Cost: C's memset over the entries of usable frames, C's memcpy over the others, nothing
        for shared pages.
        """
        for _, _, pieces in self._pieces:
            for start, end, word in pieces:
                low, high = self._whole(start, end, word)
                if low < high:
                    self._write(start, low << GRANULE_SHIFT, word)
                    self._write(high << GRANULE_SHIFT, end, word)
                else:
                    self._write(start, end, word)

    def mark_tables(self, control):
        """Set PAGETABLE for the frames of the array's own page tables.

        `control` is the signed address of the control page.
        """
        start = self._tables_phys >> PAGE_SHIFT
        end = self._next_table_phys >> PAGE_SHIFT
        populate.populate_range(control, self.address, start, end)
        self._write(start, end, RESERVED_WORD | PageFlags.PAGETABLE)

    def _whole(self, start, end, word):
        """Return the first page and the end of those wholly in a piece that can be shared."""
        if not self._lazy or word == ABSENT_WORD:
            return 0, 0
        return (start + GRANULE - 1) >> GRANULE_SHIFT, end >> GRANULE_SHIFT

    def _write(self, start, end, word):
        if start < end and word:
            fill.entries(self.base + (start << ENTRY_SHIFT), end - start, word, 0)
        elif start < end:
            fill.zero(self.base + (start << ENTRY_SHIFT), (end - start) * ENTRY_SIZE)

    def _runs(self):
        """Return the runs of pages that describe a frame with RAM, as [first, end) lists."""
        runs = []
        for region in self.regions:
            if not region.present:
                continue
            first = region.start >> GRANULE_SHIFT
            end = (region.end + GRANULE - 1) >> GRANULE_SHIFT
            if runs and first <= runs[-1][1]:
                runs[-1][1] = end
            else:
                runs.append([first, end])
        return runs

    def _cut(self, runs):
        """Return (first page, end, pieces) for each run, cut into (start, end, word) pieces."""
        spans = self._spans()
        # After the last span is a hole, up to the end of the last page.
        entries = runs[-1][1] << GRANULE_SHIFT
        spans.append((entries, entries, 0))
        cut = []
        n = 0
        for first, end in runs:
            pieces = []
            at = first << GRANULE_SHIFT
            stop = end << GRANULE_SHIFT
            while at < stop:
                low, high, word = spans[n]
                if at < low:
                    high, word = low, ABSENT_WORD
                elif high <= stop:
                    n += 1
                if high > stop:
                    high = stop
                pieces.append((at, high, word))
                at = high
            cut.append((first, end, pieces))
        return cut

    def _spans(self):
        """Return [start, end, word] for the frames with RAM, adjacent spans of one word joined."""
        spans = []
        for region in self.regions:
            if region.present:
                word = 0 if region.usable else RESERVED_WORD
                if spans and spans[-1][1] == region.start and spans[-1][2] == word:
                    spans[-1][1] = region.end
                else:
                    spans.append([region.start, region.end, word])
        return spans

    def _carve(self):
        """Return the regions with the array's own frames cut out."""
        start = self.start_phys >> PAGE_SHIFT
        end = self.end_phys >> PAGE_SHIFT
        carved = []
        for region in self.regions:
            if not region.start <= start < region.end:
                carved.append(region)
                continue
            for piece in (
                Region(region.start, start, region.type, True),
                Region(start, end, FRAME_ARRAY, True),
                Region(end, region.end, region.type, True),
            ):
                if piece.start < piece.end:
                    carved.append(piece)
        return carved


def _tables(runs):
    """Return how many tables map the array: runs by an entry per page, holes by shared tables."""
    count = TableCount()
    hole = 0
    for first, end in runs:
        if first > hole:
            count.add(hole, first, True)
        count.add(first, end, False)
        hole = end
    return count.tables
