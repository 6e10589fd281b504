"""Reports on the real machine: each recounts to what is kept, and knows its addresses."""

import cpu
import kernel
import limine
from ktap import equal, skip

from pfm import PFM, PFN, PageFlags, Phys
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.memmap.protocol import EXECUTABLE_AND_MODULES
from pfm.memmap.regions import FRAME_ARRAY
from pfm.paging.tables import EXECUTE, WRITE

# CR3's bits of the root table's address, Intel SDM volume 3, 2.5.
CR3_ADDRESS = 0x000F_FFFF_FFFF_F000
# An address that nothing maps: the last top level entry but one.
UNMAPPED_VIRT = 0xFFFF_FF00_0000_0000


def _verified(report):
    equal(report.differences, [])
    assert "verified" in repr(report), repr(report)
    return report


def test_reports_are_verified():
    for report in (PFM.meminfo(), PFM.buddyinfo(), PFM.memmap(), PFM.page_types(), PFM.chart()):
        _verified(report)
    assert "verified" in repr(PFM.flag_ranges(PageFlags.PAGETABLE))


def test_meminfo_follows_an_allocation():
    PFM.drain()
    before = _verified(PFM.meminfo()).total
    pfn = PFM.alloc(5)
    during = _verified(PFM.meminfo()).total
    equal(during.used - before.used, 32)
    equal(before.free - during.free, 32)
    PFM.free(pfn)
    equal(_verified(PFM.meminfo()).total, before)


def test_reports_fit_the_terminal():
    for report in (PFM.meminfo(), PFM.memmap(), PFM.page_types(), PFM.chart()):
        for line in repr(report).split("\n"):
            assert len(line) <= 80, line


def test_identify_segments_of_the_kernel():
    for virt, size, permissions in kernel.segments():
        found = _verified(PFM.identify(virt + size - 1))
        equal(found.region.type, EXECUTABLE_AND_MODULES)
        equal(found.flags, PageFlags.RESERVED)
        flags = found.mapping[2]
        equal(bool(flags & WRITE), "w" in permissions)
        equal(bool(flags & EXECUTE), "x" in permissions)


def test_identify_array_and_page_table():
    found = _verified(PFM.identify(PFM.array.base + 32 * PFM.min() + 5))
    equal((found.entry_of, found.region.type), (PFM.min(), FRAME_ARRAY))
    root = PFM.identify(Phys(cpu.cr3() & CR3_ADDRESS))
    assert root.flags & PageFlags.PAGETABLE, root
    runs = list(PFM.flag_ranges(PageFlags.PAGETABLE))
    assert any(first <= root.pfn < first + count for first, count in runs), runs


def test_identify_allocated_frame_by_both_addresses():
    pfn = PFM.alloc(2, tag=0x1234)
    phys = (pfn << PAGE_SHIFT) + PAGE_SIZE + 8
    for found in (PFM.identify(Phys(phys)), PFM.identify(PFM.as_virt(phys))):
        _verified(found)
        equal((found.phys, found.virt), (phys, PFM.as_virt(phys)))
        equal((found.head, found.order, found.rc, found.tag), (pfn, 2, 1, 0x1234))
    PFM.free(pfn)


def test_identify_unmapped_address():
    found = PFM.identify(UNMAPPED_VIRT)
    equal((found.phys, found.mapping), (None, None))


def test_identify_response_of_the_loader():
    virt = limine.response("memmap")
    found = _verified(PFM.identify(virt))
    assert found.present
    equal(found.virt - found.phys, PFM.hhdm)


def test_holes_have_no_ram():
    holes = [region for region in PFM.regions if not region.present and region.start < PFM.max()]
    if not holes:
        skip("the memory map has no device below the last frame")
    for region in holes:
        found = _verified(PFM.identify(PFN(region.start)))
        equal((found.present, found.head, found.flags), (False, None, None))
