"""Frames handed out on the real machine: they are memory, and they come back."""

import gc

import cpu
import kernel
import machine
import micropython
import uctypes
from ktap import equal, raises, skip

from pfm import PFM, FrameStateError, MappingError, OutOfFramesError, PageFlags, Zone
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.frame.entry import ENTRY_SHIFT
from pfm.paging.tables import WRITE

# An address that nothing maps: the last top level entry but one.
SCRATCH_VIRT = 0xFFFF_FF00_0000_0000

# In a page table's entry: it maps a large page.
LARGE = 1 << 7


def _free_lists():
    PFM.drain()
    return PFM.count_free()


def test_frames_are_memory():
    before = _free_lists()
    frames = PFM.alloc_many(1000)
    for pfn in frames:
        machine.mem32[PFM.as_virt(pfn << PAGE_SHIFT)] = pfn
    for pfn in frames:
        equal(machine.mem32[PFM.as_virt(pfn << PAGE_SHIFT)], pfn)
    PFM.free_many(frames)
    equal(_free_lists(), before)


def test_zeroed_frames_are_zero():
    pfn = PFM.alloc(4, zero=True)
    equal(bytes(PFM.memory(pfn, 16)), bytes(16 * PAGE_SIZE))
    PFM.free(pfn)


def test_zones_bound_their_frames():
    for zone, end in ((Zone.DMA, 1 << 12), (Zone.DMA32, 1 << 20)):
        try:
            pfn = PFM.alloc(0, zone)
        except OutOfFramesError:
            continue
        assert pfn < end
        PFM.free(pfn)


def test_runs_at_a_given_place():
    before = _free_lists()
    pfn = PFM.alloc_contiguous(300, align=256)
    equal(pfn % 256, 0)
    PFM.free(pfn)
    equal(PFM.alloc_at(pfn, 300), pfn)
    raises(FrameStateError, PFM.alloc_at, pfn + 299)
    PFM.free(pfn)
    raises(FrameStateError, PFM.free, pfn)
    equal(_free_lists(), before)


def test_alloc_and_free_leave_the_python_heap_alone():
    pfn = 0
    micropython.heap_lock()
    try:
        pfn = PFM.alloc()
        PFM.free(pfn)
        pfn = PFM.alloc(5)
        PFM.free(pfn)
    finally:
        micropython.heap_unlock()
    assert pfn


def test_pages_are_mapped_and_unmapped():
    pfn = PFM.alloc()
    PFM.space.map(SCRATCH_VIRT, pfn << PAGE_SHIFT, 1, WRITE)
    machine.mem32[SCRATCH_VIRT] = 0x12345678
    equal(machine.mem32[PFM.as_virt(pfn << PAGE_SHIFT)], 0x12345678)
    equal(PFM.space.query(SCRATCH_VIRT), (pfn << PAGE_SHIFT, PAGE_SIZE, WRITE))
    PFM.space.unmap(SCRATCH_VIRT, 1)
    raises(kernel.AccessFault, lambda: machine.mem32[SCRATCH_VIRT])
    PFM.free(pfn)


def test_pages_are_protected():
    pfn = PFM.alloc(1, zero=True)
    PFM.space.map(SCRATCH_VIRT, pfn << PAGE_SHIFT, 2, WRITE)

    def write(at):
        machine.mem32[SCRATCH_VIRT + at] = 5

    write(0)
    write(PAGE_SIZE)
    PFM.space.protect(SCRATCH_VIRT, 1, 0)
    raises(kernel.AccessFault, write, 4)
    write(PAGE_SIZE + 4)
    equal(machine.mem32[SCRATCH_VIRT], 5)
    raises(MappingError, PFM.space.protect, SCRATCH_VIRT, 3, WRITE)
    raises(kernel.AccessFault, write, 4)
    PFM.space.protect(SCRATCH_VIRT, 2, WRITE)
    write(4)
    equal(PFM.memory(pfn)[4], 5)
    PFM.space.unmap(SCRATCH_VIRT, 2)
    PFM.free(pfn)


def test_page_tables_are_frames_flagged_so():
    root = cpu.cr3() >> PAGE_SHIFT
    assert PFM.check_flags(root, PageFlags.PAGETABLE)
    raises(FrameStateError, PFM.alloc_at, root)
    # Those of the array lie in its own, reserved frames.
    assert PFM.count_flags(PageFlags.PAGETABLE | PageFlags.RESERVED)


def test_kernel_text_is_not_writable():
    text, size, permissions = kernel.segments()[0]
    equal(permissions, "r-x")
    phys = PFM.space.query(text)[0]
    for virt in (text, PFM.as_virt(phys)):
        value = machine.mem32[virt]

        def write():
            machine.mem32[virt] = value

        raises(kernel.AccessFault, write)


def _upper_half(virt):
    """Return the upper half of the entry that maps `virt`, which has a frame of the array or of RAM behind it."""
    table = cpu.cr3() >> PAGE_SHIFT << PAGE_SHIFT
    for shift in (39, 30, 21, 12):
        place = PFM.as_virt(table) + 8 * (virt >> shift & 511)
        low, high = machine.mem32[place], machine.mem32[place + 4]
        if low & LARGE or shift == 12:
            return high
        table = low >> PAGE_SHIFT << PAGE_SHIFT | (high & 0xFFFFF) << 32


def test_data_cannot_be_executed():
    if not PFM.space.protects:
        skip("this processor has no execute protection (NX)")
    pfn = PFM.alloc()
    PFM.set_flags(pfn, PageFlags.DIRTY)
    for virt in (
        PFM.as_virt(pfn << PAGE_SHIFT),
        # Of the array, a page with a frame of its own and one that is shared by many.
        PFM.array.base + (pfn << ENTRY_SHIFT),
        PFM.array.base + (PFM.max() << ENTRY_SHIFT),
        uctypes.addressof(bytearray(1)),
    ):
        assert _upper_half(virt) >> 31, hex(virt)
    PFM.free(pfn)
    assert not _upper_half(kernel.segments()[0][0]) >> 31


def test_null_page_is_not_mapped():
    raises(kernel.AccessFault, lambda: machine.mem32[0])


def test_python_heap_grows_by_frames():
    size = 16 << 20
    if sum(PFM.count_free()) < 3 * size >> PAGE_SHIFT:
        skip("this machine has too little RAM")
    block = bytearray(size)
    assert gc.mem_alloc() > size
    virt = uctypes.addressof(block)
    phys = PFM.space.query(virt)[0]
    equal(machine.mem8[PFM.as_virt(phys)], 0)
    block[0] = 42
    equal(machine.mem8[PFM.as_virt(phys)], 42)
    raises(FrameStateError, PFM.alloc_at, phys >> PAGE_SHIFT)
