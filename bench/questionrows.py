"""Rows of questions: walks over memory whose every other frame is allocated."""

from array import array

from pfm import PFM, Sandbox, Zone
from pfm.address import PAGE_SHIFT
from pfm.alloc.zone import zone_of
from pfm.frame.entry import ENTRY_SIZE
from pfm.testing import ffi

from .agree import agree
from .cpeers import peers
from .fakes import lazy_machine, machine, memory
from .measure import compare

# Blocks enough for a walk to miss all caches; under TCG a block takes 0.1 us.
_BLOCKS = 1 << 17 if ffi else 1 << 14

# 64 MiB.
_SANDBOX_FRAMES = 1 << 14
_MIB_SHIFT = 20


def _alternate(manager, count):
    """Allocate `count` frames and free every second of them."""
    frames = manager.alloc_many(array("I", bytes(4 * count)))
    manager.free_many(array("I", [frames[at] for at in range(1, count, 2)]))
    manager.drain()


def question_rows(frames):
    """Return the rows of questions for a machine of `frames` frames."""
    fake = machine(frames)
    manager = fake.boot()
    count = min(frames // 2, _BLOCKS)
    _alternate(manager, count)
    base = manager.array.base
    usable = [region for region in manager.regions if region.usable][-1]
    start, end = usable.start, usable.end

    def used():
        return peers.walk_used(base, start, end)

    # Ranges end at the edges of zones; the frames in use are in the highest.
    top = zone_of(end - 1)
    low = max(start, Zone.BOUNDS[top])

    def longest():
        return peers.walk_longest(base, low, end)

    agree("owners()", "C walk", used(), manager.owners().total)
    agree("snapshot()", "C walk", used(), manager.snapshot().frames())
    agree("blocks()", "C walk", used(), manager.blocks("used").sums()[1])
    agree("largest_free()", "C walk", longest(), manager.largest_free(top).zones[0].frames)
    units = manager.blocks().sums()[0]
    rows = []
    for work, ours, walk in (
        ("owners()", manager.owners, used),
        ("blocks(), sums", manager.blocks("used").sums, used),
        ("largest_free()", manager.largest_free, longest),
        ("fragmentation(9)", lambda: manager.fragmentation(9), longest),
        ("snapshot()", manager.snapshot, used),
    ):
        rows += compare(work, frames, "block", units, [("pfm", ours), ("C walk", walk)])
    history = manager.record()
    rows += compare("History.sample()", frames, "call", 1, [("pfm", history.sample)])
    fake.close()
    return rows


def sandbox_rows():
    """Return the rows of a sandbox that is opened and closed."""
    # On the target no fake machine has memory behind its frames.
    fake = lazy_machine(2 * _SANDBOX_FRAMES) if ffi else None
    lender = fake.boot() if fake else PFM
    size = _SANDBOX_FRAMES * ENTRY_SIZE
    scratch = memory(size)

    def ours():
        Sandbox(lender, _SANDBOX_FRAMES << PAGE_SHIFT >> _MIB_SHIFT).close()

    jobs = [("pfm", ours), ("C memset", lambda: peers.peer_memset(scratch.virt, size))]
    rows = compare("sandbox, opened and closed", _SANDBOX_FRAMES, "sandbox", 1, jobs)
    scratch.close()
    if fake:
        fake.close()
    return rows
