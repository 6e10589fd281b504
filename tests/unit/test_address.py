"""pfm/address.py: frame numbers, physical and virtual addresses."""

from ktap import equal, raises
from maps import SMALL_8M

from pfm import Phys, to
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
