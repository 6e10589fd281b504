"""Lab 1, a solution."""

from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.alloc.zone import ORDER_MAX, Zone
from pfm.memmap import protocol


def _frames(base, length):
    """Return the range of the frames that the bytes touch, and that of those that they fill."""
    end = base + length
    first = base >> PAGE_SHIFT
    last = end + PAGE_SIZE - 1 >> PAGE_SHIFT
    return first, last, base + PAGE_SIZE - 1 >> PAGE_SHIFT, end >> PAGE_SHIFT


def usable_ranges(entries):
    """Return the frames that usable entries fill and that no other entry touches."""
    # At each edge: the frame, and what it adds to the numbers of entries that offer the frames
    # from there on, and of those that forbid them.
    edges = [(0, 0, 1), (1, 0, -1)]

    def cover(start, end, offers, forbids):
        if start < end:
            edges.append((start, offers, forbids))
            edges.append((end, -offers, -forbids))

    for base, length, kind in entries:
        if not length:
            continue
        first, last, start, end = _frames(base, length)
        if kind != protocol.USABLE or start >= end:
            cover(first, last, 0, 1)
            continue
        cover(start, end, 1, 0)
        cover(first, start, 0, 1)
        cover(end, last, 0, 1)

    ranges = []
    offered = forbidden = previous = 0
    for pfn, offers, forbids in sorted(edges):
        if offered and not forbidden and pfn > previous:
            if ranges and ranges[-1][1] == previous:
                previous = ranges.pop()[0]
            ranges.append((previous, pfn))
        offered += offers
        forbidden += forbids
        previous = pfn
    return ranges


def free_blocks(start, end):
    """Return the largest aligned blocks, which grow at the start and shrink towards the end."""
    blocks = []
    while start < end:
        order = 0
        while order < ORDER_MAX and not start >> order & 1 and start + (2 << order) <= end:
            order += 1
        blocks.append((start, order))
        start += 1 << order
    return blocks


def blocks_by_order(ranges):
    """Return how many free blocks the ranges make: blocks[zone][order]."""
    counts = [[0] * (ORDER_MAX + 1) for _ in Zone.NAMES]
    for zone, blocks in enumerate(counts):
        low, high = Zone.BOUNDS[zone], Zone.BOUNDS[zone + 1]
        for start, end in ranges:
            for _, order in free_blocks(max(start, low), min(end, high)):
                blocks[order] += 1
    return counts
