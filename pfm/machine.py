"""What the frame manager needs from a machine: a memory map, the HHDM, room for the array.

A machine is any object with these attributes:

    manager                the frame manager of the machine, None before its `init`
    memmap_virt            address of the Limine memory map response, or None
    hhdm                   offset of the HHDM, or None
    space(take_table)      returns an address space, or None to have the array in the HHDM,
                           without holes
    leave_loader(manager)  moves everything still in use out of bootloader-reclaimable memory
    leave_acpi(manager)    the same for ACPI-reclaimable memory

An address space has `lazy`, `reserve`, `abandon` and `open` as `KernelSpace` does, and `map`,
`map_same`, `map_shared` and `query` as `PageTables` does; it takes frames for page tables from
`take_table()`.
"""

import uctypes
from micropython import const

from .address import PAGE_SHIFT, PAGE_SIZE
from .arguments import integer
from .errors import ArgumentError, FrameStateError, MappingError, NoRoomError
from .lock import critical
from .memmap import protocol
from .memmap.regions import type_name
from .paging import walks
from .paging.tables import CACHE_DISABLE, LEVEL_4K, WRITE, WRITE_THROUGH, PageTables

# The preferred range for the array is the one of Linux's own
# (Documentation/arch/x86/x86_64/mm.rst).  A top level entry spans 512 GiB; the array for 16
# TiB of frames takes 128 GiB.  The HHDM starts at the first slot, so those after it are the
# last to be reserved: devices may have physical addresses far above RAM.
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
# 80000008H:EAX bits 7 to 0, the width of physical addresses; 36 bits without that leaf (SDM
# volume 3, 4.1.4).
_CPUID_WIDTHS = const(0x80000008)
_PHYS_BITS_MASK = const(0xFF)
_PHYS_BITS_DEFAULT = const(36)
_PHYS_BITS_MAX = const(52)

# Strong uncacheable, whatever the MTRRs say: entry 3 of the PAT, as it is after a reset and as
# Limine sets it (SDM volume 3, 11.12.4 and table 11-7).
_DEVICE = WRITE | WRITE_THROUGH | CACHE_DISABLE
_SPAN_MASK = const((1 << 48) - 1)


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


def physical_bits():
    """Return the width of the processor's physical addresses; a wider one cannot be mapped."""
    import cpu

    if cpu.cpuid(_CPUID_HIGHEST)[0] < _CPUID_WIDTHS:
        return _PHYS_BITS_DEFAULT
    return cpu.cpuid(_CPUID_WIDTHS)[0] & _PHYS_BITS_MASK


class KernelSpace(PageTables):
    """The address space in use on this processor: PageTables, 512 GiB ranges, and devices.

    `manager` is the frame manager that knows what is RAM, None where no devices are mapped;
    `phys_bits` is the width of the processor's physical addresses.
    """

    lazy = True
    _reserved = 0

    def __init__(self, *tables, manager=None, phys_bits=_PHYS_BITS_MAX, **options):
        super().__init__(*tables, **options)
        self._manager = manager
        self._phys_bits = phys_bits

    def reserve(self, pages):
        """Return the address of an unused range in the higher half, 512 GiB wide.

        Raises NoRoomError.
        """
        for slots in (
            range(_SLOT_PREFERRED, _SLOT_END),
            range(_SLOT_PREFERRED - 1, _SLOT_FIRST - 1, -1),
        ):
            for slot in slots:
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

    def map_io(self, phys, size):
        """Map `size` bytes of a device's registers at the address `phys` and return their address.

        The virtual address is the one of the HHDM, so a range has the same one at each call
        and no page has two memory types.  Whole pages are mapped: uncacheable, writable, not
        executable.  They stay mapped, across a soft reset too.  Raises ArgumentError,
        TypeError, FrameStateError for RAM, MappingError if a page is mapped with another memory
        type already, and the errors of `take_table`; then the mappings are as before.
        Cost: a step per region and per page mapped already, and `map`.
        """
        wanted = "an address of at most {} bits".format(self._phys_bits)
        phys = integer("phys", phys, wanted)
        size = integer("size", size, "1 byte or more")
        if size < 1:
            raise ArgumentError("size", size, "1 byte or more")
        if phys < 0 or (phys + size - 1) >> self._phys_bits:
            raise ArgumentError("phys", hex(phys), wanted)
        first = phys >> PAGE_SHIFT
        end = (phys + size + PAGE_SIZE - 1) >> PAGE_SHIFT
        for region in self._manager.regions:
            if region.present and region.start < end and first < region.end:
                pfn = max(first, region.start)
                raise FrameStateError("map as a device", pfn, "RAM, " + type_name(region.type))
        hhdm = self._manager.hhdm
        if (hhdm & _SPAN_MASK) + (end << PAGE_SHIFT) > _SLOT_PREFERRED << _SLOT_SHIFT:
            raise ArgumentError("phys", hex(phys), "in the HHDM's range of addresses")
        with critical():
            self._map_gaps(hhdm, first << PAGE_SHIFT, end << PAGE_SHIFT)
        return hhdm + phys

    def _map_gaps(self, hhdm, phys, end_phys):
        """Map what is not mapped yet of a range of devices, or nothing."""
        gaps = []
        while phys < end_phys:
            start = self._next_mapped(hhdm + phys, end_phys - phys) - hhdm
            if start > phys:
                gaps.append((phys, (start - phys) >> PAGE_SHIFT))
            if start < end_phys:
                _, page, flags = self.query(hhdm + start)
                if flags != _DEVICE:
                    raise MappingError(hhdm + start, "mapped with another memory type")
                start = (start | page - 1) + 1
            phys = start
        mapped = []
        try:
            for phys, count in gaps:
                self.map(hhdm + phys, phys, count, _DEVICE)
                mapped.append((phys, count))
        except BaseException as error:
            for phys, count in mapped:
                self.unmap(hhdm + phys, count)
            raise error

    def _next_mapped(self, virt, size):
        """Return the first address of `size` bytes from the page `virt` on that is mapped."""
        start = virt & _SPAN_MASK
        return virt - start + walks.find(self._hhdm, self.root_phys, start, start + size, 1)


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

    def leave_acpi(self, manager):
        """Copy the ACPI tables to frames of `manager`."""
        import acpicopy

        acpicopy.move(manager)

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
