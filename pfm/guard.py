"""A guard: one frame's entry, locked for as long as the guard lives."""

import micropython
import uctypes

from .errors import ReleasedError
from .frame import LOCK_OFFSET, PageFrame
from .lock import acquire, release

_LAYOUT = PageFrame.LAYOUT


def _field(name):
    def load(self):
        return getattr(self._frame(), name)

    def store(self, value):
        setattr(self._frame(), name, value)

    return property(load, store)


class FrameGuard:
    """Holds a frame's lock from its making to `release()` or the end of its `with` block.

    The fields are attributes; the `with` statement yields the entry itself, a
    `uctypes.struct`, whose fields are reached faster.  A value is cut to its
    field's width, as `uctypes` does.  While the guard holds the lock, interrupts
    are off, and every other call that takes this frame's lock raises LockHeldError.
    """

    @micropython.native
    def __init__(self, manager, pfn, entry_virt):
        self.pfn = pfn
        self._manager = manager
        self._virt = entry_virt
        self._irq = acquire(entry_virt + LOCK_OFFSET, pfn)
        manager._guards += 1
        self._entry = uctypes.struct(entry_virt, _LAYOUT)

    flags = _field("flags")
    order = _field("order")
    next = _field("next")
    prev = _field("prev")
    size_class = _field("size_class")
    rc = _field("rc")
    freelist_va = _field("freelist_va")
    tag = _field("tag")

    def _frame(self):
        if self._entry is None:
            raise ReleasedError(self.pfn)
        return self._entry

    @micropython.native
    def release(self):
        """Give the lock back.  Raises ReleasedError when that has been done."""
        self._frame()
        self._entry = None
        self._manager._guards -= 1
        release(self._virt + LOCK_OFFSET, self._irq)

    @micropython.native
    def __enter__(self):
        return self._frame()

    @micropython.native
    def __exit__(self, kind, value, traceback):
        if self._entry is not None:
            self.release()
