"""The array of entries: where it lies, what backs it, and its state after init.

Entry n stands at `base` + 32 n, for every frame from 0 to the last one with
RAM.  The array is a range of virtual addresses; only pages of it that describe
a frame with RAM ("granules" of 128 entries) have frames of their own, and
all pages between them are one read-only page of absent entries.
"""

from micropython import const

from . import fill
from .address import PAGE_SHIFT, PAGE_SIZE, signed
from .errors import NoMemoryMapError, NoRoomError
from .flags import PageFlags
from .frame import ABSENT_WORD, ENTRY_SHIFT, ENTRY_SIZE, RESERVED_WORD
from .memmap import FRAME_ARRAY, Region
from .paging import WRITE

# Entries in a page.
GRANULE_SHIFT = const(7)
_GRANULE = const(1 << 7)

_TABLE_ENTRIES = const(512)
_LARGE_PAGES = const(512)


class FrameArray:
    """The array over the frames of `regions` (see `memmap.regions`): `place`, `map` and `build` it.

    Raises NoMemoryMapError where no region is RAM.
    `base` is its virtual address and `address` the same as a signed number, `count` the number of entries, `start_phys`
    and `end_phys` bound the frames that it takes: `control_phys` for the
    allocator's own state, the granules, and the page tables that map them.
    """

    def __init__(self, regions):
        self.regions = regions
        present = [region for region in regions if region.present]
        if not present:
            raise NoMemoryMapError("the memory map tells of no RAM")
        self.first = present[0].start
        self.count = present[-1].end
        self.base = 0
        self.address = 0
        self.start_phys = 0
        self.end_phys = 0
        self.control_phys = 0

    def _runs(self):
        """Return the runs of granules that describe a frame with RAM, as [first, end) lists."""
        runs = []
        for region in self.regions:
            if not region.present:
                continue
            first = region.start >> GRANULE_SHIFT
            end = (region.end + _GRANULE - 1) >> GRANULE_SHIFT
            if runs and first <= runs[-1][1]:
                runs[-1][1] = end
            else:
                runs.append([first, end])
        return runs

    def save(self, saved):
        """Note in the struct `saved` (see resume.py) where the array lies."""
        saved.base = self.base
        saved.start_phys = self.start_phys
        saved.hole_phys = self._hole_phys
        saved.end_phys = self.end_phys

    def restore(self, saved, hhdm):
        """Find the array where `saved` says that it was built, instead of `place`, `map` and `build`."""
        self._hhdm = hhdm
        self.base = saved.base
        self.address = signed(self.base)
        self.start_phys = self.control_phys = saved.start_phys
        self._hole_phys = saved.hole_phys
        self.end_phys = saved.end_phys
        self.regions = self._carve()

    def tables(self):
        """Return the first frame and the end of the page tables that map the array."""
        return self._tables_phys >> PAGE_SHIFT, self.end_phys >> PAGE_SHIFT

    def place(self, control_pages, sparse):
        """Choose the frames for the array, at the top of the highest usable region that has room.

        `control_pages` frames come with it.  Not `sparse`, the holes are backed
        too, so that the array needs no mapping.  Raises NoRoomError.
        """
        granules = (self.count + _GRANULE - 1) >> GRANULE_SHIFT
        self._backed = self._runs() if sparse else [[0, granules]]
        backing = sum([end - first for first, end in self._backed])
        tables = 0
        if sparse:
            # Each run may begin and end inside a table of each of three levels, and the
            # holes share one chain of tables.
            for first, end in self._backed:
                tables += (end - first) // _TABLE_ENTRIES + 2 * 3
            tables += 3
        needed = control_pages + 1 + backing + tables
        largest = 0
        for region in reversed(self.regions):
            if region.usable:
                largest = max(largest, region.end - region.start)
                if largest >= needed:
                    self._lay_out(region, needed, control_pages, backing)
                    return
        raise NoRoomError(needed, largest)

    def _lay_out(self, region, needed, control_pages, backing):
        start = region.end - needed
        # Large pages map the longest run where its virtual and physical addresses agree mod 2 MiB.
        granule = start + control_pages + 1
        longest = (0, 0)
        for first, end in self._backed:
            longest = max(longest, (end - first, granule - first))
            granule += end - first
        shift = longest[1] % _LARGE_PAGES
        if start - shift >= region.start:
            start -= shift
        self.start_phys = start << PAGE_SHIFT
        self.control_phys = self.start_phys
        self._hole_phys = self.start_phys + control_pages * PAGE_SIZE
        self._granules_phys = self._hole_phys + PAGE_SIZE
        self.end_phys = self._granules_phys + backing * PAGE_SIZE
        self._tables_phys = self.end_phys

    def take_table(self):
        """Return the physical address of the next of the array's own frames, for a page table."""
        phys = self.end_phys
        self.end_phys += PAGE_SIZE
        return phys

    def map(self, hhdm, space):
        """Map the array by `space` (see `machine`), or find it in the HHDM where that is None."""
        self._hhdm = hhdm
        if space is None:
            self.base = hhdm + self._granules_phys
            self.address = signed(self.base)
            return
        fill.entries(hhdm + self._hole_phys, _GRANULE, ABSENT_WORD)
        self.base = space.reserve(self._backed[-1][1])
        self.address = signed(self.base)
        phys = self._granules_phys
        hole = 0
        for first, end in self._backed:
            if first > hole:
                space.map_shared(self.base + hole * PAGE_SIZE, self._hole_phys, first - hole)
            space.map(self.base + first * PAGE_SIZE, phys, end - first, WRITE)
            phys += (end - first) * PAGE_SIZE
            hole = end

    def build(self):
        """Write every entry that has a frame of its own, once, in its final state.

        Cost: C's memset over the usable frames, a viper store per other entry.
        """
        self.regions = self._carve()
        fill.zero(self._hhdm + self.control_phys, self._hole_phys - self.control_phys)
        todo = iter([region for region in self.regions if region.present])
        region = next(todo)
        for first, end in self._backed:
            at = first << GRANULE_SHIFT
            end <<= GRANULE_SHIFT
            while at < end:
                if region is None or region.start >= end:
                    self._write(at, end, ABSENT_WORD)
                    break
                if region.start > at:
                    self._write(at, region.start, ABSENT_WORD)
                    at = region.start
                stop = min(region.end, end)
                self._write(at, stop, 0 if region.usable else RESERVED_WORD)
                at = stop
                if region.end <= end:
                    region = next(todo, None)
        first, end = self.tables()
        fill.entries(
            self.base + (first << ENTRY_SHIFT), end - first, RESERVED_WORD | PageFlags.PAGETABLE
        )

    def clear(self, start, end):
        """Make the frames `start`..`end` the inside of blocks, as usable frames are at init."""
        self._write(start, end, 0)

    def _write(self, start, end, word):
        if word:
            fill.entries(self.base + (start << ENTRY_SHIFT), end - start, word)
        else:
            fill.zero(self.base + (start << ENTRY_SHIFT), (end - start) * ENTRY_SIZE)

    def _carve(self):
        """Return the regions with the array's own frames cut out of the one that they lie in."""
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
