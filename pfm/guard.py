"""A guard: one frame's entry, locked from `get` until it is released."""

import micropython
import uctypes
from micropython import const

from .errors import ReleasedError
from .frame import LOCK_OFFSET, PageFrame
from .lock import acquire, enable_irq, leave, xchg32

# hot.py
_PLAIN = const(5)
_GUARDS = const(9)
_IRQ = const(10)
_OWNER = const(11)

# frame.py, in words.
_LOCK = const(6)


def _field(name):
    def load(self):
        return getattr(_entry(self._held), name)

    def store(self, value):
        setattr(_entry(self._held), name, value)

    return property(load, store)


class FrameGuard:
    """Holds a frame's lock from its making to `release()` or the end of its `with` block.

    The fields are attributes; the `with` statement yields the entry itself, a
    `uctypes.struct`, whose fields are reached faster.  A value is cut to its
    field's width, as `uctypes` does.  While a processor holds guards its interrupts
    are off, and every other call that takes a lock of theirs raises LockHeldError.
    A guard that is dropped without a release keeps its frame locked, since the
    collector tells nobody: `PFM.unlock(pfn)` gives that lock back.
    """

    @micropython.viper
    def __init__(self, held):
        # [address of the struct of hot.py, the entry's address until release, the entry, unlock]:
        # one attribute for all, for at each store of one a class with properties is searched.
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
        """Give the lock back.  Raises ReleasedError when that has been done."""
        _entry(self._held)
        self.__exit__(None, None, None)

    @micropython.viper
    def __enter__(self):
        held = self._held
        if int(held[1]) == 0:
            self.release()
        return held[2]

    @micropython.viper
    def __exit__(self, kind, value, traceback):
        held = self._held
        virt = int(held[1])
        if virt:
            held[1] = 0
            # Not where `PFM.unlock` has been before.
            if int(ptr32(virt)[_LOCK]):
                h = ptr32(int(held[0]))
                if int(h[_PLAIN]):
                    h[_GUARDS] = int(h[_GUARDS]) - 1
                    ptr32(virt)[_LOCK] = 0
                else:
                    held[3](virt, h)


def _entry(held):
    """Return the entry of a guard that has not been released."""
    if not held[1]:
        raise ReleasedError(_pfn(held[0], uctypes.addressof(held[2])))
    return held[2]


@micropython.viper
def _pfn(hot: int, entry_virt: int) -> int:
    h = ptr32(hot)
    return (entry_virt - (int(h[0]) | int(h[1]) << 32)) >> 5


@micropython.viper
def unlock(entry_virt: int, h: ptr32):
    """Give the lock of a guard's entry back; with the last guard's, interrupts come back."""
    guards = int(h[_GUARDS]) - 1
    h[_GUARDS] = guards
    xchg32(entry_virt + (_LOCK << 2), 0)
    if guards == 0:
        enable_irq(int(h[_IRQ]))


@micropython.viper
def _count(h: ptr32, irq: int):
    """Count a guard; the first one keeps the interrupt state from before it."""
    if int(h[_GUARDS]) == 0:
        h[_IRQ] = irq
    h[_GUARDS] = int(h[_GUARDS]) + 1


@micropython.native
def guard(hot, entry_virt, pfn):
    """Lock the frame `pfn`, whose entry is present and may be written, and return its `FrameGuard`.

    `hot` is the address of the struct of hot.py.  Interrupts stay off, but the section
    of the lock ends here, for the caller's code must stay open to a KeyboardInterrupt.
    Raises LockHeldError, LockTimeoutError.
    """
    made = FrameGuard([hot, entry_virt, PageFrame.at(entry_virt), unlock])
    # Nothing after the lock is taken can fail.
    state = acquire(entry_virt + LOCK_OFFSET, pfn)
    _count(hot, state)
    leave(0)
    return made


@micropython.viper
def lost(hot: int, entry_virt: int) -> int:
    """Release the frame's lock if a guard of this context holds it, and return 1; else minus the holder, or 0."""
    h = ptr32(hot)
    holder = int(ptr32(entry_virt)[_LOCK])
    if holder != int(h[_OWNER]) or int(h[_GUARDS]) == 0:
        return 0 - holder
    unlock(entry_virt, h)
    return 1
