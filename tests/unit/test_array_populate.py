"""pfm/array/populate.py: a page of the array gets a frame of its own when an entry in it is written."""

from ktap import equal, raises, skip
from maps import GIB, MIB, frames
from uctypes import bytes_at

from pfm import LockTimeoutError, PageFlags, PageFrame
from pfm.array.populate import pool_at, populate_range
from pfm.frame.entry import BYTE_SHARED, GRANULE
from pfm.memmap import protocol
from pfm.paging.tables import WRITE
from pfm.testing import FakeMachine

_PLAIN = [(0x1000, GIB, protocol.USABLE)]
# A frame whose page of the array nobody has written to, with others like it around.
_PFN = frames(512 * MIB) + 2 * GRANULE + 5
_OTHER = 2


def _booted(machine):
    pfm = machine.boot()
    if not pfm.space:
        skip("no address space for the array")
    return pfm


def _entry(pfm, pfn):
    return pfm.array.base + pfn * PageFrame.SIZE


def _pool(pfm):
    return pool_at(pfm.hhdm + pfm.array.control_phys)


def _own(pfm, pfn):
    """Return whether the page of an entry has a frame of its own, by its mapping and by its entries."""
    writable = bool(pfm.space.query(_entry(pfm, pfn))[2] & WRITE)
    shared = [
        bytes_at(_entry(pfm, at) + BYTE_SHARED, 1)[0]
        for at in range(pfn - pfn % GRANULE, pfn - pfn % GRANULE + GRANULE)
    ]
    equal(shared, [0 if writable else 1] * GRANULE)
    return writable


def test_first_write_gives_one_page_a_frame():
    with FakeMachine(_PLAIN) as machine:
        pfm = _booted(machine)
        taken = _pool(pfm).next_phys
        assert not _own(pfm, _PFN)
        pfm.set_flags(_PFN, PageFlags.DIRTY)
        assert _own(pfm, _PFN)
        for pfn in (_PFN - GRANULE, _PFN + GRANULE):
            assert not _own(pfm, pfn)
        equal(_pool(pfm).next_phys, taken + 4096)
        # The second write finds it there.
        pfm.set_flags(_PFN + 1, PageFlags.DIRTY)
        equal(_pool(pfm).next_phys, taken + 4096)
        start = _PFN - _PFN % GRANULE
        dirty = [pfn for pfn in range(start, start + GRANULE) if pfm.check_flags(pfn, 2)]
        equal(dirty, [_PFN, _PFN + 1])
        pfm.check()


def test_reading_gives_no_frame():
    with FakeMachine(_PLAIN) as machine:
        pfm = _booted(machine)
        assert not pfm.check_flags(_PFN, PageFlags.DIRTY)
        pfm.describe(_PFN)
        pfm.check()
        assert not _own(pfm, _PFN)


def test_range_gives_each_of_its_pages_a_frame():
    with FakeMachine(_PLAIN) as machine:
        pfm = _booted(machine)
        taken = _pool(pfm).next_phys
        populate_range(pfm._zones[0], pfm._base, _PFN, _PFN + 3 * GRANULE)
        for step in range(4):
            assert _own(pfm, _PFN + step * GRANULE)
        assert not _own(pfm, _PFN - GRANULE) and not _own(pfm, _PFN + 4 * GRANULE)
        equal(_pool(pfm).next_phys, taken + 4 * 4096)
        pfm.check()


def test_pool_that_another_context_keeps():
    with FakeMachine(_PLAIN) as machine:
        pfm = _booted(machine)
        _pool(pfm).lock = _OTHER
        error = raises(LockTimeoutError, pfm.set_flags, _PFN, PageFlags.DIRTY)
        equal((error.what, error.owner), ("pool of the array", _OTHER))
        assert not _own(pfm, _PFN)
        _pool(pfm).lock = 0
        pfm.set_flags(_PFN, PageFlags.DIRTY)
        pfm.check()
