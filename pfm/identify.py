"""What lies at an address: the frame, and everything that knows something about it."""

from . import buddy
from .address import PAGE_SHIFT, PAGE_SIZE, PFN, PFN_LIMIT, PHYS_LIMIT, Phys
from .errors import ArgumentError
from .flags import decode_flags
from .frame import (
    ABSENT,
    COMPOUND_TAIL,
    ENTRY_SHIFT,
    KIND_NAMES,
    KIND_SHIFT,
    ORDER_MASK,
    PART,
    RESERVED,
    TAIL,
    PageFrame,
)
from .memmap import type_name
from .paging import CACHE_DISABLE, EXECUTE, GLOBAL, WRITE, WRITE_THROUGH
from .report import Report
from .units import human_size, phys_text, virt_text
from .zone import Zone, zone_of

_ADDRESS_END = 1 << 64

_MAPPING_FLAGS = (
    (GLOBAL, "global"),
    (WRITE_THROUGH, "write-through"),
    (CACHE_DISABLE, "uncached"),
)


def _rights(flags):
    """Return a mapping's flags as `"rw- global"`."""
    rights = "r" + ("w" if flags & WRITE else "-") + ("x" if flags & EXECUTE else "-")
    return " ".join([rights] + [name for flag, name in _MAPPING_FLAGS if flags & flag])


class Block:
    """A block of 2**`order` frames from `head` on, of the kind `kind`; `run` is the first frame of its run or block."""

    def __init__(self, manager, head):
        entry = manager.entry(head)
        self.head = head
        self.kind = entry.state >> KIND_SHIFT
        self.order = entry.state & ORDER_MASK
        self.run = entry.prev if self.kind == PART else head
        owner = manager.entry(self.run) if manager.min() <= self.run <= manager.max() else entry
        self.rc = owner.rc
        self.tag = owner.tag

    def __contains__(self, pfn):
        return self.head <= pfn < self.head + (1 << self.order)
