"""pfm/alloc/compound.py: each frame of a compound block stands for it."""

from allocation import entry, refused
from ktap import equal, raises
from maps import SMALL_8M

from pfm import FrameStateError
from pfm.testing import FakeMachine


def test_tails_of_a_compound_block_stand_for_it():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        head = pfm.alloc(3, compound=True)
        for number, pfn in enumerate(range(head, head + 8), 2):
            equal(pfm.ref(pfn), number)
        for pfn in range(head, head + 8):
            equal(pfm.unref(pfn), head + 8 - pfn)
        equal(pfm.unref(head + 5), 0)
        for pfn in range(head, head + 8):
            refused(pfm, FrameStateError, pfm.unref, pfn)


def test_tail_of_a_compound_block_cannot_be_freed():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        head = pfm.alloc(3, compound=True)
        error = refused(pfm, FrameStateError, pfm.free, head + 1)
        equal(error.state, "tail of the compound block at {}".format(head))
        pfm.free(head)


def test_compound_tails_are_plain_again_after_free():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        head = pfm.alloc(3, compound=True)
        pfm.free(head)
        equal(pfm.alloc(3), head)
        for pfn in range(head + 1, head + 8):
            equal((entry(pfm, pfn).flags, entry(pfm, pfn).state), (0, 0))
            raises(FrameStateError, pfm.ref, pfn)
        pfm.check()
