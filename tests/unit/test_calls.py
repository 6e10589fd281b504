"""What a call is does not depend on the manager's state, and an override in a subclass is what gets called."""

from array import array

from calls import CALLS, MARKED
from ktap import equal, raises
from maps import SMALL_8M, THREE_ZONES

from pfm import AlreadyInitialisedError, NotInitialisedError, PageFrameManager
from pfm.testing import FakeMachine

_BY_POSITION = (
    ("set_flags", {"pfn": 5, "flags": 1}),
    ("clear_flags", {"pfn": 5, "flags": 1}),
    ("check_flags", {"pfn": 5, "flags": 1}),
    ("get", {"pfn": 5}),
    ("free", {"pfn": 5}),
)


def _managers():
    """Yield a manager in each state: before init, as usual, in debug mode, and one with everything overridden."""
    yield PageFrameManager()
    for debug in (False, True):
        with FakeMachine(SMALL_8M) as machine:
            yield machine.boot(debug)
    with FakeMachine(SMALL_8M) as machine:
        pfm = Overriding()
        pfm.init(machine)
        yield pfm


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


def test_arguments_by_position_in_every_state():
    for pfm in _managers():
        if isinstance(pfm, Overriding):
            continue
        for name, arguments in _BY_POSITION:
            raises(TypeError, getattr(pfm, name), **arguments)


def test_arguments_by_name_in_every_state():
    for pfm in _managers():
        if not pfm.initialised:
            continue
        pfm.free(pfm.alloc(order=1, zone=None, zero=True, tag=3, compound=True))
        pfm.free(pfm.alloc_contiguous(count=3, align=1, zone=None, below=None, zero=True, tag=3))
        pfm.free(pfm.alloc_at(pfn=MARKED, count=2, zero=True, tag=3))
        pfm.free_many(frames=pfm.alloc_many(frames=3, zone=None, tag=3))
        block = pfm.alloc(1)
        pfm.ref(pfn=block)
        pfm.unref(pfn=block)
        pfm.free(block)
        pfm.set_flags_range(pfn=5, count=1, flags=1)
        pfm.clear_flags_many(frames=array("I", (5,)), flags=1)


def test_before_init_every_call_says_so():
    with FakeMachine(SMALL_8M) as machine:
        booted = machine.boot()
        for call in CALLS:
            if call.name in ("unlock", "as_phys"):
                given = 5
            else:
                given = call.given(booted)
            raises(NotInitialisedError, call.run, PageFrameManager(), given)
        pfm = PageFrameManager()
        for call in (
            lambda: pfm.free_many(array("I")),
            lambda: pfm.set_flags_many(array("I"), 1),
            lambda: pfm.alloc_many(array("I")),
            lambda: pfm.save(0),
            pfm.reclaim,
            # Whatever else is wrong.
            lambda: pfm.free(None),
            lambda: pfm.set_flags(5, "x"),
            lambda: pfm.alloc("x"),
            lambda: pfm.alloc_contiguous(0),
            lambda: pfm.count_flags(-1),
            lambda: pfm.set_flags_range(5, 0, -1),
        ):
            raises(NotInitialisedError, call)


def test_second_manager_of_a_machine():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        walked = pfm.check()
        for call in (lambda: PageFrameManager().init(machine), lambda: pfm.init(machine)):
            raises(AlreadyInitialisedError, call)
        text = str(raises(AlreadyInitialisedError, PageFrameManager().init, machine))
        assert str(pfm) in text and "pfm.testing.FakeMachine" in text, text
        equal(pfm.check(), walked)
