"""Lab 5: page tables read by hand, and processes that share their pages until one writes."""

from pfm.address import PAGE_SIZE


def translate(read64, root_phys, virt):
    """Return (physical address, whether it is writable) for a virtual address, None if not mapped.

    `read64(phys)` returns the 64 bits at a physical address, and `root_phys` is the root table's.
    """
    return None


class Process:
    """Pages of memory from `virt` on, in an `mmu` of mmu.py, in frames of the manager `lab`."""

    def __init__(self, lab, mmu, virt, pages):
        self._lab = lab
        self._mmu = mmu
        self.virt = virt
        # The frame of each page.
        self.frames = [lab.alloc(zero=True, tag="proc") for _ in range(pages)]
        for index, pfn in enumerate(self.frames):
            mmu.map(virt + index * PAGE_SIZE, pfn, True)

    def fork(self, virt):
        """Return a process with the same contents at `virt`.

        It copies everything, also what nobody will ever write.
        """
        child = type(self)(self._lab, self._mmu, virt, len(self.frames))
        for index, pfn in enumerate(self.frames):
            self._lab.memory(child.frames[index])[:] = self._lab.memory(pfn)
        return child

    def load(self, offset):
        """Return the 32 bits at `offset`.  Raises Fault beyond the pages."""
        return self._mmu.load(self.virt + offset)

    def store(self, offset, value):
        """Write the 32 bits at `offset`.  Raises Fault beyond the pages."""
        self._mmu.store(self.virt + offset, value)

    def exit(self):
        """Unmap the pages and give the frames back."""
        for index, pfn in enumerate(self.frames):
            self._mmu.unmap(self.virt + index * PAGE_SIZE)
            self._lab.free(pfn)
        self.frames.clear()
