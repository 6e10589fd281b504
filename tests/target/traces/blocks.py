"""Operations on frames: allocated in each way, freed, referred to, drained, and all taken at once."""

from array import array

from tests.target.traces.allocations import Block
from tests.target.traces.stamps import is_zero, release

from pfm import (
    PFM,
    ArgumentError,
    FrameNotPresentError,
    FrameStateError,
    OutOfFramesError,
    PageFlags,
    RefcountError,
)
from pfm.address import PAGE_SHIFT
from pfm.control import ZONES
from pfm.lock import critical as section


class Blocks:
    """The part of `Actor` that allocates and frees frames."""

    def _ran_out(self, hogs=-1):
        """Judge an OutOfFramesError: single frames are there unless somebody hogs, as `hogs` says."""
        self.refused += 1
        if hogs >= 0 and self.traces.hogs() == hogs:
            self._fail("out of frames: {} free, {} held", PFM.count_free(), self.frames)

    def _zone(self):
        return self._random(ZONES) if self._chance(4) else None

    def _alloc(self):
        order = 0
        while order < 9 and self._chance(2):
            order += 1
        if not self._room(1 << order):
            return
        zone = self._zone()
        zero = self._chance(8) and order < 5
        tag = self._random(1000)
        compound = self._chance(2)
        before = self.traces.hogs()
        try:
            pfn = PFM.alloc(order, zone, zero, tag, compound)
        except OutOfFramesError:
            self._ran_out(before if order == 0 and zone is None else -1)
            return
        if pfn & (1 << order) - 1:
            self._fail("frame {} for order {}", pfn, order)
        if zero and not is_zero(self.traces.hhdm + (pfn << PAGE_SHIFT), 1024 << order):
            self._fail("frame {}, order {}: not cleared", pfn, order)
        kind = "block" if order else "single"
        self._take(Block(kind, pfn, 1 << order, compound and order > 0, tag))

    def _alloc_fast(self):
        order = self._random(10) if self._chance(6) else 0
        if not self._room(1 << order):
            return
        before = self.traces.hogs()
        try:
            pfn = PFM.alloc(order) if order else PFM.alloc()
        except OutOfFramesError:
            self._ran_out(-1 if order else before)
            return
        self._take(Block("block" if order else "single", pfn, 1 << order))

    def _alloc_many(self):
        count = 1 + self._random(150)
        if not self._room(count):
            return
        tag = self._random(1000)
        try:
            frames = PFM.alloc_many(count, self._zone(), tag)
        except OutOfFramesError:
            self._ran_out()
            return
        blocks = [Block("single", pfn, 1, False, tag) for pfn in frames]
        for block in blocks:
            block.stamp = self._stamp()
            self._claim(block, 0)
        if self._chance(2):
            PFM.set_flags_many(frames, PageFlags.LRU)
            for pfn in frames:
                if not PFM.check_flags(pfn, PageFlags.LRU):
                    self._fail("frame {} has not got its flag", pfn)
            PFM.clear_flags_many(frames, PageFlags.LRU)
        for block in blocks:
            self.look_at_block(block, self.owner)
        kept = self._random(4)
        self.blocks.extend(blocks[:kept])
        self.frames += min(kept, count)
        frames = frames[kept:]
        if not frames:
            return
        wrong = self._pick(self.blocks)
        if wrong and self._chance(3):
            # The last one is refused, so none is freed.
            last = wrong.pfn
            if wrong.count == 1 and wrong.references == 1:
                last = frames[0]
            wanted = RefcountError if wrong.references > 1 else FrameStateError
            error = self._expect(wanted, PFM.free_many, array("I", list(frames) + [last]))
            if error.pfn != last:
                self._fail("free_many: {}, expected {}", error, last)
        for pfn in frames:
            release(self.traces.table, pfn, pfn + 1)
        PFM.free_many(frames)

    def _alloc_contiguous(self):
        count = 1 + (self._random(300) >> self._random(6))
        if not self._room(count):
            return
        align = 1 << self._random(8)
        tag = self._random(1000)
        try:
            pfn = PFM.alloc_contiguous(count, align, self._zone(), None, False, tag)
        except OutOfFramesError:
            self._ran_out()
            return
        if pfn & align - 1:
            self._fail("run of {} at {}, align {}", count, pfn, align)
        self._take(Block("run" if count > 1 else "single", pfn, count, False, tag))

    def _alloc_at(self):
        count = 1 + (self._random(100) >> self._random(6))
        if self._room(count):
            self._at(PFM.min() + self._random(PFM.max() - PFM.min() - count), count)

    def _alloc_recent(self):
        """Ask for a frame that was freed just now, and is in somebody's magazine."""
        if self._room(1):
            self._at(self.traces.recent[self._random(len(self.traces.recent))], 1)

    def _at(self, pfn, count):
        try:
            found = PFM.alloc_at(pfn, count)
        except (FrameStateError, FrameNotPresentError):
            self.refused += 1
            return
        if found != pfn:
            self._fail("alloc_at {}: {}", pfn, found)
        self._take(Block("run" if count > 1 else "single", pfn, count))

    def _free(self):
        block = self._pick(self.blocks)
        if block is None:
            return
        if block.references > 1:
            error = self._expect(RefcountError, PFM.free, block.pfn)
            if (error.pfn, error.rc) != (block.pfn, block.references):
                self._fail("{}, expected {} references", error, block.references)
            return
        self._leave(block)
        PFM.free(block.pfn)

    def _member(self, block):
        return block.pfn + (self._random(block.count) if block.compound else 0)

    def _ref(self):
        block = self._pick(self.blocks)
        if block and block.references < 4:
            block.references += 1
            found = PFM.ref(self._member(block))
            if found != block.references:
                self._fail("{} references to {}, expected {}", found, block.pfn, block.references)

    def _unref(self):
        block = self._pick(self.blocks)
        if block is None:
            return
        member = self._member(block)
        if block.references == 1:
            self._leave(block)
        block.references -= 1
        found = PFM.unref(member)
        if found != block.references:
            self._fail("{} references to {}, expected {}", found, block.pfn, block.references)

    def _reference_to_all(self):
        with section():
            if self.references and self._chance(2):
                self.references -= 1
                PFM.unref(self.traces.shared)
            else:
                self.references += 1
                PFM.ref(self.traces.shared)

    def _drain(self):
        PFM.drain()

    def _hog(self):
        """Take nearly all that is free, so that the others run out."""
        self.traces.hogging[self.number] = 1
        frames = None
        try:
            left = sum(PFM.count_free()) - self._random(200)
            frames = PFM.alloc_many(max(1, left))
        except (OutOfFramesError, ArgumentError):
            self.refused += 1
        if frames:
            PFM.free_many(frames)
        self.traces.hogged[0] = self.traces.hogged[0] + 1 & 0xFF
        self.traces.hogging[self.number] = 0
