"""Lab 5, a solution."""

from lab5_copy_on_write import start
from lab5_copy_on_write.mmu import Fault

from pfm.address import PAGE_SHIFT, PAGE_SIZE

# Intel SDM volume 3, tables 4-15 to 4-20.
_PRESENT = 1 << 0
_WRITE = 1 << 1
_LARGE = 1 << 7
_PHYS_MASK = 0x000F_FFFF_FFFF_F000
_INDEX_MASK = 511
_INDEX_BITS = 9
_LEVELS = 4


def translate(read64, root_phys, virt):
    """Follow an entry of each level, down to one that maps a page."""
    table, writable = root_phys, True
    for level in range(_LEVELS, 0, -1):
        shift = PAGE_SHIFT + _INDEX_BITS * (level - 1)
        entry = read64(table + (virt >> shift & _INDEX_MASK) * 8)
        if not entry & _PRESENT:
            return None
        # Each level can forbid.
        writable = writable and bool(entry & _WRITE)
        table = entry & _PHYS_MASK
        if entry & _LARGE:
            break
    inside = (1 << shift) - 1
    return table & ~inside | virt & inside, writable


class Process(start.Process):
    """A process that copies a shared page when it writes to it."""

    def fork(self, virt):
        """Return a process that has the same frames, with a reference each, read-only in both."""
        child = type(self)(self._lab, self._mmu, virt, 0)
        for index, pfn in enumerate(self.frames):
            self._lab.ref(pfn)
            child.frames.append(pfn)
            self._mmu.map(virt + index * PAGE_SIZE, pfn, False)
            self._mmu.protect(self.virt + index * PAGE_SIZE, False)
        return child

    def store(self, offset, value):
        """Write the 32 bits at `offset`, once more after a fault on a page of this process."""
        try:
            super().store(offset, value)
        except Fault:
            if not 0 <= offset < len(self.frames) * PAGE_SIZE:
                raise
            self._fault(offset // PAGE_SIZE)
            super().store(offset, value)

    def exit(self):
        """Unmap the pages and drop the references."""
        for index, pfn in enumerate(self.frames):
            self._mmu.unmap(self.virt + index * PAGE_SIZE)
            self._lab.unref(pfn)
        self.frames.clear()

    def _fault(self, index):
        """Make the page writable: a copy of its own if others have the frame, too."""
        virt = self.virt + index * PAGE_SIZE
        pfn = self.frames[index]
        if self._lab.count_refs(pfn) == 1:
            self._mmu.protect(virt, True)
            return
        own = self._lab.alloc(tag="proc")
        self._lab.memory(own)[:] = self._lab.memory(pfn)
        self.frames[index] = own
        self._mmu.unmap(virt)
        self._mmu.map(virt, own, True)
        self._lab.unref(pfn)
