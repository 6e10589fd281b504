"""The state of a manager, each attribute declared once, and the checks that all calls share.

`PageFrameManager` combines sibling classes (blocks, runs, many frames, flags, reports) over
this one state.  No sibling derives from another.
"""

import micropython

from .arguments import integer
from .errors import FrameRangeError, NotInitialisedError

# A global of this module is found faster than a builtin.
_INT = int


class State:
    """A manager's attributes, with their values before `init`; addresses are signed numbers."""

    # Public: docs/api.md.
    initialised = False
    regions = ()
    array = None
    space = None
    hhdm = 0
    debug = False
    init_us = 0
    # Whether `init` installs the fast path (fastpath/); every call also works without it.
    fast_path = True

    # The machine, and the types of the memory map reclaimed so far.
    _machine = None
    _reclaimed = ()
    # The struct that `save` wrote for `resume`, None before.
    _saved = None

    # Address of the array, and offset of the HHDM.
    _base = 0
    _hhdm = 0
    # The lowest and the highest frame with RAM; before init no frame is in bounds.
    _first = 0
    _last = -1

    # Addresses of the zones' structs, of the first magazine and of the fast path's struct.
    _zones = ()
    _magazines = 0
    _cpu = 0
    # Addresses of the object caches' structs, and of the first processor's stocks.
    _caches = 0
    _stocks = 0
    _processors = 0
    # The highest zone with a usable frame, -1 for none, and the number of usable frames.
    _top = -1
    _managed = 0

    # Address of the call sites, 0 if none are noted (alloc/sites.py).
    _sites = 0

    # The rows of RAM, and the regions that they were made from (manyflags/calls.py).
    _rows = None
    _rows_of = None

    @micropython.native
    def _ready(self):
        """Raise NotInitialisedError before init."""
        if self._last < 0:
            self._out_of_bounds(0)

    @micropython.native
    def _pfn(self, pfn):
        """Return `pfn` as a plain int in bounds.

        Raises FrameRangeError, TypeError, NotInitialisedError.
        """
        if pfn.__class__ is not _INT:
            pfn = self._plain_pfn(pfn)
        if not self._first <= pfn <= self._last:
            self._out_of_bounds(pfn)
        return pfn

    def _plain_pfn(self, pfn):
        self._ready()
        return integer("pfn", pfn, "0 to 2**32 - 1")

    def _out_of_bounds(self, pfn):
        if self._last < 0:
            raise NotInitialisedError("PFM.init() has not been called")
        raise FrameRangeError(pfn, self._first, self._last)
