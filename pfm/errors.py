"""Every error the frame manager raises, each with the values that led to it.

All of them derive from `PFMError`, save `OutOfFramesError`, which is a
`MemoryError` so that code written for Python's own exhaustion catches it too
(MicroPython cannot derive one class from both).  An argument of a wrong type is a
TypeError that names it.  An error leaves the manager as it was before the call.
"""

from micropython import const

# address.py
_PAGE_SHIFT = const(12)

_ZONE_NAMES = ("DMA", "DMA32", "NORMAL")


class PFMError(Exception):
    """Base of the frame manager's errors; the values are attributes of the instance."""


class NotInitialisedError(PFMError):
    """A call came before `init()`."""


class AlreadyInitialisedError(PFMError):
    """`init()` came a second time."""


class NoMemoryMapError(PFMError):
    """There is no memory map to read: no response, no HHDM, or no usable entry in it."""


class GarbledMemoryMapError(PFMError):
    """The memory map response cannot be one: `what` is wrong, `value` was found."""

    def __init__(self, what, value):
        super().__init__("memory map: {} {}".format(what, value))
        self.what = what
        self.value = value


class NoRoomError(PFMError):
    """No usable region holds `needed` frames in a row; the largest has `largest`."""

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

    Where it would be the address of a frame inside, the text says which.
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
    """The frame `pfn` is in bounds, but there is no RAM behind it."""

    def __init__(self, pfn):
        super().__init__("frame {} not present".format(pfn))
        self.pfn = pfn


class FlagsRangeError(PFMError):
    """`flags` do not fit the 16 bits of `PageFlags`."""

    def __init__(self, flags):
        super().__init__("flags {} outside 16 bits".format(flags))
        self.flags = flags


def _place_name(what):
    return "frame {}".format(what) if isinstance(what, int) else what


class LockHeldError(PFMError):
    """The calling context `owner` already holds the lock of `what`: a frame's number or what it is.

    A frame's is held by a guard.  `PFM.unlock(pfn)` releases that of a guard that was lost.
    """

    def __init__(self, what, owner):
        text = "{} already locked by this context ({})".format(_place_name(what), owner)
        if isinstance(what, int):
            text += ", by a guard"
        super().__init__(text)
        self.what = what
        self.owner = owner


class LockTimeoutError(PFMError):
    """Another context, `owner`, kept the lock of `what` over the whole bounded wait."""

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
    """An argument is outside its domain: `name`, `value` and what is `allowed`."""

    def __init__(self, name, value, allowed):
        super().__init__("{}: {}, not {}".format(name, allowed, value))
        self.name = name
        self.value = value
        self.allowed = allowed


class FrameStateError(PFMError):
    """The frame `pfn` is in `state`, which forbids `action`."""

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
    """Debugging found a free frame written to: `value` stands at `phys`, junk was expected."""

    def __init__(self, pfn, phys, value):
        super().__init__(
            "frame {} written while free: 0x{:08x} at p0x{:x}".format(pfn, value, phys)
        )
        self.pfn = pfn
        self.phys = phys
        self.value = value


class InvariantError(PFMError):
    """`PFM.check()` found `invariant` of docs/invariants.md broken: `found` where `expected` should stand.

    `pfn` is the first frame where it is, None where it is a matter of the whole `zone`.
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
    """A page table operation cannot be done at `virt`: `why`."""

    def __init__(self, virt, why):
        super().__init__("v0x{:x}: {}".format(virt, why))
        self.virt = virt
        self.why = why


class OutOfFramesError(MemoryError):
    """No block of `order` (or run of `count` frames) is left at or below `zone`.

    `free` is a tuple of the free frames in DMA, DMA32 and NORMAL at that time.
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
