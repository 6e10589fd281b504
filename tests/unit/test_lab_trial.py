"""pfm/lab/trial.py: a policy's frames are the manager's, and a policy that is wrong is caught."""

from allocation import overwrite
from ktap import equal, raises
from maps import MIB

import pfm
from pfm import (
    ArgumentError,
    FrameCorruptError,
    FrameRangeError,
    FrameStateError,
    OutOfFramesError,
    PolicyError,
)
from pfm.lab.firstfit import FirstFit
from pfm.lab.policy import POLICIES
from pfm.lab.trial import Trial
from pfm.memmap import protocol
from pfm.testing import FakeMachine

SMALL = [(0, 16 * MIB, protocol.USABLE)]


def _lab(check, debug=False):
    with FakeMachine(SMALL) as machine, pfm.sandbox(2, machine.boot(), debug) as lab:
        before = lab.check()
        check(lab)
        lab.drain()
        equal(lab.check(), before)


def test_frames_are_the_managers():
    def check(lab):
        for policy in POLICIES:
            trial = Trial(lab, policy)
            held = [trial.alloc(count) for count in (1, 5, 16, 33)]
            trial.check()
            equal((lab.owners().frames("lab"), trial.used), (55, 55))
            equal([b.pfn for b in lab.blocks(tag="lab")], sorted(held))
            assert 0 <= trial.unusable() < 1
            raises(OutOfFramesError, trial.alloc, trial.count - 54)
            for pfn in held:
                trial.free(pfn)
            trial.check()

    for debug in (False, True):
        _lab(check, debug)


def test_nothing_left():
    def check(lab):
        trial = Trial(lab, FirstFit)
        pfn = trial.alloc(trial.count)
        equal(trial.unusable(), 1)
        equal(raises(OutOfFramesError, trial.alloc, 1).count, 1)
        trial.check()
        trial.free(pfn)

    _lab(check)


class _Forgetful(FirstFit):
    """Leaves what it hands out on its list."""

    def alloc(self, count):
        ranges = list(self.ranges)
        pfn = super().alloc(count)
        self.ranges = ranges
        return pfn


class _Careless(FirstFit):
    """Lists what it gets back twice."""

    def free(self, pfn, count):
        self.ranges = self.ranges + [(pfn, count), (pfn, count)]


class _Losing(FirstFit):
    """Loses what it gets back."""

    def free(self, pfn, count):
        pass


class _Outside(FirstFit):
    """Thinks it has more than it has."""

    def __init__(self, first, count):
        super().__init__(first + count, count)


def test_frame_handed_out_twice():
    def check(lab):
        trial = Trial(lab, _Forgetful)
        pfn = trial.alloc(3)
        # Found before it happens, and when it happens.
        error = raises(PolicyError, trial.check)
        equal((error.policy, error.pfn), ("_Forgetful", pfn))
        assert "handed out" in str(error)
        error = raises(PolicyError, trial.alloc, 1)
        equal((error.pfn, trial.used), (pfn, 3))
        assert "second time" in str(error)
        lab.check()
        trial.free(pfn)

    _lab(check)


def test_lists_that_are_wrong():
    for policy, why in ((_Careless, "twice"), (_Losing, "lost"), (_Outside, "outside")):

        def check(lab):
            trial = Trial(lab, policy)
            if policy is _Outside:
                assert why in str(raises(PolicyError, trial.alloc, 1))
            else:
                trial.free(trial.alloc(3))
            assert why in str(raises(PolicyError, trial.check))

        _lab(check)


def test_bad_input():
    def check(lab):
        trial = Trial(lab, FirstFit)
        other = lab.alloc_contiguous(2)
        lab.free(other)
        pfn = trial.alloc(4)
        for count in (0, -1):
            raises(ArgumentError, trial.alloc, count)
        raises(TypeError, trial.alloc, "4")
        raises(FrameStateError, trial.free, pfn + 1)
        raises(FrameRangeError, trial.free, 1 << 30)
        raises(FrameRangeError, trial.free, -1)
        raises(TypeError, trial.free, None)
        mine = lab.alloc_at(pfn + 10, 1)
        assert "not by this trial" in str(raises(FrameStateError, trial.free, mine))
        lab.free(mine)
        trial.free(pfn)
        raises(FrameStateError, trial.free, pfn)
        trial.check()

    _lab(check)


def test_error_of_the_manager_gives_back_to_the_policy():
    def check(lab):
        trial = Trial(lab, FirstFit)
        trial.free(trial.alloc(4))
        overwrite(lab, trial.first)
        raises(FrameCorruptError, trial.alloc, 4)
        trial.check()
        equal(trial.used, 0)

    _lab(check, True)
