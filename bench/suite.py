"""What is measured, on the unix port and on the target: rows of `measure.Figure`.

Costs of init stand next to C's memset of the same bytes, in the same run.
"""

import gc
from array import array

from pfm import PFM, PageFlags, fill, frame
from pfm.testing import FakeMachine, ffi

from .fakes import WindowMemory, entries
from .measure import figure

SIZES = (1 << 16, 1 << 19, 1 << 22, 1 << 24)

# Calls in a row, to be longer than the clock's tick.
_CALLS = 10000
_BATCH = 1000


def _machine(frames, lazy):
    """Return a machine whose array is mapped page by page if `lazy`, else lies in memory as it is."""
    memory = None if ffi else WindowMemory(PFM, frames)
    return FakeMachine(entries(frames), sparse=lazy, memory=memory)


def _init(frames):
    """Yield the rows of init for a machine of that many frames."""
    with _machine(frames, False) as machine:
        yield figure("init, every entry written", frames, "frame", frames, machine.boot)
        base = machine.boot().frames.base
        size = frames * frame.ENTRY_SIZE
        yield figure("memset of the array", frames, "frame", frames, lambda: fill.zero(base, size))
    if ffi:
        with _machine(frames, True) as machine:
            yield figure("init, pages shared until written", frames, "frame", frames, machine.boot)


def _repeat(job):
    def run():
        for _ in range(_CALLS):
            job()

    return run


def _calls(manager, frames):
    """Yield the rows of single calls on a machine of that many frames."""
    pfn = manager.alloc()
    flag = PageFlags.DIRTY

    def empty():
        pass

    def guard():
        with manager.get(pfn) as entry:
            entry.size_class = 1
            entry.tag = 2
            entry.next = 0
            entry.prev = 0
            entry.rc = 1

    def pair():
        manager.free(manager.alloc())

    def split():
        manager.free(manager.alloc(9))

    block = array("I", bytes(4 * _BATCH))

    def many():
        manager.alloc_many(block)
        manager.free_many(block)

    for name, job in (
        ("empty call", empty),
        ("set_flags", lambda: manager.set_flags(pfn, flag)),
        ("clear_flags", lambda: manager.clear_flags(pfn, flag)),
        ("check_flags", lambda: manager.check_flags(pfn, flag)),
        ("with get() and five writes", guard),
        ("alloc and free, order 0", pair),
        ("alloc and free, order 9", split),
    ):
        yield figure(name, frames, "call", _CALLS, _repeat(job))
    yield figure("alloc_many and free_many", frames, "frame", _BATCH, many)
    manager.free(pfn)


def rows():
    """Yield every row, smallest machine first."""
    for frames in SIZES:
        gc.collect()
        yield from _init(frames)
    for frames in (SIZES[0], SIZES[-1]):
        if ffi:
            with _machine(frames, True) as machine:
                yield from _calls(machine.boot(), frames)
    if not ffi:
        yield from _calls(PFM, PFM.max() + 1)
