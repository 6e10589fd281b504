"""pfm/lab/trace.py: a recording is what was done, and does not change what is done."""

from exhausted import COARSE, with_blocks_left
from ktap import equal, raises
from maps import MIB

import pfm
from pfm import NotInitialisedError, OutOfFramesError
from pfm.lab.trace import Trace
from pfm.memmap import protocol
from pfm.testing import FakeMachine

SMALL = [(0, 16 * MIB, protocol.USABLE)]


def test_steps_in_order():
    trace = Trace()
    equal((trace.alloc(5), trace.alloc(1 << 18)), (0, 1))
    trace.free(0)
    equal(trace.alloc(1), 2)
    trace.free(2)
    equal(list(trace), [(0, 5), (1, 1 << 18), (0, 0), (2, 1), (2, 0)])
    equal((len(trace), trace.allocations), (5, 3))


def _lab(call):
    with FakeMachine(SMALL) as machine, pfm.sandbox(4, machine.boot()) as lab:
        call(lab)
        lab.check()


def test_what_the_calls_do():
    def check(lab):
        old = lab.alloc()
        with lab.recording() as trace:
            block = lab.alloc(3)
            single = lab.alloc()
            run = lab.alloc_contiguous(77, align=16, tag="net")
            lab.free(single)
            # Of before, of another call, and one that fails: not recorded.
            lab.free(old)
            lab.free_many(lab.alloc_many(5))
            raises(OutOfFramesError, lab.alloc, 18)
            raises(pfm.FrameStateError, lab.free, single)
            lab.free(run)
            again = lab.alloc(order=1, zero=True, tag=3)
        lab.free(block)
        lab.free(again)
        equal(list(trace), [(0, 8), (1, 1), (2, 77), (1, 0), (2, 0), (3, 2)])

    _lab(check)


def test_calls_are_as_before_afterwards():
    def check(lab):
        before = dict(lab.__dict__)
        with lab.recording():
            assert lab.__dict__["alloc"] is not before.get("alloc")
        equal({name: lab.__dict__[name] for name in before}, before)
        equal("alloc_contiguous" in lab.__dict__, False)

    _lab(check)


def test_closed_in_the_block():
    with FakeMachine(SMALL) as machine:
        lab = pfm.sandbox(4, machine.boot())
        with lab.recording():
            lab.alloc()
            lab.close(force=True)
            raises(NotInitialisedError, lab.alloc)
        raises(NotInitialisedError, lab.alloc)


def test_what_cannot_be_recorded_is_not_allocated():
    def check(lab):
        with lab.recording() as trace:
            # So that lists and dictionaries have to grow.
            held = [lab.alloc() for _ in range(64)]
            free = lab.count_free()
            steps = len(trace)
            failed = 0
            for blocks in COARSE:
                done, pfn = with_blocks_left(blocks, lambda lab, given: lab.alloc(), lab, None)
                if done:
                    lab.free(pfn)
                failed += not done
                equal(lab.count_free(), free)
            assert failed and len(trace) >= steps
            for pfn in held:
                lab.free(pfn)

    _lab(check)
