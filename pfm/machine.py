"""What the frame manager needs from a machine: a memory map, the HHDM, room for the array.

A machine is any object with these attributes:

    manager                the frame manager of the machine, None before its `init`
    memmap_virt            address of the Limine memory map response, or None
    hhdm                   offset of the HHDM, or None
    space(take_table)      returns an address space, or None to have the array in the HHDM,
                           without holes
    leave_loader(manager)  moves everything still in use out of bootloader-reclaimable memory

An address space has `lazy`, `reserve`, `abandon` and `open` as `KernelSpace` does, and `map`,
`map_same`, `map_shared` and `query` as `PageTables` does; it takes frames for page tables from
`take_table()`.
"""

import uctypes
from micropython import const

from .errors import NoRoomError
from .memmap import protocol
from .paging.tables import LEVEL_4K, PageTables

# The preferred range for the array is the one of Linux's own
# (Documentation/arch/x86/x86_64/mm.rst).  A top level entry spans 512 GiB; the array for 16
# TiB of frames takes 128 GiB.
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
    """Enable execute protection (NX) and return whether the processor has it.

    Without it, bit 63 of a page table entry is reserved and setting it causes a page fault.
    """
    import cpu

    if cpu.cpuid(_CPUID_HIGHEST)[0] < _CPUID_EXTENDED:
        return False
    if not cpu.cpuid(_CPUID_EXTENDED)[3] & _CPUID_NX:
        return False
    cpu.wrmsr(_EFER, cpu.rdmsr(_EFER) | _EFER_NXE)
    return True


class KernelSpace(PageTables):
    """The address space in use on this processor, which can reserve unused 512 GiB ranges."""

    lazy = True
    _reserved = 0

    def reserve(self, pages):
        """Return the address of an unused range in the higher half, 512 GiB wide.

        Raises NoRoomError.
        """
        for slot in (_SLOT_PREFERRED,) + tuple(range(_SLOT_FIRST, _SLOT_END)):
            virt = _HIGHER_HALF_SIGN | slot << _SLOT_SHIFT
            if self.unused(virt):
                self._reserved = virt
                return virt
        raise NoRoomError(pages, 0)

    def abandon(self):
        """Undo `reserve`, after the array could not be built there."""
        if self._reserved:
            self.clear_top(self._reserved)
            self._reserved = 0

    def open(self, state):
        """Note in the pool's struct `state` (array/populate.py) that page tables map the array."""
        state.has_tables = 1


class LimineMachine:
    """The machine that the kernel runs on, as described by Limine or the stand-in loader."""

    # Shared by all instances, since they stand for the same machine.
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
        """Copy the loader's responses to frames of `manager`.

        Stack, GDT and page tables are already the kernel's own.
        """
        import responses

        responses.move(manager)

    def space(self, take_table):
        """Return the address space in use."""
        import cpu

        # 4 KiB pages only, so that the array takes as many tables as framearray.py counted.
        return KernelSpace(
            cpu.cr3() & _CR3_ADDRESS,
            self.hhdm,
            take_table,
            largest=LEVEL_4K,
            protects=protect_execution(),
        )
