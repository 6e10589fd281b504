"""The buddy system: blocks of 2**order frames that split into two buddies and merge again.

An allocation gets a whole block, so up to half of its frames serve nobody: internal waste.
Source: Knuth, The Art of Computer Programming, volume 1, 2.5, algorithms R and S.
"""


class BuddySystem:
    """Keeps, for each order, the set of the free blocks by their first frames."""

    def __init__(self, first, count):
        # More orders than any block before the end can have.
        self._blocks = [set() for _ in range(len(bin(first + count)))]
        end = first + count
        while first < end:
            order = 0
            while not first >> order & 1 and first + (2 << order) <= end:
                order += 1
            self._blocks[order].add(first)
            first += 1 << order

    def alloc(self, count):
        """Return the lowest block of the smallest order that has room for `count`, 0 for none."""
        order = _order(count)
        found = order
        while found < len(self._blocks) and not self._blocks[found]:
            found += 1
        if found >= len(self._blocks):
            return 0
        pfn = min(self._blocks[found])
        self._blocks[found].remove(pfn)
        while found > order:
            found -= 1
            self._blocks[found].add(pfn + (1 << found))
        return pfn

    def free(self, pfn, count):
        """Put the block back, merged with its buddy as long as that is free."""
        order = _order(count)
        while pfn ^ 1 << order in self._blocks[order]:
            self._blocks[order].remove(pfn ^ 1 << order)
            pfn &= ~(1 << order)
            order += 1
        self._blocks[order].add(pfn)

    def free_ranges(self):
        """Return the free blocks in order."""
        return sorted(
            [(pfn, 1 << order) for order, blocks in enumerate(self._blocks) for pfn in blocks]
        )


def _order(count):
    return len(bin(count - 1)) - 2 if count > 1 else 0
