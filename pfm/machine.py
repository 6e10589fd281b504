"""The machine as the frame manager needs to see it: a memory map, the HHDM, and a place for the array.

Whatever has these four stands for a machine: `manager`, the one that manages it or
None, which the manager sets; `memmap_virt`, the address of
the Limine memory map response or None, `hhdm`, the offset of the HHDM or
None, and `space(take_table)`, which returns an address space, or None for an
array that lies in the HHDM without holes.  `leave_loader(manager)` moves off
bootloader-reclaimable memory whatever is still in use there.  An address space can
`reserve(pages)`, which returns the address of that many unmapped pages, and
`map`, `map_shared` and `query` as `PageTables` do, taking frames for tables by `take_table()`.
"""

import uctypes
from micropython import const

from .errors import NoRoomError
from .memmap import protocol
from .paging.tables import LEVEL_4K, PageTables

# The array's range by preference, where Linux has its own (Documentation/arch/x86/x86_64/mm.rst);
# each top level entry spans 512 GiB and the array of 16 TiB of frames takes 128 GiB.
_SLOT_PREFERRED = const(468)
_SLOT_FIRST = const(257)
_SLOT_END = const(511)
_SLOT_SHIFT = const(39)
_HIGHER_HALF_SIGN = const(0xFFFF_0000_0000_0000)
_CR3_ADDRESS = const(0x000F_FFFF_FFFF_F000)

# Intel SDM volume 4, table 2-2: IA32_EFER and its NXE bit.
_EFER = const(0xC0000080)
_EFER_NXE = const(1 << 11)
# SDM volume 2, CPUID: the highest extended leaf; 80000001H:EDX bit 20, execute protection.
_CPUID_HIGHEST = const(0x80000000)
_CPUID_EXTENDED = const(0x80000001)
_CPUID_NX = const(1 << 20)


def protect_execution():
    """Turn execute protection on, and return whether the processor has it.

    Without it bit 63 of a page table's entry is reserved, and to set it a page fault.
    """
    import cpu

    if cpu.cpuid(_CPUID_HIGHEST)[0] < _CPUID_EXTENDED:
        return False
    if not cpu.cpuid(_CPUID_EXTENDED)[3] & _CPUID_NX:
        return False
    cpu.wrmsr(_EFER, cpu.rdmsr(_EFER) | _EFER_NXE)
    return True


class KernelSpace(PageTables):
    """The address space in force on this processor, with free top level entries for ranges of its own."""

    lazy = True
    _reserved = 0

    def reserve(self, pages):
        """Return the address of an unused range in the higher half, 512 GiB wide."""
        for slot in (_SLOT_PREFERRED,) + tuple(range(_SLOT_FIRST, _SLOT_END)):
            virt = _HIGHER_HALF_SIGN | slot << _SLOT_SHIFT
            if self.unused(virt):
                self._reserved = virt
                return virt
        raise NoRoomError(pages, 0)

    def abandon(self):
        """Forget the range of `reserve`, whose array could not be built."""
        if self._reserved:
            self.clear_top(self._reserved)
            self._reserved = 0

    def open(self, state):
        """Tell the struct `state` (see backing.py) that pages are mapped by page tables."""
        state.has_tables = 1


class LimineMachine:
    """The machine that the kernel runs on, as Limine (or the stand-in for it) describes it."""

    # There is one such machine, however many objects stand for it.
    _managers = [None]

    @property
    def manager(self):
        """The frame manager of this machine, None before its `init`."""
        return self._managers[0]

    @manager.setter
    def manager(self, manager):
        self._managers[0] = manager

    def __init__(self):
        import limine as responses

        self.memmap_virt = responses.response("memmap")
        hhdm = responses.response("hhdm")
        self.hhdm = None if hhdm is None else uctypes.struct(hhdm, protocol.HHDM_RESPONSE).offset

    def leave_loader(self, manager):
        """Move the responses to frames of the manager's.

        Stack, GDT and page tables are the kernel's own since it started.
        """
        import responses

        responses.move(manager)

    def space(self, take_table):
        """Return the address space in force."""
        import cpu

        # Without large pages the array takes as many tables as framearray.py counts.
        return KernelSpace(
            cpu.cr3() & _CR3_ADDRESS,
            self.hhdm,
            take_table,
            largest=LEVEL_4K,
            protects=protect_execution(),
        )
