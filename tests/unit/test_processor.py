"""pfm/processor.py: what is at hand to the calls of a processor."""

from ktap import equal
from maps import GIB, MIB, SMALL_8M, THREE_ZONES, frames
from uctypes import struct

from pfm import Zone, processor
from pfm.control import CPU_CLEAR_OFFSET, CPU_OFFSET, MAGAZINES_OFFSET
from pfm.memmap import protocol
from pfm.testing import FakeMachine

ONE_PATH = "the struct is the same, whoever reads it"


def _fields(pfm, offset=CPU_OFFSET):
    found = struct(pfm._cpu - CPU_OFFSET + offset, processor.CPU)
    return {name: getattr(found, name) for name in processor.CPU}


def test_struct_describes_the_array():
    for entries in (SMALL_8M, THREE_ZONES, [(MIB, 64 * MIB, protocol.USABLE)]):
        with FakeMachine(entries) as machine:
            pfm = machine.boot()
            found = _fields(pfm)
            equal(
                (found["base"], found["first"], found["last"]),
                (pfm.array.base, pfm.min(), pfm.max()),
            )
            equal(pfm._cpu - CPU_OFFSET + found["magazine"], pfm._magazines)
            equal(found["magazine"], MAGAZINES_OFFSET)


def test_struct_of_clear_flags_differs_in_one_word():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        found, clear = _fields(pfm), _fields(pfm, CPU_CLEAR_OFFSET)
        equal((found["turned"], clear["turned"]), (0, 0xFFFF))
        for name in ("base", "first", "last", "plain", "processors"):
            equal((name, clear[name]), (name, found[name]))


def test_highest_zone():
    with FakeMachine(THREE_ZONES) as machine:
        found = _fields(machine.boot())
        equal((found["top"], found["top_first"]), (Zone.NORMAL, frames(4 * GIB)))
    with FakeMachine(SMALL_8M) as machine:
        found = _fields(machine.boot())
        equal((found["top"], found["top_first"]), (Zone.DMA, 0))


def test_guards_are_counted():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        guards = [pfm.get(pfn) for pfn in (5, 6, 7)]
        equal(processor.guards(pfm._cpu), 3)
        for left, guard in enumerate(guards):
            guard.release()
            equal(processor.guards(pfm._cpu), 2 - left)
