"""pfm/fastpath/install.py: which calls have a fast path, and that an override is what gets called."""

from calls import FAST
from ktap import equal
from maps import SMALL_8M, THREE_ZONES

from pfm import PageFrameManager
from pfm.testing import FakeMachine


class Overriding(PageFrameManager):
    """Counts the calls of each of its overrides."""

    def __init__(self):
        super().__init__()
        self.counts = {}

    def _count(self, name):
        self.counts[name] = self.counts.get(name, 0) + 1

    def alloc(self, order=0, zone=None, zero=False, tag=0, compound=False):
        self._count("alloc")
        return super().alloc(order, zone, zero, tag, compound)

    def free(self, pfn):
        self._count("free")
        super().free(pfn)

    def get(self, pfn):
        self._count("get")
        return super().get(pfn)

    def set_flags(self, pfn, flags):
        self._count("set_flags")
        super().set_flags(pfn, flags)

    def clear_flags(self, pfn, flags):
        self._count("clear_flags")
        super().clear_flags(pfn, flags)

    def check_flags(self, pfn, flags):
        self._count("check_flags")
        return super().check_flags(pfn, flags)


def _with_fast_path(pfm):
    return sorted([name for name in FAST if name in pfm.__dict__])


def test_calls_with_a_fast_path():
    """And none of them where the tests run on the slow path."""
    with FakeMachine(SMALL_8M) as machine:
        fast = PageFrameManager.fast_path
        equal(_with_fast_path(machine.boot()), sorted(FAST) if fast else [])
        machine.soft_reset()
        in_debug = [name for name in FAST if name not in ("alloc", "free", "malloc", "mfree")]
        equal(_with_fast_path(machine.boot(debug=True)), sorted(in_debug) if fast else [])


def test_overrides_are_called():
    with FakeMachine(THREE_ZONES) as machine:
        for debug in (False, True):
            machine.soft_reset()
            pfm = Overriding()
            pfm.init(machine, debug)
            for times in range(1, 4):
                pfn = pfm.alloc(times % 2)
                pfm.set_flags(pfn, 2)
                assert pfm.check_flags(pfn, 2)
                pfm.clear_flags(pfn, 2)
                assert not pfm.check_flags(pfn, 2)
                pfm.get(pfn).release()
                pfm.free(pfn)
                for name, count in pfm.counts.items():
                    equal((name, count), (name, 2 * times if name == "check_flags" else times))
            pfm.check()


def test_an_attribute_of_the_user_is_called():
    with FakeMachine(SMALL_8M) as machine:
        pfm = PageFrameManager()
        asked = []
        pfm.alloc = asked.append
        pfm.init(machine)
        pfm.alloc(3)
        equal(asked, [3])
