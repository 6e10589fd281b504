"""A guard: a frame's entry, locked from `get` until it is released."""

import micropython
import uctypes
from micropython import const

from ..errors import ReleasedError
from ..lock import acquire, enable_irq, leave, xchg32
from .entry import LOCK_OFFSET, PageFrame

# frame/entry.py
_ENTRY_SHIFT = const(5)
_WORD_LOCK = const(6)
_LOCK_OFFSET = const(24)

# processor.py
_CPU_PLAIN = const(5)
_CPU_GUARDS = const(9)
_CPU_IRQ = const(10)
_CPU_OWNER = const(11)

# Indices of the list in a guard: the address of the fast path's struct, the address of the
# entry (0 after release), the entry as a struct, and `unlock`.
_STRUCT = const(0)
_VIRT = const(1)
_FIELDS = const(2)
_UNLOCK = const(3)


def _field(name):
    def load(self):
        return getattr(_entry(self._held), name)

    def store(self, value):
        setattr(_entry(self._held), name, value)

    return property(load, store)


class FrameGuard:
    """Holds a frame's lock from its creation to `release()` or the end of its `with` block.

    The fields are attributes; the `with` statement yields the entry itself, a
    `uctypes.struct`, whose fields are faster to access.  A value is truncated to its field's
    width, as `uctypes` does.  While a processor holds guards its interrupts are off, and any
    other call that takes one of their locks raises LockHeldError.  A guard that is dropped
    without a release keeps its frame locked, since the collector runs no finaliser for it;
    `PFM.unlock(pfn)` releases that lock.
    """

    @micropython.viper
    def __init__(self, held):
        # One list for all, since each store of an attribute searches a class that has
        # properties.
        self._held = held

    flags = _field("flags")
    order = _field("order")
    next = _field("next")
    prev = _field("prev")
    size_class = _field("size_class")
    rc = _field("rc")
    freelist_va = _field("freelist_va")
    tag = _field("tag")

    def release(self):
        """Release the lock.  Raises ReleasedError if that was already done."""
        _entry(self._held)
        self.__exit__(None, None, None)

    @micropython.viper
    def __enter__(self):
        held = self._held
        if int(held[_VIRT]) == 0:
            self.release()
        return held[_FIELDS]

    @micropython.viper
    def __exit__(self, kind, value, traceback):
        held = self._held
        virt = int(held[_VIRT])
        if virt:
            held[_VIRT] = 0
            # 0 if `PFM.unlock` has released the lock already.
            if int(ptr32(virt)[_WORD_LOCK]):
                cpu = int(held[_STRUCT])
                h = ptr32(cpu)
                if int(h[_CPU_PLAIN]):
                    h[_CPU_GUARDS] = int(h[_CPU_GUARDS]) - 1
                    ptr32(virt)[_WORD_LOCK] = 0
                else:
                    # Numbers, for a pointer that is passed on takes memory.
                    held[_UNLOCK](virt, cpu)


def _entry(held):
    """Return the entry of a guard; raise ReleasedError if it was released."""
    if not held[_VIRT]:
        raise ReleasedError(_pfn(held[_STRUCT], uctypes.addressof(held[_FIELDS])))
    return held[_FIELDS]


@micropython.viper
def _pfn(cpu: int, entry_virt: int) -> int:
    h = ptr32(cpu)
    return (entry_virt - (int(h[0]) | int(h[1]) << 32)) >> _ENTRY_SHIFT


@micropython.viper
def unlock(entry_virt: int, cpu: int):
    """Release the lock of a guard's entry; releasing the last guard restores interrupts."""
    h = ptr32(cpu)
    guards = int(h[_CPU_GUARDS]) - 1
    h[_CPU_GUARDS] = guards
    xchg32(entry_virt + _LOCK_OFFSET, 0)
    if guards == 0:
        enable_irq(int(h[_CPU_IRQ]))


@micropython.viper
def _count(h: ptr32, irq: int):
    """Count a guard; the first one saves the interrupt state from before it."""
    if int(h[_CPU_GUARDS]) == 0:
        h[_CPU_IRQ] = irq
    h[_CPU_GUARDS] = int(h[_CPU_GUARDS]) + 1


@micropython.native
def guard(cpu, entry_virt, pfn):
    """Lock the frame `pfn`, whose entry is present and writable, and return its `FrameGuard`.

    `cpu` is the address of the fast path's struct.  Interrupts stay off, but the lock's
    critical section ends here, so that a KeyboardInterrupt can be raised in the caller's code.
    Raises LockHeldError, LockTimeoutError.
    """
    made = FrameGuard([cpu, entry_virt, PageFrame.at(entry_virt), unlock])
    # Nothing after the lock is taken can fail.
    state = acquire(entry_virt + LOCK_OFFSET, pfn)
    _count(cpu, state)
    leave(0)
    return made


@micropython.viper
def lost(cpu: int, entry_virt: int) -> int:
    """Release the frame's lock if a guard of this context holds it.

    Returns 1 if it did, else minus the number of the lock's holder, 0 for none.
    """
    h = ptr32(cpu)
    head_of = int(ptr32(entry_virt)[_WORD_LOCK])
    if head_of != int(h[_CPU_OWNER]) or int(h[_CPU_GUARDS]) == 0:
        return 0 - head_of
    unlock(entry_virt, cpu)
    return 1
