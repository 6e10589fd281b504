"""Operations under a lock: guards of frames, a lock of `_thread`, and interrupts off."""

import gc

import machine

from pfm import PFM, LockHeldError, LockTimeoutError, ReleasedError
from pfm.lock import critical as section


class Locks:
    """The part of `Actor` that takes guards and locks."""

    def _guard(self):
        block = self._pick(self.blocks)
        if block is None:
            return
        self.guarded = block.pfn
        size_class = self._random(200)
        with PFM.get(block.pfn) as entry:
            entry.size_class = size_class
            error = self._expect(LockHeldError, PFM.set_flags, block.pfn, 2)
            if error.owner != machine.cpu():
                self._fail("{}, held by {}", error, machine.cpu())
            what = self._random(6)
            if what == 0:
                # A frame's lock comes before a zone's.
                PFM.free(PFM.alloc())
            elif what == 1:
                gc.collect()
            elif what == 2:
                self._objects()
            if entry.size_class != size_class:
                self._fail("size class {} of frame {}", entry.size_class, block.pfn)
        guard = PFM.get(block.pfn)
        guard.release()
        self._expect(ReleasedError, guard.release)
        self.guarded = 0

    def _guard_of_all(self):
        """Count under a guard that the others want, too."""
        pfn = self.traces.shared
        self.guarded = pfn
        with PFM.get(pfn):
            self.traces.guarded[self.number] += 1
            count = self.traces.guarded[-1]
            if self._chance(3):
                self._objects()
            self.traces.guarded[-1] = count + 1
        self.guarded = 0

    def _counter(self):
        """Count under a lock of `_thread`, which others wait for."""
        with self.traces.lock, section():
            self.traces.locked[self.number] += 1
            count = self.traces.locked[-1]
            if self._chance(8):
                gc.collect()
            self.traces.locked[-1] = count + 1

    def _disable_irq(self):
        """Count where no other processor does."""
        with section():
            state = machine.disable_irq()
            self.traces.excluded[self.number] += 1
            self.traces.excluded[-1] += 1
            machine.enable_irq(state)

    def release_guard(self):
        """Release the guard that was taken by `_elsewhere`, if this processor has."""
        guard = self.traces.guard
        if guard and guard[1] == self.owner:
            guard[0].release()
            self.traces.guard = None

    def _elsewhere(self):
        """Take or release a guard that stays for long; that of another processor is refused."""
        with self.traces.lock:
            guard = self.traces.guard
            if guard is None:
                self.traces.guard = (PFM.get(self.traces.second), self.owner)
            elif guard[1] == self.owner:
                self.release_guard()
            else:
                error = self._expect(LockTimeoutError, guard[0].release)
                if error.owner != guard[1]:
                    self._fail("{}, held by {}", error, guard[1])
