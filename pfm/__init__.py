"""pfm, a physical page frame manager.

    from pfm import PFM, PageFlags

    PFM.init()
    pfn = PFM.alloc()
    PFM.set_flags(pfn, PageFlags.DIRTY)
    PFM.free(pfn)

`PFM` manages the machine that the kernel runs on.  docs/ has the vocabulary,
the states of a frame and every call.
"""

from .address import PFN, Phys, to
from .alloc.zone import Zone
from .errors import (
    AlreadyInitialisedError,
    ArgumentError,
    CacheInUseError,
    CacheNameError,
    DoubleFreeError,
    FlagsRangeError,
    ForeignFreeError,
    FrameCorruptError,
    FrameNotPresentError,
    FrameRangeError,
    FrameStateError,
    GarbledMemoryMapError,
    InvariantError,
    LockHeldError,
    LockTimeoutError,
    MappingError,
    NoCallSitesError,
    NoMemoryMapError,
    NoRoomError,
    NotInitialisedError,
    ObjectCorruptError,
    ObjectStateError,
    OutOfFramesError,
    PFMError,
    PolicyError,
    RefcountError,
    ReleasedError,
    SandboxInUseError,
)
from .frame.entry import PageFrame
from .frame.flags import PageFlags, decode_flags
from .lab.sandbox import Sandbox
from .manager import PageFrameManager
from .slab.cache import Cache

__version__ = "0.2.0"

PFM = PageFrameManager()


def sandbox(mib=64, lender=None, debug=False):
    """Return a manager of its own on `mib` MiB that `lender` (default: `PFM`) lends, `Sandbox`."""
    return Sandbox(PFM if lender is None else lender, mib, debug)
