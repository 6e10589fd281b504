"""The calls that a program of interleave.py makes on a processor of a board (frameboard.py)."""

from interleave import Begin, Disown, Own
from steps import call


class Caller:
    """Calls of pfm on one processor of a board, each a generator for a program."""

    def __init__(self, board, number):
        self._manager = board.managers[number - 1]
        errors = board.packages[number - 1].module("pfm.errors")
        self._guards = {}
        self._errors = (errors.PFMError, errors.OutOfFramesError)

    def alloc(self, order):
        """Allocate a block; return its first frame, or the name of the error."""
        yield Begin(f"alloc({order})")
        pfn = yield from self._try(self._manager.alloc, order)
        if isinstance(pfn, int):
            yield Own(pfn, 1 << order)
        return pfn

    def free(self, pfn, order):
        """Free a block that this processor owns; return None, or the name of the error."""
        yield Begin(f"free({pfn})")
        yield Disown(pfn)
        error = yield from self._try(self._manager.free, pfn)
        if error:
            yield Own(pfn, 1 << order)
        return error

    def call(self, name, *args):
        """Make a call that has nothing to do with who owns what; return likewise."""
        yield Begin(f"{name}{args}")
        return (yield from self._try(getattr(self._manager, name), *args))

    def take_guard(self, pfn):
        """Take the lock of a frame, as `get` does."""
        yield Begin(f"get({pfn})")
        self._guards[pfn] = yield from call(self._manager.get, pfn)

    def release_guard(self, pfn):
        """Release it, as the guard does."""
        yield Begin(f"release({pfn})")
        yield from call(self._guards.pop(pfn).__exit__, None, None, None)

    def _try(self, function, *args):
        try:
            return (yield from call(function, *args))
        except self._errors as error:
            return type(error).__name__
