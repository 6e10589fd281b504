# SPDX-License-Identifier: MIT OR Apache-2.0
"""The kernel's own page tables, which replace the loader's.

They map the kernel's segments, each with its permissions; RAM in the HHDM, never executable,
the kernel's image read-only; framebuffers there, write-combining; and the frame array.  The
null page is not mapped.
"""

import cpu
import kernel
import limine
import micropython
import owners
import uctypes
from micropython import const

from pfm import PageFlags, Zone
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.machine import KernelSpace, physical_bits, protect_execution
from pfm.memmap import protocol
from pfm.paging.tables import EXECUTE, LEVEL_1G, LEVEL_2M, WRITE, WRITE_COMBINE

_PERMISSIONS = {"r-x": EXECUTE, "r--": 0, "rw-": WRITE, "rwx": WRITE | EXECUTE}

# CPUID 80000001H:EDX bit 26: pages of 1 GiB (SDM volume 2, CPUID).
_CPUID_EXTENDED = const(0x80000001)
_CPUID_1G_PAGES = const(1 << 26)

# Mapped in the HHDM besides RAM: devices and tables that the loader maps too.
_MAPPED_DEVICES = (protocol.FRAMEBUFFER, protocol.RESERVED_MAPPED)

# The page attribute table's entry 5, which WRITE_COMBINE selects, and write combining in it (SDM
# volume 3, 12.12.2).
_MSR_PAT = const(0x277)
_PAT_ENTRY_SHIFT = const(5 * 8)
_PAT_ENTRY_MASK = const(0xFF)
_PAT_WRITE_COMBINING = const(1)

_CR3_ADDRESS = const(0x000F_FFFF_FFFF_F000)


def _tables(manager, root_phys):
    """Return the `KernelSpace` with the root `root_phys`, or with a new root if that is None.

    Its new tables are frames of `manager`.
    """

    # Native code, so that no KeyboardInterrupt loses a frame before it is used.
    @micropython.native
    def take(zone=None):
        pfn = manager.alloc(0, zone, tag=owners.TABLES)
        try:
            manager.set_flags(pfn, PageFlags.PAGETABLE)
            phys = pfn << PAGE_SHIFT
            pfn = 0
        finally:
            if pfn:
                manager.free(pfn)
        return phys

    @micropython.native
    def give(phys):
        manager.free(phys >> PAGE_SHIFT)

    largest = LEVEL_2M
    if (
        cpu.cpuid(0x80000000)[0] >= _CPUID_EXTENDED
        and cpu.cpuid(_CPUID_EXTENDED)[3] & _CPUID_1G_PAGES
    ):
        largest = LEVEL_1G
    # A processor that starts loads the root's address from a register of 32 bits.
    root = take(Zone.DMA32) if root_phys is None else root_phys
    return KernelSpace(
        root,
        manager.hhdm,
        take,
        give,
        cpu.flush,
        largest,
        protect_execution(),
        manager=manager,
        phys_bits=physical_bits(),
    )


def _map_image(tables):
    response = uctypes.struct(
        limine.response("executable_address"), protocol.EXECUTABLE_ADDRESS_RESPONSE
    )
    offset = response.physical_base - response.virtual_base
    for virt, size, permissions in kernel.segments():
        count = (size + PAGE_SIZE - 1) // PAGE_SIZE
        tables.map(virt, virt + offset, count, _PERMISSIONS[permissions])


def _framebuffer_flags():
    """Return the flags of a framebuffer's mapping: without write combining where PAT lacks it."""
    entry = cpu.rdmsr(_MSR_PAT) >> _PAT_ENTRY_SHIFT & _PAT_ENTRY_MASK
    return WRITE | WRITE_COMBINE if entry == _PAT_WRITE_COMBINING else WRITE


def _map_hhdm(tables, manager):
    flags_of = {
        protocol.EXECUTABLE_AND_MODULES: 0,
        protocol.FRAMEBUFFER: _framebuffer_flags(),
    }
    spans = []
    for region in manager.regions:
        if not region.present and region.type not in _MAPPED_DEVICES:
            continue
        flags = flags_of.get(region.type, WRITE)
        if spans and spans[-1][1] == region.start and spans[-1][2] == flags:
            spans[-1][1] = region.end
        else:
            spans.append([region.start, region.end, flags])
    for start, end, flags in spans:
        tables.map(manager.hhdm + (start << PAGE_SHIFT), start << PAGE_SHIFT, end - start, flags)


def enter(manager):
    """Build the kernel's own page tables, load them and return them as a `KernelSpace`.

    The loader's tables are not used any more.
    """
    tables = _tables(manager, None)
    if not tables.protects:
        manager.log.warning(
            "the processor has no execute protection (NX): any page can be executed"
        )
    tables.clear_root()
    _map_image(tables)
    _map_hhdm(tables, manager)
    tables.adopt(cpu.cr3() & _CR3_ADDRESS, manager.array.base)
    cpu.write_cr3(tables.root_phys)
    return tables


def current(manager):
    """Return the page tables in use, which `enter` built before a soft reset."""
    return _tables(manager, cpu.cr3() & _CR3_ADDRESS)
