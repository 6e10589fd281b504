"""Every error that the frame manager raises, each with the values that led to it.

All derive from `PFMError` except `OutOfFramesError`, which is a `MemoryError`: code that
handles Python's own out-of-memory error handles it too (MicroPython cannot derive one class
from both).  An argument of the wrong type raises a TypeError that names it.  An error leaves
the manager as it was before the call.
"""

from micropython import const

# address.py
_PAGE_SHIFT = const(12)

_ZONE_NAMES = ("DMA", "DMA32", "NORMAL")


class PFMError(Exception):
    """Base class of the frame manager's errors; the values are attributes of the instance."""


class NotInitialisedError(PFMError):
    """A call was made before `init()`."""


class AlreadyInitialisedError(PFMError):
    """`init()` was called twice, or for a machine that another manager already manages."""


class NoMemoryMapError(PFMError):
    """There is no usable memory map: no response, no HHDM response, no entries, or no RAM."""


class GarbledMemoryMapError(PFMError):
    """The memory map response is malformed: `what` has the impossible `value`."""

    def __init__(self, what, value):
        super().__init__("memory map: {} {}".format(what, value))
        self.what = what
        self.value = value


class NoRoomError(PFMError):
    """No usable region has `needed` contiguous frames; the largest has `largest`."""

    def __init__(self, needed, largest):
        super().__init__(
            "no usable region for {} frames of metadata, the largest has {}".format(
                needed, largest
            )
        )
        self.needed = needed
        self.largest = largest


class FrameRangeError(PFMError):
    """A frame number lies outside `low`..`high`, both inclusive.

    If the number is the physical address of a frame in range, the message names that frame.
    """

    def __init__(self, pfn, low, high):
        text = "frame {} outside {}..{}".format(pfn, low, high)
        if low <= pfn >> _PAGE_SHIFT <= high and pfn > high:
            text += "; the address p0x{:x} is in frame {}".format(pfn, pfn >> _PAGE_SHIFT)
        super().__init__(text)
        self.pfn = pfn
        self.low = low
        self.high = high


class FrameNotPresentError(PFMError):
    """The frame `pfn` is in bounds, but has no RAM."""

    def __init__(self, pfn):
        super().__init__("frame {} not present".format(pfn))
        self.pfn = pfn


class FlagsRangeError(PFMError):
    """`flags` does not fit in the 16 bits of `PageFlags`."""

    def __init__(self, flags):
        super().__init__("flags {} outside 16 bits".format(flags))
        self.flags = flags


def _place_name(what):
    return "frame {}".format(what) if isinstance(what, int) else what


class LockHeldError(PFMError):
    """The calling context `owner` already holds the lock of `what`: a frame number, or a name.

    A frame's lock is held by a guard; `PFM.unlock(pfn)` releases the lock of a guard that was
    lost.
    """

    def __init__(self, what, owner):
        text = "{} already locked by this context ({})".format(_place_name(what), owner)
        if isinstance(what, int):
            text += ", by a guard"
        super().__init__(text)
        self.what = what
        self.owner = owner


class LockTimeoutError(PFMError):
    """Another context, `owner`, held the lock of `what` for the whole bounded wait."""

    def __init__(self, what, owner):
        super().__init__("{} still locked by context {}".format(_place_name(what), owner))
        self.what = what
        self.owner = owner


class ReleasedError(PFMError):
    """A guard of the frame `pfn` was used after its release."""

    def __init__(self, pfn):
        super().__init__("guard of frame {} already released".format(pfn))
        self.pfn = pfn


class ArgumentError(PFMError):
    """The argument `name` has a `value` that is not `allowed`."""

    def __init__(self, name, value, allowed):
        super().__init__("{}: {}, not {}".format(name, allowed, value))
        self.name = name
        self.value = value
        self.allowed = allowed


class FrameStateError(PFMError):
    """The `state` of the frame `pfn` forbids `action`."""

    def __init__(self, action, pfn, state):
        super().__init__("cannot {} frame {}: {}".format(action, pfn, state))
        self.action = action
        self.pfn = pfn
        self.state = state


class RefcountError(PFMError):
    """The reference count `rc` of the frame `pfn` would leave 1..65535."""

    def __init__(self, action, pfn, rc):
        super().__init__("cannot {} frame {}: reference count {}".format(action, pfn, rc))
        self.action = action
        self.pfn = pfn
        self.rc = rc


class FrameCorruptError(PFMError):
    """Debug mode found a free frame modified: `value` at `phys` instead of poison."""

    def __init__(self, pfn, phys, value):
        super().__init__(
            "frame {} written while free: 0x{:08x} at p0x{:x}".format(pfn, value, phys)
        )
        self.pfn = pfn
        self.phys = phys
        self.value = value


def _address_name(virt):
    # An address is signed where the Python heap is to be spared.
    return "v0x{:x}".format(virt & 0xFFFF_FFFF_FFFF_FFFF)


class ObjectStateError(PFMError):
    """No object begins at the address `virt`, so `action` cannot be done: `state` says what is there."""

    def __init__(self, action, virt, state):
        super().__init__("cannot {} {}: {}".format(action, _address_name(virt), state))
        self.action = action
        self.virt = virt
        self.state = state


class DoubleFreeError(PFMError):
    """The object at `virt`, of the cache named `cache`, is free: freed already, or never allocated."""

    def __init__(self, virt, cache):
        super().__init__("object {} of {} is free already".format(_address_name(virt), cache))
        self.virt = virt
        self.cache = cache


class ForeignFreeError(PFMError):
    """The object at `virt` was to be freed to the cache `cache`, but belongs to `owner`."""

    def __init__(self, virt, cache, owner):
        super().__init__("object {} is of {}, not of {}".format(_address_name(virt), owner, cache))
        self.virt = virt
        self.cache = cache
        self.owner = owner


class ObjectCorruptError(PFMError):
    """Debug mode found an object's surroundings modified.

    Of the object at `virt`, of the cache named `cache`, the byte at `at` has the `value`; `what`
    says what was done to it, `tag` who allocated it (0: it is free).
    """

    def __init__(self, virt, cache, at, value, what, tag):
        super().__init__(
            "object {} of {}, tag 0x{:x}, {}: 0x{:02x} at {}".format(
                _address_name(virt), cache, tag, what, value, _address_name(at)
            )
        )
        self.virt = virt
        self.cache = cache
        self.at = at
        self.value = value
        self.what = what
        self.tag = tag


class CacheNameError(PFMError):
    """There can be no cache, or there is none, by this `name`; `why` says why."""

    def __init__(self, name, why):
        super().__init__("cache {}: {}".format(name, why))
        self.name = name
        self.why = why


class CacheInUseError(PFMError):
    """The cache `name` cannot be closed while `objects` of its objects are in use."""

    def __init__(self, name, objects):
        super().__init__("cache {} has {} objects in use".format(name, objects))
        self.name = name
        self.objects = objects


class InvariantError(PFMError):
    """`PFM.check()` found an `invariant` broken: `found` instead of `expected`.

    The name is that in docs/invariants.md.  `pfn` is the first frame that breaks it, None if
    the invariant concerns a whole `zone`.
    """

    def __init__(self, invariant, pfn, zone, found, expected):
        super().__init__(
            "{} broken at {}: found 0x{:x}, expected 0x{:x}".format(
                invariant, _place_name(zone if pfn is None else pfn), found, expected
            )
        )
        self.invariant = invariant
        self.pfn = pfn
        self.zone = zone
        self.found = found
        self.expected = expected


class MappingError(PFMError):
    """A page table operation is not possible at `virt`; `why` says why not."""

    def __init__(self, virt, why):
        super().__init__("v0x{:x}: {}".format(virt, why))
        self.virt = virt
        self.why = why


class NoCallSitesError(PFMError):
    """Call sites were asked for where none are noted."""

    def __init__(self):
        super().__init__("call sites are noted in debug mode on the kernel only")


class SandboxInUseError(PFMError):
    """A sandbox was closed while `frames` of it were allocated, or `guards` held its frames."""

    def __init__(self, frames, guards):
        super().__init__(
            "sandbox in use: {} frames allocated, {} guards; close(force=True) "
            "takes back the frames".format(frames, guards)
        )
        self.frames = frames
        self.guards = guards


class PolicyError(PFMError):
    """The `policy` did what no policy may with the frame `pfn`; `why` says what."""

    def __init__(self, policy, pfn, why):
        super().__init__("{} {} frame {}".format(policy, why, pfn))
        self.policy = policy
        self.pfn = pfn
        self.why = why


class OutOfFramesError(MemoryError):
    """No block of `order` (or run of `count` frames) is free in `zone` or a lower one.

    `free` is a tuple of the numbers of free frames in DMA, DMA32 and NORMAL at that time.
    """

    def __init__(self, zone, order, count, free):
        super().__init__(
            "out of frames: zone {}, order {}, {} frames; free: DMA {}, DMA32 {}, NORMAL {}".format(
                _ZONE_NAMES[zone], order, count, free[0], free[1], free[2]
            )
        )
        self.zone = zone
        self.order = order
        self.count = count
        self.free = free
