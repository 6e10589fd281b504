"""Calls that must be refused: of frames and objects in a state for another call, and wrong arguments."""

from pfm import (
    PFM,
    ArgumentError,
    CacheInUseError,
    ForeignFreeError,
    FrameRangeError,
    FrameStateError,
    ObjectStateError,
)


class Refusals:
    """The part of `Actor` that makes mistakes."""

    def _wrong_frame(self):
        block = self._pick(self.blocks)
        if block is None:
            return
        what = self._random(4)
        inside = block.pfn + 1 + self._random(block.count - 1) if block.count > 1 else 0
        if what == 0 and inside:
            error = self._expect(FrameStateError, PFM.free, inside)
            if error.pfn != inside:
                self._fail("{}, expected {}", error, inside)
        elif what == 1 and inside and not block.compound:
            self._expect(FrameStateError, PFM.ref, inside)
            self._expect(FrameStateError, PFM.unref, inside)
        elif what == 2:
            error = self._expect(FrameStateError, PFM.alloc_at, block.pfn, block.count)
            if error.pfn != block.pfn:
                self._fail("{}, expected {}", error, block.pfn)
        else:
            self._elsewhere()

    def _wrong_object(self):
        item = self._pick(self.objects)
        if item is None:
            return
        inside = item.virt + 8
        call = item.cache.free if item.cache else PFM.mfree
        self._expect(ObjectStateError, call, inside)
        if item.cache:
            self._expect(ForeignFreeError, PFM.mfree, item.virt)
            self._expect(CacheInUseError, item.cache.close)
        else:
            self._expect(ForeignFreeError, self.traces.cache.free, item.virt)

    def _wrong_argument(self):
        beyond = PFM.max() + 1
        call, args, wanted = (
            (PFM.alloc, (-1,), ArgumentError),
            (PFM.alloc, (19,), ArgumentError),
            (PFM.alloc, (0.0,), TypeError),
            (PFM.alloc_contiguous, (0,), ArgumentError),
            (PFM.alloc_many, (None,), TypeError),
            (PFM.free, (beyond,), FrameRangeError),
            (PFM.set_flags, (beyond, 1), FrameRangeError),
            (PFM.malloc, (0,), ArgumentError),
            (PFM.mfree, (8,), ObjectStateError),
            (PFM.alloc_at, (self.traces.shared,), FrameStateError),
            (PFM.free, (self.traces.reserved,), FrameStateError),
        )[self._random(11)]
        self._expect(wanted, call, *args)
