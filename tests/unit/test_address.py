"""pfm/address.py: frame numbers, physical and virtual addresses."""

from ktap import equal, raises
from maps import SMALL_8M

from pfm import Phys, to
from pfm.address import signed, unsigned
from pfm.testing import FakeMachine


def test_conversions():
    equal(to(42), 42)
    equal(to(to(42)), 0x2A000)
    equal(to(Phys(0x2AFFF)), 42)
    raises(TypeError, to, 1.5)
    raises(ValueError, to, -1)
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        equal(pfm.as_virt(0x1234), machine.hhdm + 0x1234)
        equal(pfm.as_phys(pfm.as_virt(0x1234)), 0x1234)


def test_address_signed_and_as_written():
    for virt, number in (
        (0, 0),
        (0x7FFF_FFFF_FFFF, 0x7FFF_FFFF_FFFF),
        (0xFFFF_8000_0000_1000, -0x7FFF_FFFF_F000),
        ((1 << 64) - 1, -1),
        (1 << 63, -(1 << 63)),
    ):
        equal((signed(virt), unsigned(number), unsigned(virt)), (number, virt, virt))
    for number in (1 << 64, -(1 << 63) - 1):
        equal(unsigned(number), number)
