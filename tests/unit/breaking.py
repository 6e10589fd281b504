"""What the tests of `check()` share: ways to break an invariant, and the one way to see it named."""

import uctypes
from allocation import entry, zone
from ktap import equal, raises
from maps import SMALL_8M

from pfm import InvariantError, Zone
from pfm.alloc.buddy import head_of
from pfm.alloc.magazine import MAGAZINE_FRAMES
from pfm.check.invariants import INVARIANTS
from pfm.testing import FakeMachine

# Names of the invariants that have been broken so far.
_broken = set()

# A magazine's memory.
MAGAZINE = {
    "count": 0 | uctypes.UINT32,
    "frames": (4 | uctypes.ARRAY, MAGAZINE_FRAMES | uctypes.UINT32),
}


def break_and_check(invariant, pfn, change, machine=SMALL_8M, prepare=None):
    """Boot, `prepare`, `check()`, `change`, and expect `check()` to name `invariant` at frame `pfn`.

    `prepare` returns what `change` gets besides the manager; a `pfn` that is
    callable gets the same and returns the frame, or a zone's name.
    """
    _broken.add(invariant)
    with FakeMachine(machine) as fake:
        pfm = fake.boot()
        made = prepare(pfm) if prepare else None
        pfm.check()
        where = pfn(pfm, made) if callable(pfn) else pfn
        change(pfm, made)
        error = raises(InvariantError, pfm.check)
        equal(
            (error.invariant, error.zone if error.pfn is None else error.pfn), (invariant, where)
        )
        assert error.found != error.expected, str(error)
        assert invariant in str(error)
        # What it found, it left; and it left no lock.
        if invariant != "zone-lock":
            equal(raises(InvariantError, pfm.check).pfn, error.pfn)
        for number in range(3):
            if invariant != "zone-lock":
                equal(zone(pfm, number).lock, 0)


def all_are_broken(first, end=None):
    """Expect that the invariants from `first` to before `end` have been broken by a test."""
    named = INVARIANTS[INVARIANTS.index(first) : end and INVARIANTS.index(end)]
    equal([invariant for invariant in named if invariant not in _broken], [])


def poke(field, value):
    """Return a change that stores `value` in a field of the prepared frame."""

    def change(pfm, pfn):
        setattr(entry(pfm, pfn), field, value)

    return change


def poke_zone(number, field, step):
    def change(pfm, made):
        state = zone(pfm, number)
        setattr(state, field, getattr(state, field) + step)

    return change


def same(pfm, made):
    return made


def free_head(pfm):
    """Return the head of a free block that is not the first of its list, of 8 frames."""
    frames_ = [pfm.alloc(3) for _ in range(6)]
    for pfn in frames_[::2]:
        pfm.free(pfn)
    return entry(pfm, zone(pfm, Zone.DMA).lists[3].head).next


def with_lists_3_and_4(pfm):
    """Leave a free block of 8 and one of 16 frames; return the one of 8."""
    eight = pfm.alloc_at(1024, 8)
    pfm.alloc_at(1032, 8)
    sixteen = pfm.alloc_at(1040, 16)
    pfm.alloc_at(1056, 8)
    pfm.free(eight)
    pfm.free(sixteen)
    equal(head_of(pfm._base, 1027), 1024)
    return eight


def a_cached(pfm):
    """Return the lowest frame in the magazine."""
    pfm.free(pfm.alloc())
    magazine = uctypes.struct(pfm._magazines, MAGAZINE)
    return min([magazine.frames[i] for i in range(magazine.count)])
