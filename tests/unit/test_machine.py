"""pfm/machine.py: 512 GiB ranges of an address space; the rest is seen on the kernel (tests/target/test_memory.py)."""

from ktap import equal, raises
from maps import MIB
from uctypes import addressof, struct

from pfm import ArgumentError, FrameStateError, MappingError, NoRoomError, OutOfFramesError
from pfm.array.populate import POOL
from pfm.machine import KernelSpace
from pfm.memmap import protocol
from pfm.paging.tables import CACHE_DISABLE, LEVEL_2M, WRITE, WRITE_THROUGH
from pfm.testing import FakeMachine

ONE_PATH = "no manager is made"

_PREFERRED = 0xFFFF_EA00_0000_0000
_SPAN = 1 << 39
_SLOTS = [
    0xFFFF_0000_0000_0000 | slot << 39
    for slot in tuple(range(469, 511)) + tuple(range(467, 256, -1))
]

_PAGE = 4096
# The memory of a machine, and the processor's address bits: devices have what is above.
_RAM = 8 * MIB
_BITS = 30
_DEVICE = 0x1000_0000


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
        for virt in [_PREFERRED] + _SLOTS:
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


_UNCACHEABLE = WRITE | WRITE_THROUGH | CACHE_DISABLE


class _Devices:
    """A booted machine, and an address space whose tables are frames of its manager."""

    def __init__(self):
        # The device's range starts in a reserved region and ends beyond it.
        entries = [
            (0, _RAM, protocol.USABLE),
            (_DEVICE, 4 * _PAGE, protocol.RESERVED),
        ]
        self.machine = FakeMachine(entries)
        self.manager = self.machine.boot()
        self.refuse = False
        self.space = KernelSpace(
            self._take(),
            self.machine.hhdm,
            self._take,
            self._give,
            None,
            LEVEL_2M,
            manager=self.manager,
            phys_bits=_BITS,
        )
        self.space.clear_root()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.machine.close()

    def _take(self):
        if self.refuse:
            raise OutOfFramesError(0, 0, 1, (0, 0, 0))
        return self.manager.alloc() << 12

    def _give(self, phys):
        self.manager.free(phys >> 12)

    def mapping(self, phys):
        return self.space.query(self.machine.hhdm + phys)


def test_device_is_mapped_uncacheable_in_whole_pages():
    with _Devices() as d:
        virt = d.space.map_io(_DEVICE + 0xFFE, 4)
        equal(virt, d.machine.hhdm + _DEVICE + 0xFFE)
        for page in (0, 1):
            phys = _DEVICE + page * _PAGE
            equal(d.mapping(phys), (phys, _PAGE, _UNCACHEABLE))
        equal(d.mapping(_DEVICE - _PAGE), None)
        equal(d.mapping(_DEVICE + 2 * _PAGE), None)


def test_the_same_device_has_the_same_address():
    with _Devices() as d:
        virt = d.space.map_io(_DEVICE, 3 * _PAGE)
        before = d.manager.count_free()
        equal(d.space.map_io(_DEVICE, 3 * _PAGE), virt)
        equal(d.space.map_io(_DEVICE + 5000, 8), virt + 5000)
        equal(d.manager.count_free(), before)


def test_what_is_missing_of_a_range_is_mapped():
    with _Devices() as d:
        d.space.map_io(_DEVICE + _PAGE, 1)
        d.space.map_io(_DEVICE + 600 * _PAGE, _PAGE)
        equal(d.space.map_io(_DEVICE, 2000 * _PAGE), d.machine.hhdm + _DEVICE)
        for page in range(2000):
            phys = _DEVICE + page * _PAGE
            found, _, flags = d.mapping(phys)
            equal((found, flags), (phys, _UNCACHEABLE))


def test_ram_is_no_device():
    with _Devices() as d:
        for phys, size, pfn in ((_RAM - _PAGE, 1, 2047), (_RAM - 1, 2, 2047), (0, 1 << 24, 0)):
            error = raises(FrameStateError, d.space.map_io, phys, size)
            equal(error.pfn, pfn)
            assert "RAM" in error.state
        assert d.mapping(_RAM - _PAGE) is None


def test_page_of_another_memory_type_is_refused_and_nothing_is_mapped():
    with _Devices() as d:
        other = d.machine.hhdm + _DEVICE + 2 * _PAGE
        d.space.map(other, _DEVICE + 2 * _PAGE, 1, WRITE)
        before = d.manager.count_free()
        error = raises(MappingError, d.space.map_io, _DEVICE, 4 * _PAGE)
        equal(error.virt, other)
        equal(d.mapping(_DEVICE), None)
        equal(d.mapping(_DEVICE + 3 * _PAGE), None)
        equal(d.manager.count_free(), before)


def test_no_frame_for_a_table_leaves_nothing_mapped():
    with _Devices() as d:
        # Two gaps; only the second takes a table.
        d.space.map_io(_DEVICE + _PAGE, 1)
        d.refuse = True
        raises(OutOfFramesError, d.space.map_io, _DEVICE, (2 << 20) + _PAGE)
        for page in (0, 2, 511, 512):
            equal(d.mapping(_DEVICE + page * _PAGE), None)
        equal(d.mapping(_DEVICE + _PAGE)[2], _UNCACHEABLE)


def test_arguments_of_a_device():
    with _Devices() as d:
        map_io = d.space.map_io
        for phys, size in (
            (-1, 1),
            (1 << _BITS, 1),
            ((1 << _BITS) - 1, 2),
            (_DEVICE, 0),
            (_DEVICE, -5),
        ):
            raises(ArgumentError, map_io, phys, size)
        raises(TypeError, map_io, "0", 1)
        raises(TypeError, map_io, _DEVICE, 1.5)
        map_io((1 << _BITS) - 1, 1)
