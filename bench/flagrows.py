"""Rows of flags: of a range, of an array of frames, and counted."""

from array import array

import micropython
import uctypes

from pfm import PageFlags
from pfm.testing import ffi

from .agree import agree
from .cpeers import peers
from .fakes import machine, memory
from .measure import compare

_FLAG = PageFlags.DIRTY
_REFERENCE_SIZE = 64
# Enough for random accesses to miss all caches; under TCG it takes 0.3 us per frame.
_BATCH = 1 << 20 if ffi else 1 << 18


@micropython.viper
def _in_order(frames: ptr32, count: int):
    i = 0
    while i < count:
        frames[i] = i + 1
        i += 1


@micropython.viper
def _at_random(frames: ptr32, count: int, limit: int):
    """Fill `frames` with random numbers from 1 to below `limit`, a power of two up to 2**24."""
    # A linear congruential generator of 30 bits with Marsaglia's multiplier; the upper bits
    # are the better ones.
    seed = 1
    i = 0
    while i < count:
        seed = (seed * 69069 + 1) & 0x3FFFFFFF
        frames[i] = (seed >> 6 & (limit - 1)) | 1
        i += 1


class _Both:
    """The entries of a machine and of the C reference, for the same number of frames."""

    def __init__(self, frames):
        self._machine = machine(frames)
        self._scratch = memory(frames * _REFERENCE_SIZE)
        self.manager = self._machine.boot()
        self.frames = frames
        self.base = self.manager.array.base
        self.reference = self._scratch.virt

    def agree(self, work, who):
        """Check that both have the flag set in the same entries."""
        differs = peers.reference_differs(self.reference, self.base, self.frames, _FLAG)
        agree(work, who, differs, self.frames)

    def close(self):
        self._machine.close()
        self._scratch.close()


def _ranges(both):
    manager, frames, base = both.manager, both.frames, both.base
    count = frames - 1
    work = "flags of a range"

    def ours():
        manager.set_flags_range(1, count, _FLAG)
        manager.clear_flags_range(1, count, _FLAG)

    def plain():
        peers.peer_set_range(base, 1, frames, _FLAG)
        peers.peer_clear_range(base, 1, frames, _FLAG)

    def reference():
        peers.reference_set_range(both.reference, 1, frames, _FLAG)
        peers.reference_clear_range(both.reference, 1, frames, _FLAG)

    manager.set_flags_range(1, count, _FLAG)
    peers.reference_set_range(both.reference, 1, frames, _FLAG)
    both.agree(work, "C reference")
    agree(work, "C loop", peers.peer_count_entries(base, frames, _FLAG), count)
    peers.peer_clear_range(base, 1, frames, _FLAG)
    agree(work, "C loop", manager.count_flags(_FLAG), 0)
    peers.reference_clear_range(both.reference, 1, frames, _FLAG)
    jobs = [("pfm", ours), ("C loop", plain), ("C reference", reference)]
    return compare(work, frames, "frame", 2 * count, jobs)


def _counts(both):
    manager, frames, base = both.manager, both.frames, both.base
    flag = PageFlags.RESERVED
    bitmap = array("Q", bytes(frames // 8))
    bitmap_virt = uctypes.addressof(bitmap)
    peers.peer_bitmap_fill(bitmap_virt, base, frames, flag)
    # Frame 0, which has no RAM, has the flag too.
    reserved = manager.count_flags(flag)
    agree("count", "C loop", peers.peer_count_entries(base, frames, flag), reserved + 1)
    agree("count", "C bitmap", peers.peer_bitmap_count(bitmap_virt, frames), reserved + 1)
    agree("count", "free frames", sum(manager.count_free()), frames - reserved - 1)
    jobs = [
        ("pfm", lambda: sum(manager.count_free())),
        ("pfm, by flags", lambda: manager.count_flags(flag)),
        ("C bitmap", lambda: peers.peer_bitmap_count(bitmap_virt, frames)),
        ("C loop", lambda: peers.peer_count_entries(base, frames, flag)),
        ("C reference", lambda: peers.reference_count(both.reference, frames, flag)),
    ]
    return compare("count free frames", frames, "frame", frames, jobs)


def flag_rows(frames):
    """Return the rows of ranges and counts for a machine of `frames` frames."""
    both = _Both(frames)
    rows = _ranges(both) + _counts(both)
    both.close()
    return rows


def batch_rows(frames):
    """Return the rows of flags over an array of frames."""
    both = _Both(frames)
    manager, base = both.manager, both.base
    count = min(frames - 1, _BATCH)
    picked = array("I", bytes(4 * count))
    virt = uctypes.addressof(picked)

    def ours():
        manager.set_flags_many(picked, _FLAG)
        manager.clear_flags_many(picked, _FLAG)

    def plain():
        peers.peer_set_many(base, virt, count, _FLAG)
        peers.peer_clear_many(base, virt, count, _FLAG)

    def reference():
        peers.reference_set_many(both.reference, virt, count, _FLAG)
        peers.reference_clear_many(both.reference, virt, count, _FLAG)

    rows = []
    for order in ("in order", "at random"):
        work = "flags of an array, " + order
        if order == "in order":
            _in_order(picked, count)
        else:
            _at_random(picked, count, frames)
        manager.set_flags_many(picked, _FLAG)
        peers.reference_set_many(both.reference, virt, count, _FLAG)
        both.agree(work, "C reference")
        peers.peer_clear_many(base, virt, count, _FLAG)
        agree(work, "C loop", manager.count_flags(_FLAG), 0)
        peers.reference_clear_many(both.reference, virt, count, _FLAG)
        jobs = [("pfm", ours), ("C loop", plain), ("C reference", reference)]
        rows += compare(work, frames, "frame", 2 * count, jobs)
    both.close()
    return rows
