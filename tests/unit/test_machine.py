"""pfm/machine.py: 512 GiB ranges of an address space; the rest is seen on the kernel (tests/target/test_memory.py)."""

from ktap import equal, raises
from maps import MIB
from uctypes import addressof, struct

from pfm import NoRoomError
from pfm.array.populate import POOL
from pfm.machine import KernelSpace
from pfm.memmap import protocol
from pfm.testing import FakeMachine

ONE_PATH = "no manager is made"

_PREFERRED = 0xFFFF_EA00_0000_0000
_SPAN = 1 << 39
_SLOTS = [0xFFFF_0000_0000_0000 | slot << 39 for slot in range(257, 511)]


def _space(machine):
    """Return an address space whose tables are taken from 1 MiB up."""
    taken = [MIB]

    def take_table():
        taken[0] += 4096
        return taken[0]

    space = KernelSpace(MIB, machine.hhdm, take_table)
    space.clear_root()
    return space


def test_preferred_range_comes_first():
    with FakeMachine([(0, 8 * MIB, protocol.USABLE)]) as machine:
        equal(_space(machine).reserve(1), _PREFERRED)


def test_range_in_use_is_left_alone():
    with FakeMachine([(0, 8 * MIB, protocol.USABLE)]) as machine:
        space = _space(machine)
        space.map(_PREFERRED + _SPAN - 4096, 0x5000, 1)
        equal(space.reserve(1), _SLOTS[0])
        space.map(_SLOTS[0], 0x5000, 1)
        equal(space.reserve(1), _SLOTS[1])


def test_no_range_left():
    with FakeMachine([(0, 8 * MIB, protocol.USABLE)]) as machine:
        space = _space(machine)
        for virt in _SLOTS:
            space.map_shared(virt, 0x5000, 1 << 27)
        equal(raises(NoRoomError, space.reserve, 5).needed, 5)


def test_abandoned_range_is_unused_again():
    with FakeMachine([(0, 8 * MIB, protocol.USABLE)]) as machine:
        space = _space(machine)
        virt = space.reserve(1)
        space.map(virt, 0x5000, 3)
        space.abandon()
        assert space.unused(virt)
        equal(space.reserve(1), virt)


def test_pool_is_told_of_page_tables():
    with FakeMachine([(0, 8 * MIB, protocol.USABLE)]) as machine:
        memory = bytearray(64)
        state = struct(addressof(memory), POOL)
        _space(machine).open(state)
        equal(state.has_tables, 1)
