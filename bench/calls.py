"""Rows of single calls (flags of a frame, a guard, allocation) and of calls on many frames."""

from array import array

import uctypes

from pfm import PFM, Cache, PageFlags
from pfm.address import PAGE_SHIFT
from pfm.alloc.zone import LIST_SIZE, LISTS_OFFSET, ORDER_MAX, zone_at, zone_of
from pfm.frame.entry import ENTRY_SIZE
from pfm.testing import ffi

from .agree import agree
from .cpeers import peers
from .fakes import lazy_machine, memory
from .measure import compare

_FLAG = PageFlags.DIRTY
_REFERENCE_SIZE = 64

# Statements per loop body, and rounds of the loop.
_UNROLLED = 20
_ROUNDS = 1000 if ffi else 100
_CALLS = _UNROLLED * _ROUNDS
_MANY = 4096

# Allocating _SPLIT_TO splits a block of _SPLIT_FROM, freeing merges it again.
_SPLIT_FROM = 11
_SPLIT_TO = 1

# Objects of a few in a stock's refill, and of many.
_OBJECT_SIZES = (64, 1000)
_SLAB_FRAMES = 16

_GUARD = """with manager.get(pfn) as f:
            f.size_class = 1
            f.tag = 2
            f.next = 0
            f.prev = 0
            f.rc = 1"""


def _loop(statement):
    """Return a function that runs the statement `_CALLS` times, in an unrolled loop."""
    body = "".join(["        " + statement + "\n" for _ in range(_UNROLLED)])
    found = {}
    exec("def run(manager, pfn, flag):\n    for _ in range(%d):\n%s" % (_ROUNDS, body), found)
    return found["run"]


def _flag_calls(manager, frames):
    pfn = manager.alloc()
    scratch = memory(_REFERENCE_SIZE)
    entry = memory(ENTRY_SIZE)
    empty = _loop("pass")

    def against(work, statement, *peers_jobs):
        run = _loop(statement)
        jobs = peers_jobs + (
            ("empty loop", lambda: empty(manager, pfn, _FLAG)),
            ("pfm", lambda: run(manager, pfn, _FLAG)),
        )
        return compare(work, frames, "call", _CALLS, jobs, "empty loop")

    flips = (
        ("C loop", lambda: peers.peer_flip_one(entry.virt, 0, _FLAG, _CALLS)),
        ("C reference", lambda: peers.reference_flip_one(scratch.virt, 0, _FLAG, _CALLS)),
    )
    rows = []
    for name in ("set_flags", "clear_flags", "check_flags"):
        rows += against(name, "manager.%s(pfn, flag)" % name, *flips)
    five = ("C reference", lambda: peers.reference_write_five(scratch.virt, 0, _CALLS))
    rows += against("get() and five writes", _GUARD, five)
    manager.free(pfn)
    scratch.close()
    entry.close()
    return rows


class _Buddy:
    """The C buddy allocator over the frames of a manager's highest zone."""

    def __init__(self, manager, frames):
        usable = [region for region in manager.regions if region.usable][-1]
        self._zone = zone_at(manager.as_virt(manager.array.control_phys), zone_of(usable.end - 1))
        self._entries = memory(frames * ENTRY_SIZE)
        self._state = bytearray(peers.buddy_size())
        self.state_virt = uctypes.addressof(self._state)
        start = max(self._zone.start, usable.start)
        peers.buddy_open(self.state_virt, self._entries.virt, start, usable.end)

    def blocks(self, order):
        """Return how many free blocks of `order` the manager's zone has."""
        return uctypes.struct(
            uctypes.addressof(self._zone) + LISTS_OFFSET + order * LIST_SIZE,
            {"head": 0 | uctypes.UINT32, "blocks": 4 | uctypes.UINT32},
        ).blocks

    def agree(self, work):
        """Check that both have the same number of free blocks of each order."""
        for order in range(ORDER_MAX + 1):
            agree(work, "C buddy", peers.buddy_blocks(self.state_virt, order), self.blocks(order))

    def alloc(self, order):
        """Allocate on the C side."""
        return peers.buddy_alloc(self.state_virt, order)

    def free(self, pfn):
        """Free on the C side."""
        peers.buddy_free(self.state_virt, pfn)

    def c_blocks(self, order):
        """Return how many free blocks of `order` the C side has."""
        return peers.buddy_blocks(self.state_virt, order)

    def close(self):
        self._entries.close()


def _clear_below(alloc, blocks):
    """Allocate until blocks of `_SPLIT_FROM` are the smallest free ones above order 0.

    Returns what was allocated.
    """
    taken = [alloc(_SPLIT_FROM)]
    while not blocks(_SPLIT_FROM):
        taken.append(alloc(_SPLIT_FROM))
    for order in range(_SPLIT_TO, _SPLIT_FROM):
        while blocks(order):
            taken.append(alloc(order))
    return taken


def _object_calls(manager, frames, frame_pairs):
    """Return the rows of objects, beside pairs of frames in the same runs."""
    # The peer's frames: one slab, at the start of memory of its own.
    memory_ = memory(_SLAB_FRAMES << PAGE_SHIFT)
    entries = memory(_SLAB_FRAMES * ENTRY_SIZE)
    buddy = bytearray(peers.buddy_size())
    slab = bytearray(peers.slab_size())
    buddy_virt = uctypes.addressof(buddy)
    slab_virt = uctypes.addressof(slab)
    peers.buddy_open(buddy_virt, entries.virt, 1, _SLAB_FRAMES)
    empty = _loop("pass")
    rows = []
    for size in _OBJECT_SIZES:
        peers.slab_open(slab_virt, buddy_virt, memory_.virt, size)
        general = _loop("manager.mfree(manager.malloc({}))".format(size))
        cache = Cache(size, "bench", manager=manager)
        # A cache's calls have the names of a frame's.
        for work, pairs, allocator in (
            ("malloc and mfree, {} bytes", general, manager),
            ("Cache alloc and free, {} bytes", frame_pairs, cache),
        ):
            jobs = [
                ("C slab", lambda: peers.slab_pairs(slab_virt, _CALLS)),
                ("empty loop", lambda: empty(manager, 0, 0)),
                ("a frame", lambda: frame_pairs(manager, 0, 0)),
                ("pfm", lambda pairs=pairs, allocator=allocator: pairs(allocator, 0, 0)),
            ]
            rows += compare(work.format(size), frames, "pair", _CALLS, jobs, "empty loop")
        cache.close()
    manager.check()
    memory_.close()
    entries.close()
    return rows


def _alloc_calls(manager, frames):
    buddy = _Buddy(manager, frames)
    state = buddy.state_virt
    empty = _loop("pass")
    manager.drain()
    buddy.agree("init")
    # Holding one frame keeps its buddy from merging, so order 0 has nothing to split.
    held = (manager.alloc(), buddy.alloc(0))
    run = _loop("manager.free(manager.alloc())")
    jobs = [
        ("C buddy", lambda: peers.buddy_pairs(state, 0, _CALLS)),
        ("empty loop", lambda: empty(manager, 0, 0)),
        ("pfm", lambda: run(manager, 0, 0)),
    ]
    rows = compare("alloc and free, order 0", frames, "pair", _CALLS, jobs, "empty loop")
    # Objects lie in the frames, and those of a made-up machine are no memory on the target.
    rows += _object_calls(manager if ffi else PFM, frames, run)
    manager.free(held[0])
    buddy.free(held[1])
    manager.drain()
    buddy.agree("alloc and free, order 0")

    taken = _clear_below(manager.alloc, buddy.blocks), _clear_below(buddy.alloc, buddy.c_blocks)
    split = _loop("manager.free(manager.alloc(%d))" % _SPLIT_TO)
    jobs = [
        ("C buddy", lambda: peers.buddy_pairs(state, _SPLIT_TO, _CALLS)),
        ("empty loop", lambda: empty(manager, 0, 0)),
        ("pfm", lambda: split(manager, 0, 0)),
    ]
    rows += compare("alloc and free, ten splits", frames, "pair", _CALLS, jobs, "empty loop")
    for pfn in taken[0]:
        manager.free(pfn)
    for pfn in taken[1]:
        buddy.free(pfn)
    manager.drain()
    buddy.agree("alloc and free, ten splits")

    many = array("I", bytes(4 * _MANY))
    many_virt = uctypes.addressof(many)

    def ours():
        manager.alloc_many(many)
        manager.free_many(many)

    jobs = [("pfm", ours), ("C buddy", lambda: peers.buddy_many(state, many_virt, _MANY))]
    rows += compare("alloc_many and free_many", frames, "frame", _MANY, jobs)
    manager.drain()
    buddy.agree("alloc_many and free_many")
    buddy.close()
    return rows


def call_rows(frames):
    """Return the rows of calls on a machine of `frames` frames."""
    lazy = lazy_machine(frames)
    manager = lazy.boot()
    rows = _flag_calls(manager, frames) + _alloc_calls(manager, frames)
    lazy.close()
    return rows
