"""What docs/memory-map.md says of a memory map, one frame at a time.

Independent of pfm: for each frame every entry is asked. Where maps are large, a
frame is asked for each stretch in which no entry begins or ends.
"""

from dataclasses import dataclass

PAGE = 1 << 12
PHYS_END = 1 << 52
PFN_END = (1 << 32) - 1
ZONE_ENDS = (1 << 12, 1 << 20, PFN_END)
ENTRIES_MAX = 1024

# Types of the Limine boot protocol, then the one that cut edges get.
USABLE, RESERVED, ACPI, NVS, BAD, LOADER, KERNEL, FRAMEBUFFER, MAPPED = range(9)
PARTIAL = 9

# Least restrictive first.
ORDER = (USABLE, LOADER, ACPI, PARTIAL, KERNEL, NVS, FRAMEBUFFER, MAPPED, RESERVED, BAD)
SAYS_RAM = {USABLE, LOADER, ACPI, PARTIAL, KERNEL, NVS, BAD}
WHOLE_FRAMES = {USABLE, LOADER, ACPI}


@dataclass(frozen=True)
class Frame:
    """One frame: kind is None where no entry tells of it."""

    kind: int | None
    present: bool


def frame(entries, pfn):
    """What the frame is."""
    start, end = pfn * PAGE, pfn * PAGE + PAGE
    kinds = set()
    for base, length, kind in entries:
        stop = min(base + length, PHYS_END)
        if base >= end or stop <= start or base >= stop:
            continue
        if kind > MAPPED:
            kind = RESERVED
        if kind in WHOLE_FRAMES and (base > start or stop < end):
            kind = PARTIAL
        kinds.add(kind)
        if pfn == 0 and kind in WHOLE_FRAMES:
            kinds.add(RESERVED)
    if not kinds:
        return Frame(None, False)
    return Frame(max(kinds, key=ORDER.index), bool(kinds & SAYS_RAM))


def stretches(entries):
    """(first, end, Frame) for all frames up to the last that an entry touches, neighbours joined."""
    edges = {0, 1}
    for base, length, _ in entries:
        for phys in (base, min(base + length, PHYS_END)):
            edges |= {min(PFN_END, phys // PAGE), min(PFN_END, -(-phys // PAGE))}
    edges = sorted(edges)
    found = []
    for first, end in zip(edges, edges[1:], strict=False):
        what = frame(entries, first)
        if found and found[-1][2] == what:
            found[-1] = (found[-1][0], end, what)
        else:
            found.append((first, end, what))
    return found


@dataclass
class Counts:
    """A machine's frames; usable ones for each zone, and the longest row of them."""

    low: int | None
    high: int | None
    present: int
    usable: tuple
    longest: int


def counts(entries):
    """The Counts of a map; low and high are None where there is no RAM."""
    found = stretches(entries)
    ram = [(first, end) for first, end, what in found if what.present]
    usable = [(first, end) for first, end, what in found if what.kind == USABLE]
    zones, low = [], 0
    for high in ZONE_ENDS:
        zones.append(sum(max(0, min(end, high) - max(first, low)) for first, end in usable))
        low = high
    return Counts(
        low=ram[0][0] if ram else None,
        high=ram[-1][1] - 1 if ram else None,
        present=sum(end - first for first, end in ram),
        usable=tuple(zones),
        longest=max((end - first for first, end in usable), default=0),
    )
