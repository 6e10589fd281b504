"""What must hold on a board (frameboard.py) in every state, and between calls."""

from framelayout import ARRAY, CONTROL, WORD
from interleave import Broken

# The order in which locks are taken: docs/locks.md.
_FRAME, _ZONE, _POOL = range(3)


class Rules:
    """The rules of a `board`, whose `memory` also has who holds which lock and owns which block."""

    def __init__(self, board, layout):
        self._board = board
        self._memory = board.memory
        self._layout = layout
        # Blocks that all processors may give back: (head, frames).
        self.lent = []

    # In every state

    def refuse_store(self, number, virt):
        """Refuse a store that the table in docs/locks.md, "Who writes what", does not allow."""
        layout = self._layout
        held = self._memory.get(("held", number), ())
        if virt >= ARRAY:
            if virt < layout.array_end:
                self._refuse_entry(number, virt, held)
        elif virt >= layout.magazines:
            owner = (virt - layout.magazines) // layout.magazine_size + 1
            if number not in (owner, self._board.stopper()):
                raise Broken("a store to the magazine of another processor")
        elif layout.pool <= virt < layout.cpu:
            if virt == layout.pool or layout.pool not in held:
                raise Broken("a store to the pool without its lock")
        elif virt < layout.zones_end:
            zone = virt - virt % layout.zone_size
            if virt == zone or zone not in held:
                raise Broken("a store to a zone without its lock")

    def _refuse_entry(self, number, virt, held):
        entry = self._layout.entry
        pfn = (virt - ARRAY) >> entry.ENTRY_SHIFT
        head = virt - virt % entry.ENTRY_SIZE
        if virt - head == entry.LOCK_OFFSET:
            raise Broken("a plain store to a lock")
        if self._owner(pfn) not in (0, number) and head + entry.LOCK_OFFSET not in held:
            raise Broken(f"a store to the entry of frame {pfn}, which another owns")
        if self._board.word(head) >> entry.KIND_SHIFT == entry.FREE:
            if CONTROL not in held:
                raise Broken(f"a store to the free head {pfn} without the zone's lock")

    def refuse_lock(self, virt, held):
        """Refuse a lock for a processor that has the locks `held`: the order is that of docs/locks.md."""
        if held and self._rank(virt) <= max(map(self._rank, held)):
            raise Broken("locks are taken out of order")

    def refuse_owner(self, pfn, count):
        """Refuse to give a block away of which a frame has an owner."""
        for each in range(pfn, pfn + count):
            if self._owner(each):
                raise Broken(f"frame {each} is owned twice")

    def _owner(self, pfn):
        """The processor that has a frame in a block, 0 for none."""
        for order in range(self._layout.zone.ORDER_MAX + 1):
            head = pfn >> order << order
            number, count = self._memory.get(("own", head), None) or (0, 0)
            if head + count > pfn:
                return number
        return 0

    def _rank(self, virt):
        """The place of a lock in the order in which locks are taken."""
        kind = _FRAME if virt >= ARRAY else _POOL if virt == self._layout.pool else _ZONE
        return kind, virt

    # Between calls

    def recount(self):
        """Return what is wrong with the board while no call is under way, None if nothing is."""
        for number in range(1, self._layout.processors + 1):
            # A guard keeps them off.
            if self._board.is_masked(number) and not self._memory.get(("held", number)):
                return f"processor {number} goes on with interrupts off"
        try:
            found = self._free_blocks() + self._stocks() + self._owned()
        except Broken as broken:
            return str(broken)
        seen = {}
        for pfn, count, where in found:
            for frame in range(pfn, pfn + count):
                if frame in seen:
                    return f"frame {frame} is in {seen[frame]} and in {where}"
                seen[frame] = where
        lost = sorted(set(self._layout.frames) - set(seen))
        return f"frames {lost[0]} to {lost[-1]}, {len(lost)} of them, are lost" if lost else None

    def entry_word(self, pfn, word):
        """Return a word of a frame's entry."""
        virt = ARRAY + (pfn << self._layout.entry.ENTRY_SHIFT) + word * WORD
        return self._board.word(virt)

    def _state(self, pfn):
        return self.entry_word(pfn, 0) >> self._layout.entry.STATE_SHIFT

    def _free_blocks(self):
        zone = self._layout.zone
        entry = self._layout.entry
        word = self._board.word
        blocks = []
        for order in range(zone.ORDER_MAX + 1):
            head = CONTROL + zone.LISTS_OFFSET + order * zone.LIST_SIZE
            pfn, before, length = word(head), 0, 0
            while pfn:
                state = entry.FREE << entry.STATE_KIND_SHIFT | order
                if self._state(pfn) != state or pfn % (1 << order):
                    raise Broken(
                        f"frame {pfn} on the free list of order {order} is no head of that"
                    )
                if self.entry_word(pfn, entry.WORD_PREV) != before:
                    raise Broken(f"the free head {pfn} does not name the one before it")
                blocks.append((pfn, 1 << order, f"the free list of order {order}"))
                before, pfn, length = pfn, self.entry_word(pfn, entry.WORD_NEXT), length + 1
                if length > len(self._layout.frames):
                    raise Broken(f"the free list of order {order} has a loop")
            if word(head + WORD) != length:
                raise Broken(f"the free list of order {order} is not as long as it says")
            if bool(word(CONTROL + zone.ZONE_ORDERS * WORD) >> order & 1) != bool(length):
                raise Broken(f"bit {order} of the zone's orders is wrong")
        if word(CONTROL + zone.ZONE_FREE * WORD) != sum(count for _, count, _ in blocks):
            raise Broken("the zone's count of free frames is wrong")
        return blocks

    def _stocks(self):
        entry = self._layout.entry
        cached = entry.CACHED << entry.STATE_KIND_SHIFT
        stocks = []
        for number in range(1, self._layout.processors + 1):
            magazine = self._layout.magazine(number)
            for at in range(1, self._board.word(magazine) + 1):
                pfn = self._board.word(magazine + at * WORD)
                if self._state(pfn) != cached:
                    raise Broken(f"frame {pfn} in a magazine is not marked so")
                stocks.append((pfn, 1, f"the magazine of {number}"))
        return stocks

    def _owned(self):
        entry = self._layout.entry
        blocks = []
        for pfn in self._layout.frames:
            number, count = self._memory.get(("own", pfn), None) or (0, 0)
            if number:
                state = entry.USED << entry.STATE_KIND_SHIFT | count.bit_length() - 1
                if self._state(pfn) != state:
                    raise Broken(
                        f"the head {pfn} of a block of {count} that is owned does not say so"
                    )
                blocks.append((pfn, count, f"a block of {number}"))
        for pfn, count in self.lent:
            if self._state(pfn) >> entry.STATE_KIND_SHIFT == entry.USED:
                blocks.append((pfn, count, "a block of all"))
        return blocks
