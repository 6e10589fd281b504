"""pfm/testing.py: a fake machine of each kind is one to a manager."""

from ktap import equal, raises, skip
from maps import GIB, MIB, SMALL_8M, THREE_ZONES, TIB, frames
from uctypes import bytearray_at

import pfm.testing
from pfm import PageFlags
from pfm.memmap import protocol
from pfm.testing import BufferMemory, FakeMachine, OutOfAddressesError


def _use(machine):
    """Boot, allocate, write to a frame and free; return the manager."""
    manager = machine.boot()
    pfn = manager.alloc(3)
    memory = bytearray_at(manager.as_virt(pfn << 12), 4096)
    memory[:] = b"\xa5" * 4096
    manager.set_flags(pfn, PageFlags.DIRTY)
    manager.free(pfn)
    manager.check()
    return manager


def test_sparse_and_flat_and_lazy_and_not():
    for sparse in (True, False):
        for lazy in (True, False):
            with FakeMachine(THREE_ZONES[:2], sparse=sparse, lazy=lazy) as machine:
                manager = _use(machine)
                at = manager.array.base - machine.hhdm
                in_hhdm = 0 <= at < manager.array.end_phys
                equal(in_hhdm, not (sparse and pfm.testing.ffi))


def test_memory_on_the_python_heap():
    size = MIB // 2
    memory = BufferMemory(size, 0, True)
    with FakeMachine([(0, size, protocol.USABLE)], memory=memory) as machine:
        manager = _use(machine)
        equal((manager.space, manager.max()), (None, frames(size) - 1))


def test_heap_has_no_room_for_a_large_machine():
    raises(OutOfAddressesError, BufferMemory, GIB, 0, True)
    raises(OutOfAddressesError, BufferMemory, MIB, 1 << 40, True)


def test_hhdm_at_a_given_address():
    if not pfm.testing.ffi:
        skip("no ffi to map memory at an address")
    hhdm = 0x5000_0000_0000
    with FakeMachine(SMALL_8M, hhdm=hhdm) as machine:
        manager = _use(machine)
        equal((manager.as_virt(0x1234), manager.as_phys(hhdm + 5)), (hhdm + 0x1234, 5))
        # Where something is, nothing can be mapped.
        raises(OutOfAddressesError, FakeMachine, SMALL_8M, hhdm)


def test_machine_of_a_tebibyte():
    if not pfm.testing.ffi:
        skip("no ffi for a tebibyte")
    with FakeMachine([(0, TIB, protocol.USABLE)]) as machine:
        equal(_use(machine).max(), frames(TIB) - 1)


def test_soft_reset_forgets_the_manager():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        equal(machine.manager, manager)
        machine.soft_reset()
        equal(machine.manager, None)
