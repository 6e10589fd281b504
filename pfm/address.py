"""Frame numbers, physical and virtual addresses, and the conversions between them.

A frame is 4 KiB of physical memory; its number (PFN) is its physical address shifted right by
12.  Physical memory is accessed through the HHDM, the higher half direct map that the Limine
boot protocol sets up: virtual = physical + offset.
"""

from micropython import const

# Intel SDM volume 3, 4.3: the smallest page of x86-64 paging.
PAGE_SHIFT = const(12)
PAGE_SIZE = const(1 << 12)
PAGE_MASK = const((1 << 12) - 1)

# Intel SDM volume 3, 4.1.4: MAXPHYADDR is at most 52.
PHYS_LIMIT = const(1 << 52)

# An entry's links and a zone's exclusive end are 32 bits wide, so the last frame below 16 TiB
# and all frames above it are not managed.
PFN_LIMIT = const((1 << 32) - 1)

_SIGN = const(1 << 63)
_SPAN = const(1 << 64)


def signed(virt):
    """Return the 64-bit address `virt` as a signed number: small enough to need no heap."""
    return virt - _SPAN if virt & _SIGN else virt


def unsigned(virt):
    """Return the address `virt`, in either form, as it is written: 0 to 2**64 - 1.

    Other numbers are returned as they are.
    """
    return virt + _SPAN if -_SIGN <= virt < 0 else virt


class Phys(int):
    """A physical address, in bytes."""


class PFN(int):
    """A physical frame number, in frames of 4 KiB."""


def to(x):
    """Convert between the number types: int to `PFN`, `PFN` to `Phys`, `Phys` to `PFN`.

    `to(42)` is frame 42, `to(to(42))` its physical address 0x2a000, and a third `to` gives
    frame 42 again.  The results are ints too.  Raises TypeError if `x` is not an integer,
    ValueError if it is negative.
    Source: `to` of faces-pfm and its trait `AbsPageFrameManager`: PFN to address is `<< 12`,
    address to PFN is `>> 12`.
    """
    if not isinstance(x, int):
        raise TypeError("to() takes an int, PFN or Phys, not {}".format(type(x).__name__))
    if x < 0:
        raise ValueError("to({})".format(x))
    if isinstance(x, Phys):
        return PFN(x >> PAGE_SHIFT)
    if isinstance(x, PFN):
        return Phys(x << PAGE_SHIFT)
    return PFN(x)
