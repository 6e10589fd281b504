"""Blocks of a processor in the table and in memory: taken, compared, left."""

import machine
from tests.target.traces.stamps import claim, compare, release

from pfm import PFM
from pfm.address import PAGE_SHIFT

# Blocks of one processor, at most.
_BLOCKS_MAX = 60


class Claims:
    """The part of `Actor` that knows which frames it has."""

    def _room(self, count):
        if self.frames + count > self.traces.share or len(self.blocks) >= _BLOCKS_MAX:
            return False
        return self._growing or self._chance(4)

    def _take(self, block):
        """Note a block that the manager gave."""
        block.stamp = self._stamp()
        self._claim(block, 0)
        self.blocks.append(block)
        self.frames += block.count

    def _claim(self, block, old, new=None):
        end = block.pfn + block.count
        found = claim(
            self.traces.table,
            self.traces.hhdm,
            block.pfn,
            end,
            old,
            new or self.owner,
            block.stamp,
        )
        if found != end:
            self._fail(
                "frame {} of the {} {}..{} is {}'s, not {}'s",
                found,
                block.kind,
                block.pfn,
                end,
                self.traces.table[found],
                old,
            )

    def look_at_block(self, block, owner):
        """Compare the memory and the flags of a block with what they must be."""
        end = block.pfn + block.count
        found = compare(self.traces.table, self.traces.hhdm, block.pfn, end, owner, block.stamp)
        if found != end:
            self._fail(
                "frame {} of the {} {}..{} has changed: {}'s, words {}",
                found,
                block.kind,
                block.pfn,
                end,
                self.traces.table[found],
                self._words(found),
            )
        if not PFM.check_flags(block.flagged, block.flags):
            self._fail("frame {} has lost its flags {}", block.flagged, block.flags)

    def _words(self, pfn):
        virt = PFM.as_virt(pfn << PAGE_SHIFT)
        return [hex(machine.mem32[virt + offset]) for offset in (0, 4, 4088, 4092)]

    def _leave(self, block):
        """Note that a block goes back, just before it does."""
        self.look_at_block(block, self.owner)
        if block.flags:
            PFM.clear_flags(block.flagged, block.flags)
        self.blocks.remove(block)
        self.frames -= block.count
        self.traces.recent[self.number] = block.pfn
        release(self.traces.table, block.pfn, block.pfn + block.count)
