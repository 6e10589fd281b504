# SPDX-License-Identifier: MIT OR Apache-2.0
"""The kernel's own page tables, in place of the loader's.

Mapped are the kernel's segments, each with its permissions; RAM in the HHDM, never executable, the kernel's image
read-only; and the frame array.  The null page is not.
"""

import cpu
import kernel
import limine
import owners
import uctypes
from micropython import const

from pfm import PageFlags
from pfm import limine as protocol
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.machine import KernelSpace
from pfm.paging import EXECUTE, LEVEL_1G, LEVEL_2M, WRITE

_PERMISSIONS = {"r-x": EXECUTE, "r--": 0, "rw-": WRITE, "rwx": WRITE | EXECUTE}

# Intel SDM volume 4, table 2-2: IA32_EFER and its NXE bit.
_EFER = const(0xC0000080)
_EFER_NXE = const(1 << 11)

# CPUID 80000001H:EDX bit 26: pages of 1 GiB (SDM volume 2, CPUID).
_CPUID_EXTENDED = const(0x80000001)
_CPUID_1G_PAGES = const(1 << 26)

# What the HHDM covers besides RAM: devices and tables that the loader maps too.
_MAPPED_DEVICES = (protocol.FRAMEBUFFER, protocol.RESERVED_MAPPED)

# Beyond this many pages a load of CR3 is cheaper than a flush of each.
_FLUSH_MAX = const(32)
_CR3_ADDRESS = const(0x000F_FFFF_FFFF_F000)


def _flush(virt, count):
    if count > _FLUSH_MAX:
        cpu.write_cr3(cpu.cr3())
        return
    for i in range(count):
        cpu.invlpg(virt + i * PAGE_SIZE)


def _tables(manager, root_phys):
    """Return the `KernelSpace` at `root_phys`, whose new tables are frames of `manager`."""

    def take():
        pfn = manager.alloc(tag=owners.TABLES)
        manager.set_flags(pfn, PageFlags.PAGETABLE)
        return pfn << PAGE_SHIFT

    def give(phys):
        manager.free(phys >> PAGE_SHIFT)

    largest = LEVEL_2M
    if (
        cpu.cpuid(0x80000000)[0] >= _CPUID_EXTENDED
        and cpu.cpuid(_CPUID_EXTENDED)[3] & _CPUID_1G_PAGES
    ):
        largest = LEVEL_1G
    root = take() if root_phys is None else root_phys
    return KernelSpace(root, manager.hhdm, take, give, _flush, largest)


def _map_image(tables):
    response = uctypes.struct(
        limine.response("executable_address"), protocol.EXECUTABLE_ADDRESS_RESPONSE
    )
    offset = response.physical_base - response.virtual_base
    for virt, size, permissions in kernel.segments():
        count = (size + PAGE_SIZE - 1) // PAGE_SIZE
        tables.map(virt, virt + offset, count, _PERMISSIONS[permissions])


def _map_hhdm(tables, manager):
    spans = []
    for region in manager.regions:
        if not region.present and region.type not in _MAPPED_DEVICES:
            continue
        flags = 0 if region.type == protocol.EXECUTABLE_AND_MODULES else WRITE
        if spans and spans[-1][1] == region.start and spans[-1][2] == flags:
            spans[-1][1] = region.end
        else:
            spans.append([region.start, region.end, flags])
    for start, end, flags in spans:
        tables.map(manager.hhdm + (start << PAGE_SHIFT), start << PAGE_SHIFT, end - start, flags)


def enter(manager):
    """Build page tables of the kernel's own and load them; return them as a `KernelSpace`.

    The tables that the loader left are not used any more.
    """
    cpu.wrmsr(_EFER, cpu.rdmsr(_EFER) | _EFER_NXE)
    tables = _tables(manager, None)
    tables.clear_root()
    _map_image(tables)
    _map_hhdm(tables, manager)
    tables.adopt(cpu.cr3() & _CR3_ADDRESS, manager.frames.base)
    cpu.write_cr3(tables.root_phys)
    return tables


def current(manager):
    """Return the page tables in force, which `enter` built before a soft reset."""
    return _tables(manager, cpu.cr3() & _CR3_ADDRESS)
