"""Operations on flags: of a processor's own frames, of a frame of all, and of any."""

from pfm import PFM, FrameNotPresentError, PageFlags
from pfm.lock import critical as section

# Bits that the allocator never looks at; one for each processor on the frame of all.
SPARE_FLAGS = (1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 1, 1 << 2, 1 << 3, 1 << 7)
# What is set on frames of others, where the model knows nothing.
_STRAY_FLAG = PageFlags.WRITEBACK


class Flags:
    """The part of `Actor` that sets and clears flags."""

    def _flag(self):
        block = self._pick(self.blocks)
        if block is None:
            return
        if block.flags:
            if not PFM.check_flags(block.flagged, block.flags):
                self._fail("frame {} has lost its flags {}", block.flagged, block.flags)
            PFM.clear_flags(block.flagged, block.flags)
            if PFM.check_flags(block.flagged, block.flags):
                self._fail("frame {} keeps its flags {}", block.flagged, block.flags)
            block.flags = 0
            return
        block.flagged = block.pfn + self._random(block.count)
        flags = PageFlags.DIRTY | PageFlags.FILE
        if self._chance(2):
            PFM.set_flags(block.flagged, flags)
        else:
            count = block.pfn + block.count - block.flagged
            PFM.set_flags_range(block.flagged, count, flags)
            if count > 1:
                PFM.clear_flags_range(block.flagged + 1, count - 1, flags)
        block.flags = flags

    def _flag_of_all(self):
        """Change one's own bit of a frame whose other bits are the others'."""
        with section():
            self.look_at_flag()
            self.flag_of_all = not self.flag_of_all
            change = PFM.set_flags if self.flag_of_all else PFM.clear_flags
            change(self.traces.shared, SPARE_FLAGS[self.number])

    def look_at_flag(self):
        """Compare one's own bit of the frame of all with what it must be."""
        pfn = self.traces.shared
        flag = SPARE_FLAGS[self.number]
        if PFM.check_flags(pfn, flag) != self.flag_of_all:
            self._fail("flag {} of frame {} is not {}", flag, pfn, self.flag_of_all)

    def _stray_flag(self):
        """Flags of any frame, whoever has it."""
        pfn = PFM.min() + self._random(PFM.max() - PFM.min())
        if pfn == self.traces.second:
            # Its guard may be held for long.
            return
        try:
            PFM.set_flags(pfn, _STRAY_FLAG)
            PFM.clear_flags(pfn, _STRAY_FLAG)
        except FrameNotPresentError:
            self.refused += 1
