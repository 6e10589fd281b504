"""A guard: a frame's entry, locked from `get` until it is released."""

import micropython
import uctypes
from micropython import const

from ..errors import LockTimeoutError, ReleasedError
from ..lock import acquire, context, enable_irq, leave, xchg32
from .entry import LOCK_OFFSET, PageFrame

# frame/entry.py
_ENTRY_SHIFT = const(5)
_WORD_LOCK = const(6)
_LOCK_OFFSET = const(24)

# processor.py
_CPU_PLAIN = const(5)
_OWN_GUARDS = const(72)
_OWN_IRQ = const(73)

# control.py
_MAGAZINE_SHIFT = const(9)

# From the struct to what the first processor has of its own.
_CPU_TO_OWN = const(1024 - 832)

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
        """Release the lock.

        Raises ReleasedError if that was already done, LockTimeoutError on another processor
        than the one that took it.
        """
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
            # 0 if `PFM.unlock` has released the lock already.
            if int(ptr32(virt)[_WORD_LOCK]):
                cpu = int(held[_STRUCT])
                if int(ptr32(cpu)[_CPU_PLAIN]):
                    m = ptr32(cpu + _CPU_TO_OWN)
                    m[_OWN_GUARDS] = int(m[_OWN_GUARDS]) - 1
                    ptr32(virt)[_WORD_LOCK] = 0
                else:
                    # Numbers, for a pointer that is passed on takes memory.
                    held[_UNLOCK](virt, cpu)
            held[_VIRT] = 0


def _entry(held):
    """Return the entry of a guard; raise ReleasedError if it was released."""
    if not held[_VIRT]:
        raise ReleasedError(_pfn(held[_STRUCT], uctypes.addressof(held[_FIELDS])))
    return held[_FIELDS]


@micropython.viper
def _pfn(cpu: int, entry_virt: int) -> int:
    h = ptr32(cpu)
    return (entry_virt - (int(h[0]) | int(h[1]) << 32)) >> _ENTRY_SHIFT


def _elsewhere(cpu, entry_virt, holder):
    raise LockTimeoutError(_pfn(cpu, entry_virt), holder)


@micropython.viper
def unlock(entry_virt: int, cpu: int):
    """Release the lock of a guard's entry; releasing the last guard restores interrupts.

    Raises LockTimeoutError if another processor holds it, for the interrupts are that one's.
    """
    holder = int(ptr32(entry_virt)[_WORD_LOCK])
    if holder != int(context()):
        _elsewhere(cpu, entry_virt, holder)
    h = ptr32(cpu + _CPU_TO_OWN + ((holder - 1) << _MAGAZINE_SHIFT))
    guards = int(h[_OWN_GUARDS]) - 1
    h[_OWN_GUARDS] = guards
    xchg32(entry_virt + _LOCK_OFFSET, 0)
    if guards == 0:
        enable_irq(int(h[_OWN_IRQ]))


@micropython.viper
def _count(cpu: int, entry_virt: int, irq: int):
    """Count a guard, which has the entry's lock; the first one saves the interrupt state before it."""
    holder = int(ptr32(entry_virt)[_WORD_LOCK])
    h = ptr32(cpu + _CPU_TO_OWN + ((holder - 1) << _MAGAZINE_SHIFT))
    if int(h[_OWN_GUARDS]) == 0:
        h[_OWN_IRQ] = irq
    h[_OWN_GUARDS] = int(h[_OWN_GUARDS]) + 1


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
    _count(cpu, entry_virt, state)
    leave(0)
    return made


@micropython.viper
def lost(cpu: int, entry_virt: int) -> int:
    """Release the frame's lock if a guard of this context holds it.

    Returns 1 if it did, else minus the number of the lock's holder, 0 for none.
    """
    holder = int(ptr32(entry_virt)[_WORD_LOCK])
    own = cpu + _CPU_TO_OWN + ((holder - 1) << _MAGAZINE_SHIFT)
    if holder != int(context()) or int(ptr32(own)[_OWN_GUARDS]) == 0:
        return 0 - holder
    unlock(entry_virt, cpu)
    return 1
