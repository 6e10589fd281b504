"""The flags of a frame: up to 16 bits, each with one meaning."""

import micropython
from micropython import const

from ..arguments import integer
from ..errors import FlagsRangeError

# Found in this module's globals, where a builtin would be looked for in vain first.
_INT = int

FLAGS_BITS = const(16)
FLAGS_MASK = const(0xFFFF)


class PageFlags:
    """Bits of the `flags` field; combine with `|`.  Source: `PageFlags` of faces-pfm, but for SLAB."""

    # The contents are being worked on.
    LOCKED = const(1 << 0)
    # The contents are newer than their backing store.
    DIRTY = const(1 << 1)
    # The contents are valid.
    UPTODATE = const(1 << 2)
    # The frame is on a least-recently-used list.
    LRU = const(1 << 3)
    # The frame was allocated alone, as a block of order 0.
    SMALL = const(1 << 4)
    # The frame belongs to a compound block.
    COMPOUND = const(1 << 5)
    # The frame is in the swap cache.
    SWAPCACHE = const(1 << 6)
    # The contents are being written to their backing store.
    WRITEBACK = const(1 << 7)
    # The frame holds a page table.
    PAGETABLE = const(1 << 8)
    # The frame holds part of a file.
    FILE = const(1 << 9)
    # The frame is never allocated.
    RESERVED = const(1 << 10)
    # The frame belongs to a slab, or to an object with frames of its own (pfm/slab).
    SLAB = const(1 << 11)


@micropython.native
def flags_number(flags):
    """Return `flags` as a plain int of at most 16 bits.  Raises TypeError, FlagsRangeError."""
    if flags.__class__ is not _INT:
        flags = integer("flags", flags, "bits of PageFlags")
    if flags >> FLAGS_BITS:
        raise FlagsRangeError(flags)
    return flags


# Lowest bit first.
FLAG_NAMES = (
    "LOCKED",
    "DIRTY",
    "UPTODATE",
    "LRU",
    "SMALL",
    "COMPOUND",
    "SWAPCACHE",
    "WRITEBACK",
    "PAGETABLE",
    "FILE",
    "RESERVED",
    "SLAB",
)


def decode_flags(flags):
    """Return the names of the bits set in `flags` as `"LOCKED|DIRTY"`, or `"-"` if none are set.

    Bits without a name follow as one hexadecimal number.
    """
    names = [name for bit, name in enumerate(FLAG_NAMES) if flags & (1 << bit)]
    rest = flags >> len(FLAG_NAMES) << len(FLAG_NAMES)
    if rest:
        names.append(hex(rest))
    return "|".join(names) or "-"
