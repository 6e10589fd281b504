"""The loader's memory map, made into a partition of the frames.

The map may be unsorted, overlapping, unaligned or extend past the address space.
`partition()` returns sorted, disjoint regions of whole frames, by these rules:

- A range that may be allocated (usable, reclaimable) is rounded inward: it has only frames
  that lie wholly inside.  Its cut-off edges are RAM of the type PARTIAL.
- Every other range is rounded outward: it has every frame that it overlaps.
- Where ranges overlap, the more restrictive type wins, so no frame is usable that any other
  entry claims.
- A frame is present if any entry says that there is RAM, whichever type wins.
- Frame 0 is reserved, since 0 ends the lists of frames.
- Frames from `PFN_LIMIT` up, which is one frame below 16 TiB, do not exist.
"""

import uctypes
from micropython import const

from ..address import PAGE_SHIFT
from ..errors import GarbledMemoryMapError, NoMemoryMapError
from . import protocol

# Types of a region that the protocol does not have: RAM partly covered by a range that is
# rounded inward, and the frame manager's own array.
PARTIAL = const(9)
FRAME_ARRAY = const(10)

# From the least to the most restrictive; an unknown type counts as reserved.
_PRECEDENCE = (
    protocol.USABLE,
    protocol.BOOTLOADER_RECLAIMABLE,
    protocol.ACPI_RECLAIMABLE,
    PARTIAL,
    protocol.EXECUTABLE_AND_MODULES,
    protocol.ACPI_NVS,
    protocol.FRAMEBUFFER,
    protocol.RESERVED_MAPPED,
    protocol.RESERVED,
    protocol.BAD_MEMORY,
)
_RANK = {kind: rank for rank, kind in enumerate(_PRECEDENCE)}
_INWARD = (protocol.USABLE, protocol.BOOTLOADER_RECLAIMABLE, protocol.ACPI_RECLAIMABLE)
RAM = (
    protocol.USABLE,
    protocol.BOOTLOADER_RECLAIMABLE,
    protocol.ACPI_RECLAIMABLE,
    PARTIAL,
    protocol.EXECUTABLE_AND_MODULES,
    protocol.ACPI_NVS,
    protocol.BAD_MEMORY,
)
_RAM_RANKS = sum([1 << _RANK[kind] for kind in RAM])

# Shift of the frame in an edge, and mask of the rank.
_EDGE_SHIFT = const(8)
_RANK_MASK = const(127)

# End of the managed frames in bytes, `address.PFN_LIMIT` frames.
_BYTES_LIMIT = const(((1 << 32) - 1) << 12)
_PAGE_MASK = const(4095)

# Neither a response nor a list of pointers lies in the null page, and both are aligned.
_ADDRESS_MIN = const(4096)
_POINTER_SIZE = const(8)


class Region:
    """Frames `start`..`end` (exclusive) of one memory map `type`.

    `present` is whether they are RAM, `usable` whether they may be allocated.
    """

    def __init__(self, start, end, kind, present):
        self.start = start
        self.end = end
        self.type = kind
        self.present = present
        self.usable = kind == protocol.USABLE

    def __repr__(self):
        return "Region(0x{:x}, 0x{:x}, {}, {})".format(
            self.start,
            self.end,
            type_name(self.type),
            "present" if self.present else "absent",
        )


def type_name(kind):
    """Return the name of a region's type."""
    if kind == PARTIAL:
        return "partly usable"
    if kind == FRAME_ARRAY:
        return "frame array"
    return protocol.type_name(kind)


def _pointer(what, value):
    if value < _ADDRESS_MIN or value % _POINTER_SIZE:
        raise GarbledMemoryMapError(what, hex(value))
    return value


def read(response_virt):
    """Return the entries of the memory map response at `response_virt` as (base, length, type).

    Base and length are in bytes.  Raises NoMemoryMapError if there is no response or it has no
    entries, GarbledMemoryMapError for more than 1,024 entries or a pointer that is null or
    unaligned.  Source: Limine boot protocol, "Memory Map Feature".
    """
    if not response_virt:
        raise NoMemoryMapError("the loader gave no memory map response")
    response = uctypes.struct(_pointer("response at", response_virt), protocol.MEMMAP_RESPONSE)
    count = response.entry_count
    if not count:
        raise NoMemoryMapError("the memory map has no entries")
    if count > protocol.ENTRIES_MAX:
        raise GarbledMemoryMapError("entry count", count)
    entries_virt = _pointer("entries at", response.entries)
    entries = []
    for i in range(count):
        pointer = uctypes.struct(entries_virt + i * _POINTER_SIZE, protocol.MEMMAP_POINTER)
        _pointer("entry at", pointer.value)
        entry = pointer.entry[0]
        entries.append((entry.base, entry.length, entry.type))
    return entries


def _edge(edges, start, end, kind):
    """Append the start and the end of the frames `start`..`end` of that type to `edges`.

    An edge is a number made of the frame, the type's rank, and whether it is an end.
    """
    rank = _RANK[kind] << 1
    edges.append(start << _EDGE_SHIFT | rank)
    edges.append(end << _EDGE_SHIFT | rank | 1)


def _edges(entries):
    """Return the edges of all entries, sorted, each rounded as the entry's type requires."""
    edges = []
    for base, length, kind in entries:
        end = base + length
        if end > _BYTES_LIMIT:
            end = _BYTES_LIMIT
        if not length or base >= end:
            continue
        if kind > protocol.RESERVED_MAPPED:
            kind = protocol.RESERVED
        outer_start = base >> PAGE_SHIFT
        outer_end = (end + _PAGE_MASK) >> PAGE_SHIFT
        if kind not in _INWARD:
            _edge(edges, outer_start, outer_end, kind)
            continue
        start = (base + _PAGE_MASK) >> PAGE_SHIFT
        end >>= PAGE_SHIFT
        if start >= end:
            _edge(edges, outer_start, outer_end, PARTIAL)
            continue
        if not start:
            _edge(edges, 0, 1, protocol.RESERVED)
        _edge(edges, start, end, kind)
        if start > outer_start:
            _edge(edges, outer_start, start, PARTIAL)
        if outer_end > end:
            _edge(edges, end, outer_end, PARTIAL)
    edges.sort()
    return edges


def partition(entries):
    """Return the `Region`s into which `entries`, (base, length, type) in bytes, divide the frames.

    Sorted by `start`, disjoint, adjacent regions of one type joined; frames that no entry
    covers are in no region.  Cost: n log n for n entries.
    """
    found = []
    covers = [0] * len(_PRECEDENCE)
    # Bit n is set while entries of rank n cover the frames.
    ranks = 0
    previous = 0
    for edge in _edges(entries):
        pfn = edge >> _EDGE_SHIFT
        if pfn > previous:
            if ranks:
                _append(found, previous, pfn, ranks)
            previous = pfn
        rank = edge >> 1 & _RANK_MASK
        covers[rank] += -1 if edge & 1 else 1
        if covers[rank]:
            ranks |= 1 << rank
        else:
            ranks &= ~(1 << rank)
    return found


def _append(found, start, end, ranks):
    """Add the frames `start`..`end`, covered by entries of the `ranks`, to `found`."""
    present = ranks & _RAM_RANKS != 0
    rank = 0
    while ranks > 1:
        ranks >>= 1
        rank += 1
    kind = _PRECEDENCE[rank]
    if found:
        last = found[-1]
        if last.end == start and last.type == kind and last.present == present:
            last.end = end
            return
    found.append(Region(start, end, kind, present))


def adopt(found, kinds):
    """Return the regions `found`, those of the types `kinds` made usable, neighbours joined."""
    joined = []
    for region in found:
        kind = protocol.USABLE if region.type in kinds else region.type
        last = joined[-1] if joined else None
        if (
            last
            and last.end == region.start
            and last.type == kind
            and last.present == region.present
        ):
            last.end = region.end
        else:
            joined.append(Region(region.start, region.end, kind, region.present))
    return joined
