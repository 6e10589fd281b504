"""The contract of the reference, on the machine that the kernel runs on."""

import limine
import machine
import uctypes
from ktap import equal, raises, skip

from pfm import (
    PFM,
    AlreadyInitialisedError,
    FrameNotPresentError,
    FrameRangeError,
    LockHeldError,
    PageFlags,
    to,
)
from pfm.address import PAGE_SHIFT
from pfm.memmap import protocol, regions

FOUR_GIB = 1 << 32


def _entries():
    return regions.read(limine.response("memmap"))


def test_init_a_second_time_is_an_error():
    raises(AlreadyInitialisedError, PFM.init)


def test_example_of_the_reference():
    pfn = PFM.alloc()
    PFM.set_flags(to(pfn), PageFlags.LOCKED)
    PFM.set_flags(pfn, PageFlags.DIRTY)
    assert PFM.check_flags(pfn, PageFlags.LOCKED | PageFlags.DIRTY)
    PFM.clear_flags(pfn, PageFlags.DIRTY)
    assert not PFM.check_flags(pfn, PageFlags.DIRTY)
    with PFM.get(pfn) as frame:
        frame.order = 2
        frame.rc = 1
        raises(LockHeldError, PFM.get, pfn)
    guard = PFM.get(pfn)
    equal((guard.order, guard.rc), (2, 1))
    guard.order = 0
    guard.release()
    PFM.free(pfn)


def _irq():
    state = machine.disable_irq()
    machine.enable_irq(state)
    return state


def test_interrupts_come_back_with_the_last_guard():
    pfns = PFM.alloc_many(2)
    # The kernel lets them in only while it waits.
    before = machine.disable_irq()
    machine.enable_irq(1)
    states = []
    first = PFM.get(pfns[0])
    second = PFM.get(pfns[1])
    states.append(_irq())
    first.release()
    states.append(_irq())
    second.release()
    states.append(machine.disable_irq())
    machine.enable_irq(before)
    equal(states, [0, 0, 1])
    PFM.free_many(pfns)


def test_usable_ranges_are_present_and_not_reserved():
    own = (PFM.array.start_phys >> PAGE_SHIFT, PFM.array.end_phys >> PAGE_SHIFT)
    seen = 0
    for base, length, kind in _entries():
        first = (base + 4095) >> PAGE_SHIFT
        last = (base + length >> PAGE_SHIFT) - 1
        if kind != protocol.USABLE or last < first:
            continue
        step = max(1, (last - first) // 64)
        for pfn in list(range(first, last, step)) + [last]:
            if pfn:
                seen += 1
                assert PFM.present(pfn), pfn
                reserved = own[0] <= pfn < own[1]
                equal((pfn, PFM.check_flags(pfn, PageFlags.RESERVED)), (pfn, reserved))
    assert seen > 64


def test_what_is_not_usable_is_reserved():
    for base, length, kind in _entries():
        for phys in (base, base + length - 1):
            pfn = phys >> PAGE_SHIFT
            if kind != protocol.USABLE and PFM.min() <= pfn <= PFM.max():
                if kind == protocol.BOOTLOADER_RECLAIMABLE and kind in PFM._reclaimed:
                    continue
                assert PFM.check_flags(pfn, PageFlags.RESERVED), hex(phys)


def test_holes_are_not_present():
    at = 0
    holes = 0
    for base, length, _ in sorted(_entries()):
        if base >> PAGE_SHIFT > PFM.max():
            break
        for pfn in ((at + 4095) >> PAGE_SHIFT, (base >> PAGE_SHIFT) - 1):
            if at < pfn << PAGE_SHIFT and pfn << PAGE_SHIFT < base - 4095:
                holes += 1
                assert not PFM.present(pfn), pfn
                raises(FrameNotPresentError, PFM.set_flags, pfn, 1)
        at = max(at, base + length)
    if not holes:
        skip("this machine's memory map has no hole")


def test_frames_above_4_gib():
    above = [entry for entry in _entries() if entry[0] >= FOUR_GIB and entry[2] == protocol.USABLE]
    if not above:
        skip("this machine has no RAM above 4 GiB")
    for base, length, _ in above:
        assert PFM.present(base >> PAGE_SHIFT)
        assert PFM.present((base + length >> PAGE_SHIFT) - 1)
    equal(PFM.max(), (above[-1][0] + above[-1][1] >> PAGE_SHIFT) - 1)


def test_array_is_at_most_0_8_percent_of_ram():
    size = PFM.array.end_phys - PFM.array.start_phys
    ram = PFM.count_present() << PAGE_SHIFT
    assert size <= ram * 8 // 1000 + (4 << 20), (size, ram)


def test_array_is_reserved():
    for phys in (PFM.array.start_phys, PFM.array.end_phys - 4096):
        assert PFM.check_flags(phys >> PAGE_SHIFT, PageFlags.RESERVED)


def test_kernel_is_reserved():
    response = uctypes.struct(
        limine.response("executable_address"), protocol.EXECUTABLE_ADDRESS_RESPONSE
    )
    pfn = response.physical_base >> PAGE_SHIFT
    assert PFM.present(pfn)
    assert PFM.check_flags(pfn, PageFlags.RESERVED)


def test_frame_numbers_out_of_range():
    for pfn in (-1, PFM.max() + 1, 1 << 40, 1 << 64):
        raises(FrameRangeError, PFM.check_flags, pfn, 1)
        assert not PFM.present(pfn)
    for pfn in (1.5, None):
        raises(TypeError, PFM.set_flags, pfn, 1)


def test_address_conversions():
    hhdm = uctypes.struct(limine.response("hhdm"), protocol.HHDM_RESPONSE).offset
    equal(PFM.as_virt(0x1234), hhdm + 0x1234)
    equal(PFM.as_phys(hhdm + 0x1234), 0x1234)
