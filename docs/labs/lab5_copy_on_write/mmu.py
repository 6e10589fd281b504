"""Two memory management units of one kind: one that the lab walks itself, and the processor's.

Both have `map(virt, pfn, writable)`, `protect(virt, writable)`, `unmap(virt)`, `load(virt)` and
`store(virt, value)` of 32 bits; a load or store that the mapping forbids raises `Fault`.  Frames
are those of the sandbox `lab`.
"""

import machine
import uctypes

from pfm import PFM, PageFlags
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.paging.tables import LEVEL_2M, WRITE, PageTables

try:
    from kernel import AccessFault
except ImportError:
    # The unix port has no page tables of its own.
    AccessFault = None

_WORD = {"value": 0 | uctypes.UINT32}


class Fault(Exception):
    """An access to `virt` that is not mapped, or a store where it is not writable."""

    def __init__(self, virt):
        super().__init__("v0x{:016x}".format(virt))
        self.virt = virt


def own_tables(lab):
    """Return new `PageTables` whose tables are frames of the sandbox, tagged "ptab".

    No processor uses them.
    """

    def take():
        pfn = lab.alloc(tag="ptab")
        lab.set_flags(pfn, PageFlags.PAGETABLE)
        return pfn << PAGE_SHIFT

    def give(phys):
        lab.free(phys >> PAGE_SHIFT)

    tables = PageTables(take(), lab.hhdm, take, give, None, LEVEL_2M, True)
    tables.clear_root()
    return tables


class WalkedMMU:
    """Page tables that this class asks at each load and store."""

    def __init__(self, lab):
        self._lab = lab
        self.tables = own_tables(lab)

    def map(self, virt, pfn, writable):
        """Map the page at `virt` to a frame."""
        self.tables.map(virt, pfn << PAGE_SHIFT, 1, WRITE if writable else 0)

    def protect(self, virt, writable):
        """Let the page at `virt`, which is mapped, be written or not."""
        self.tables.protect(virt, 1, WRITE if writable else 0)

    def unmap(self, virt):
        """Unmap the page at `virt`."""
        self.tables.unmap(virt, 1)

    def _word(self, virt, flags):
        """Return the word at `virt` as a struct, if its mapping has these flags."""
        found = self.tables.query(virt)
        if found is None or found[2] & flags != flags:
            raise Fault(virt)
        return uctypes.struct(self._lab.as_virt(found[0]), _WORD)

    def load(self, virt):
        """Return the word at `virt`.  Raises Fault."""
        return self._word(virt, 0).value

    def store(self, virt, value):
        """Write the word at `virt`.  Raises Fault."""
        self._word(virt, WRITE).value = value


class ProcessorMMU:
    """The page tables that are in force on the kernel, and the processor's page faults."""

    def __init__(self, lab):
        self._first = lab.first

    def map(self, virt, pfn, writable):
        """Map the page at `virt` to a frame."""
        PFM.space.map(virt, self._first + pfn << PAGE_SHIFT, 1, WRITE if writable else 0)

    def protect(self, virt, writable):
        """Let the page at `virt`, which is mapped, be written or not; flushes its translation."""
        PFM.space.protect(virt, 1, WRITE if writable else 0)

    def unmap(self, virt):
        """Unmap the page at `virt`, which also flushes its translation."""
        PFM.space.unmap(virt, 1)

    def load(self, virt):
        """Return the word at `virt`.  Raises Fault."""
        try:
            return machine.mem32[virt]
        except AccessFault as error:
            raise Fault(error.args[2])

    def store(self, virt, value):
        """Write the word at `virt`.  Raises Fault."""
        try:
            machine.mem32[virt] = value
        except AccessFault as error:
            raise Fault(error.args[2])


def unmap_all(mmu, virt, pages):
    """Unmap what is still mapped of the pages from `virt` on."""
    for index in range(pages):
        page = virt + index * PAGE_SIZE
        try:
            mmu.load(page)
        except Fault:
            continue
        mmu.unmap(page)
