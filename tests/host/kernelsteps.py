"""What the kernel's modules in C do, in the steps of interleave.py, for code of pfm on a board.

`critical.lock` and the like are one step, which waits while another holds the lock.
"""

from framelayout import TABLES_PHYS, WORD_MASK
from interleave import Acquire, Fill, Flush, Mask, Release, Resume, Stop, Unmask
from steps import Load, Store


def primitives(number, magazine, everywhere):
    """Return the modules by name, each with its functions by name, of the processor `number`.

    It uses the magazine of the processor `magazine`, and its flushes reach all processors if
    `everywhere`.
    """

    def enter():
        return (yield Mask())

    def leave(state):
        if state & 1:
            yield Unmask()

    def mask():
        # Whose magazine, too, is in the state before.
        return magazine << 1 | (yield Mask())

    def lock(virt, owner):
        holder = yield Acquire(virt, owner)
        return -holder if holder else (yield Mask())

    def unlock(virt, state):
        yield Release(virt)
        yield from leave(state)

    def lock_masked(virt):
        holder = yield Acquire(virt, number)
        return -holder if holder else (yield from mask())

    def change16(virt, lock, change):
        holder = yield Acquire(lock, number)
        if not holder:
            enabled = yield Mask()
            field = yield Load(virt, 2)
            yield Store(virt, 2, ((field | change) ^ change >> 16) & 0xFFFF)
            yield Release(lock)
            yield from leave(enabled)
        return holder

    def xchg32(virt, new):
        # As a guard's release has it.
        assert new == 0
        yield Release(virt)

    def store64(virt, low, high):
        yield Store(virt, 8, high << 32 | low & WORD_MASK)

    def flush(page, count):
        assert count == 1
        yield Flush(page, everywhere)

    def store_entries(virt, count, word, shared):
        yield Fill(virt, word, shared)

    def stop():
        yield Stop()

    def resume():
        yield Resume()

    return {
        "cpu": {
            "cmpxchg32": None,
            "xchg32": xchg32,
            "store64": store64,
            "cr3": lambda: TABLES_PHYS,
            "flush": flush,
        },
        "critical": {
            "enter": enter,
            "leave": leave,
            "lock": lock,
            "unlock": unlock,
            "context": lambda: number,
            "lock_many": None,
            "lock_masked": lock_masked,
            "unlock_masked": unlock,
            "change16": change16,
            "alone": lambda: 0,
            "mask": mask,
            "unmask": leave,
            "stop": stop,
            "resume": resume,
        },
        "pfm.fill": {"store_entries": store_entries, "words": None},
    }
