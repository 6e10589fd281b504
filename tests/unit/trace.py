"""A random trace of allocator calls, and the model (model.py) that it must agree with at every step.

    Trace(pfm, seed=1).run(20000)

The trace keeps a list of the blocks that it was given, and says from that and
the model what each call may return and which error it must raise.  Whatever else is
allocated at its start stays out of it, so the trace runs on a machine in use too,
as long as nobody else allocates or frees meanwhile.
"""

import random
from array import array

from model import COMPOUND_TAIL, FOREIGN, HEAD, Model

from pfm import (
    ArgumentError,
    FrameNotPresentError,
    FrameRangeError,
    FrameStateError,
    OutOfFramesError,
    RefcountError,
)
from pfm.alloc.zone import ORDER_MAX, zone_at, zone_of
from pfm.control import ZONES

# Blocks at a time, for the model's own memory.
_BLOCKS_MAX = 2000
# Frames of one alloc_many that stay allocated.
_KEPT_MAX = 400


class Disagreement(Exception):
    """The manager did at operation `step` what the model does not allow."""

    def __init__(self, step, what):
        super().__init__("operation {}: {}".format(step, what))
        self.step = step
        self.what = what


class Block:
    """Frames allocated as one: `pfn`, `count`, references, and what it is: order, compound, single."""

    def __init__(self, pfn, count, order=None, compound=False):
        self.pfn = pfn
        self.count = count
        self.order = order
        self.compound = compound
        self.references = 1
        self.place = 0


class Trace:
    """Drives `manager` by random calls, and the model beside it; `seed` makes the same trace again.

    At most `limit` frames are allocated at a time (default: no limit).
    """

    def __init__(self, manager, seed=1, limit=None):
        self.pfm = manager
        self.step = 0
        self.failures = 0
        self._limit = limit
        manager.drain()
        self._model = Model(manager)
        self._first_free = manager.count_free()
        self._lists = self.lists()
        # Of fixed length, since a list that grows asks for memory in a row.
        self._blocks = [None] * (_BLOCKS_MAX + _KEPT_MAX)
        self._held = 0
        # Memory for all that alloc_many may be asked for.
        self._many = memoryview(array("I", bytes(4 * (manager._managed + 1))))
        self._growing = True
        random.seed(seed)
        self._operations = (
            [self._alloc] * 8
            + [self._free_one] * 8
            + [self._ref] * 3
            + [self._unref] * 4
            + [self._alloc_contiguous] * 3
            + [self._alloc_at] * 3
            + [self._alloc_many, self._free_many, self._free_many]
            + [self._wrong_free, self._wrong_argument, self._drain]
        )

    def lists(self):
        """Return the lengths of the free lists, a tuple for each zone, the magazine drained."""
        self.pfm.drain()
        found = []
        for zone in range(ZONES):
            state = zone_at(self.pfm._zones[0], zone)
            found.append(tuple([state.lists[order].blocks for order in range(ORDER_MAX + 1)]))
        return found

    def run(self, operations):
        """Run that many operations, give everything back, and return how many the manager refused.

        Raises Disagreement; at the end the free lists must be as long as at the
        start, and `check()` must pass.
        """
        operation_count = len(self._operations)
        for self.step in range(operations):
            if not self.step % 2000:
                self._growing = not self._growing
            self._operations[random.getrandbits(16) % operation_count]()
            if self.pfm.count_free() != tuple(self._model.free):
                self._disagree(
                    "free {}, expected {}".format(self.pfm.count_free(), self._model.free)
                )
        self.finish()
        return self.failures

    def finish(self):
        """Free every block, and compare what is there with what was there at the start."""
        while self._held:
            block = self._blocks[self._held - 1]
            while block.references > 1:
                self.pfm.unref(block.pfn)
                block.references -= 1
            self._release(block, self.pfm.free)
        if self.lists() != self._lists:
            self._disagree("free lists {}, at the start {}".format(self.lists(), self._lists))
        if self.pfm.count_free() != self._first_free:
            self._disagree("not every frame came back")
        self.pfm.check()

    def _disagree(self, what):
        raise Disagreement(self.step, what)

    def _expect(self, wanted, call, *args):
        """Call, expect exactly the error `wanted`, and return it."""
        self.failures += 1
        try:
            result = call(*args)
        except Exception as error:
            if type(error) is not wanted:
                self._disagree("{!r} for {}, expected {}".format(error, args, wanted.__name__))
            return error
        self._disagree("{} returned {}, expected {}".format(args, result, wanted.__name__))

    # What the model knows

    def _used(self):
        return sum(self._first_free) - sum(self._model.free)

    def _room(self, count):
        """Return whether the limit allows `count` more frames, and the trace grows at present, or by chance."""
        if self._limit is not None and self._used() + count > self._limit:
            return False
        if self._held >= _BLOCKS_MAX:
            return False
        return self._growing or random.getrandbits(2) == 0

    def _pick(self):
        """Return a block of the trace's at random, None when it has none."""
        return self._blocks[random.getrandbits(30) % self._held] if self._held else None

    def _take(self, block):
        """Note that the manager gave `block`, all of whose frames must have been free."""
        self._check_free(block.pfn, block.pfn + block.count, block.compound)
        self._note(block)

    def _check_free(self, start, end, compound=False):
        if not self._model.take(start, end, compound):
            self._disagree("gave {}..{}, not all of them free".format(start, end))

    def _note(self, block):
        block.place = self._held
        self._blocks[self._held] = block
        self._held += 1

    def _forget(self, block):
        """Note that `block` went back."""
        self._held -= 1
        last = self._blocks[self._held]
        self._blocks[self._held] = None
        if last is not block:
            self._blocks[block.place] = last
            last.place = block.place
        self._model.give(block.pfn, block.pfn + block.count)

    def _release(self, block, call):
        call(block.pfn)
        self._forget(block)

    def _top(self):
        return None if random.getrandbits(1) else random.getrandbits(16) % ZONES

    def _check_zone(self, pfn, zone, wanted):
        """Expect `pfn` in a zone that was allowed, and above its watermark when it is a lower one."""
        found = zone_of(pfn)
        top = self.pfm._top if zone is None else min(zone, self.pfm._top)
        if found > top:
            self._disagree("frame {} for zone {}".format(pfn, zone))
        if found < top and self._model.spare(found) < wanted:
            self._disagree("frame {} from below the watermark of zone {}".format(pfn, found))

    def _exhausted(self, zone, count, align, below=1 << 32):
        """Judge an OutOfFramesError: the model must find no room either."""
        self.failures += 1
        top = self.pfm._top if zone is None else min(zone, self.pfm._top)
        if self._model.fits(top, count, align, below):
            self._disagree("out of frames for {} at zone {}, align {}".format(count, zone, align))

    # The operations

    def _alloc(self):
        order = 0
        while order < 12 and random.getrandbits(1):
            order += 1
        if not self._room(1 << order):
            return
        zone = self._top()
        compound = bool(random.getrandbits(1))
        try:
            pfn = self.pfm.alloc(order, zone, False, self.step, compound)
        except OutOfFramesError:
            self._exhausted(zone, 1 << order, 1 << order)
            return
        if pfn & ((1 << order) - 1):
            self._disagree("frame {} for order {}".format(pfn, order))
        self._check_zone(pfn, zone, 1 << order)
        self._take(Block(pfn, 1 << order, order, compound and order > 0))

    def _free_one(self):
        block = self._pick()
        if block is None:
            return
        if block.references > 1:
            error = self._expect(RefcountError, self.pfm.free, block.pfn)
            if (error.pfn, error.rc) != (block.pfn, block.references):
                self._disagree(str(error))
            return
        self._release(block, self.pfm.free)

    def _member(self, block):
        """Return a frame that stands for the block in ref and unref."""
        return block.pfn + (random.getrandbits(30) % block.count if block.compound else 0)

    def _ref(self):
        block = self._pick()
        if block:
            block.references += 1
            if self.pfm.ref(self._member(block)) != block.references:
                self._disagree("references of {}".format(block.pfn))

    def _unref(self):
        block = self._pick()
        if block is None:
            return
        block.references -= 1
        if self.pfm.unref(self._member(block)) != block.references:
            self._disagree("references left of {}".format(block.pfn))
        if not block.references:
            self._forget(block)

    def _alloc_contiguous(self):
        count = 1 + (random.getrandbits(12) >> random.getrandbits(3))
        if not self._room(count):
            return
        align = 1 << (random.getrandbits(8) % 10)
        zone = self._top()
        if count > self.pfm._managed:
            self._expect(ArgumentError, self.pfm.alloc_contiguous, count, align, zone)
            return
        below = None
        if not random.getrandbits(2):
            below = random.getrandbits(31) % (self.pfm.max() + 100)
        try:
            pfn = self.pfm.alloc_contiguous(count, align, zone, below, False, self.step)
        except OutOfFramesError:
            self._exhausted(zone, count, align, self.pfm.max() + 1 if below is None else below)
            return
        if pfn & (align - 1) or (below is not None and pfn + count > below):
            self._disagree("run of {} at {}, align {}, below {}".format(count, pfn, align, below))
        self._check_zone(pfn, zone, count)
        self._take(Block(pfn, count))

    def _place(self):
        """Return a frame number that is in bounds, more often than not near a block."""
        block = self._pick()
        if block and random.getrandbits(2):
            return max(self.pfm.min(), block.pfn - (random.getrandbits(8) % 40))
        return self.pfm.min() + random.getrandbits(31) % (self.pfm.max() + 1 - self.pfm.min())

    def _first_taken(self, pfn, count):
        """Return the first of the frames that is not free, None when all are."""
        for at in range(pfn, pfn + count):
            if self._model.state(at):
                return at
        return None

    def _alloc_at(self):
        count = 1 + (random.getrandbits(10) >> random.getrandbits(3))
        if not self._room(count):
            return
        pfn = self._place()
        if pfn + count > self.pfm.max() + 1:
            self._expect(FrameRangeError, self.pfm.alloc_at, pfn, count)
            return
        taken = self._first_taken(pfn, count)
        if taken is None:
            if self.pfm.alloc_at(pfn, count, False, self.step) != pfn:
                self._disagree("alloc_at {}".format(pfn))
            self._take(Block(pfn, count))
            return
        wanted = FrameStateError if self.pfm.present(taken) else FrameNotPresentError
        error = self._expect(wanted, self.pfm.alloc_at, pfn, count)
        if error.pfn != taken:
            self._disagree("alloc_at {}: {}, expected {}".format(pfn, error, taken))

    def _alloc_many(self):
        count = 1 + (random.getrandbits(10) >> random.getrandbits(3))
        if not random.getrandbits(4):
            count += sum(self._model.free) - random.getrandbits(8)
            if self._limit is not None or count < 1:
                return
        elif not self._room(count):
            return
        zone = self._top()
        top = self.pfm._top if zone is None else min(zone, self.pfm._top)
        room = self._model.free[top] + sum(
            [max(0, self._model.spare(lower)) for lower in range(top)]
        )
        if count > self.pfm._managed:
            self._expect(ArgumentError, self.pfm.alloc_many, count, zone)
            return
        if count > room:
            self._expect(OutOfFramesError, self.pfm.alloc_many, self._many[:count], zone)
            return
        frames = self.pfm.alloc_many(self._many[:count] if count > 256 else count, zone, self.step)
        for pfn in frames:
            if zone_of(pfn) > top:
                self._disagree("frame {} for zone {}".format(pfn, zone))
            self._check_free(pfn, pfn + 1)
        keep = min(count, _KEPT_MAX) if self._room(0) else 0
        for pfn in frames[:keep]:
            self._note(Block(pfn, 1, 0))
        for pfn in frames[keep:]:
            self._model.give(pfn, pfn + 1)
        self.pfm.free_many(frames[keep:])

    def _free_many(self):
        """Free up to a few hundred single frames, with one that is none among them now and then."""
        frames = array("I")
        start = random.getrandbits(30) % (self._held + 1)
        singles = [
            block
            for block in self._blocks[start : min(self._held, start + random.getrandbits(8))]
            if block.count == 1 and block.references == 1
        ]
        for block in singles:
            frames.append(block.pfn)
        if not singles:
            self.pfm.free_many(frames)
            return
        bad = self._pick()
        if not random.getrandbits(2) and (bad.count > 1 or bad.references > 1):
            frames.append(bad.pfn)
            wanted = RefcountError if bad.references > 1 else FrameStateError
        elif not random.getrandbits(3):
            frames.append(frames[0])
            wanted = FrameStateError
        else:
            self.pfm.free_many(frames)
            for block in singles:
                self._forget(block)
            return
        error = self._expect(wanted, self.pfm.free_many, frames)
        if error.pfn != frames[-1]:
            self._disagree("free_many: {}".format(error))

    def _wrong_free(self):
        """Free, reference or unreference a frame that heads nothing."""
        pfn = self._place()
        if random.getrandbits(1):
            block = self._pick()
            if block:
                pfn = block.pfn + random.getrandbits(30) % block.count
        state = self._model.state(pfn)
        # Foreign frames may head a block that is not the trace's to free.
        if state == HEAD or (state == FOREIGN and self.pfm.present(pfn)):
            return
        wanted = FrameStateError if self.pfm.present(pfn) else FrameNotPresentError
        calls = [self.pfm.free]
        if state != COMPOUND_TAIL:
            calls += [self.pfm.ref, self.pfm.unref]
        for call in calls:
            error = self._expect(wanted, call, pfn)
            if error.pfn != pfn:
                self._disagree("{}: {}".format(pfn, error))

    def _wrong_argument(self):
        pfm = self.pfm
        beyond = pfm.max() + 1
        call, args, wanted = (
            (pfm.alloc, (-1,), ArgumentError),
            (pfm.alloc, (19,), ArgumentError),
            (pfm.alloc, (0, 3), ArgumentError),
            (pfm.alloc, (0.0,), TypeError),
            (pfm.alloc_contiguous, (0,), ArgumentError),
            (pfm.alloc_contiguous, (pfm._managed + 1,), ArgumentError),
            (pfm.alloc_contiguous, (1, 3), ArgumentError),
            (pfm.alloc_contiguous, (1, 1, None, 7.5), TypeError),
            (pfm.alloc_at, (beyond,), FrameRangeError),
            (pfm.alloc_at, (beyond - 1, 2), FrameRangeError),
            (pfm.alloc_at, (beyond - 1, 0), ArgumentError),
            (pfm.alloc_many, (0,), ArgumentError),
            (pfm.alloc_many, (None,), TypeError),
            (pfm.free, (beyond,), FrameRangeError),
            (pfm.free, (-1,), FrameRangeError),
            (pfm.ref, (None,), TypeError),
        )[random.getrandbits(4)]
        self._expect(wanted, call, *args)

    def _drain(self):
        self.pfm.drain()
        if not random.getrandbits(5):
            self.pfm.check()
