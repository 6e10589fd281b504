"""Calls before init, as usual and in debug mode: the same arguments, and before init the same error from all."""

from array import array

from calls import CALLS, MARKED
from ktap import raises
from maps import SMALL_8M

from pfm import NotInitialisedError, PageFrameManager
from pfm.testing import FakeMachine

_BY_POSITION = (
    ("set_flags", {"pfn": 5, "flags": 1}),
    ("clear_flags", {"pfn": 5, "flags": 1}),
    ("check_flags", {"pfn": 5, "flags": 1}),
    ("get", {"pfn": 5}),
    ("free", {"pfn": 5}),
    ("mfree", {"virt": 5}),
)


def _managers():
    """Yield a manager in each state: before init, as usual, and in debug mode."""
    yield PageFrameManager()
    for debug in (False, True):
        with FakeMachine(SMALL_8M) as machine:
            yield machine.boot(debug)


def test_arguments_by_position_in_every_state():
    for pfm in _managers():
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
        pfm.mfree(pfm.malloc(size=16, tag=3))
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
