"""Random operations on all processors at once, each beside a model of what it may see.

    Traces(seed=1).run(20000)

Each processor draws its operations from a generator of its own.  What it was given it
notes in a table that all share, a word for each frame, and stamps into the memory: so a frame or
an object that was given out twice is seen at once.  Blocks and objects go from one processor to
another through a box.  After each round the others wait, and everything is compared.

`storm` answers interrupts meanwhile, as storm.py does for one processor.
"""

import _thread
import gc
import io
import sys
import time
from array import array

import critical
import kernel
import machine
import micropython
import owners
from micropython import const

from pfm import (
    PFM,
    ArgumentError,
    Cache,
    CacheInUseError,
    CacheNameError,
    ForeignFreeError,
    FrameNotPresentError,
    FrameRangeError,
    FrameStateError,
    LockHeldError,
    LockTimeoutError,
    ObjectStateError,
    OutOfFramesError,
    PageFlags,
    Phys,
    RefcountError,
    ReleasedError,
    processor,
)
from pfm.address import PAGE_SHIFT, PAGE_SIZE, signed
from pfm.control import ZONES
from pfm.lock import critical as section
from pfm.paging.tables import WRITE

# Operations of each processor between two looks at everything.
_ROUND = 400
# For a round, generously: a machine whose host is busy takes its time.
_ROUND_MS = 300000

# All processors together hold at most one of so many parts of the free frames.
_PARTS = 2
# Blocks and objects of one processor, and what is in the box, at most.
_BLOCKS_MAX = 60
_OBJECTS_MAX = 80
_BOX_MAX = 40

# Bits that the allocator never looks at; one for each processor on the frame of all.
_SPARE_FLAGS = (1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 1, 1 << 2, 1 << 3, 1 << 7)
# What is set on frames of others, where the model knows nothing.
_STRAY_FLAG = PageFlags.WRITEBACK

# Pages that any processor maps anew while the others read them: a top level entry that
# nothing else uses.
_VIEWS_VIRT = const(0xFFFF_9100_0000_0000)
_VIEWS = 8
_VIEWS_END = _VIEWS_VIRT + _VIEWS * PAGE_SIZE
# Nothing is mapped there.
_NOWHERE = const(0xFFFF_9180_0000_0000)

# Of a round's number, which is a byte: the threads shall end.
_END = const(255)

# Owner of what is in the box; processors have their numbers.
_BOX = const(0xFF)


@micropython.viper
def _draw(state: ptr32, bits: int) -> int:
    """Return that many random bits, at most 32.  Source: Marsaglia, Xorshift RNGs, 2003."""
    x = int(state[0])
    x ^= x << 13
    state[0] = x
    x = int(state[0])
    x ^= x >> 17
    x ^= x << 5
    state[0] = x
    return int(state[0]) >> (32 - bits)


@micropython.viper
def _claim(table: ptr32, hhdm: int, at: int, end: int, old: int, new: int, stamp: int) -> int:
    """Make the frames `at`..`end` `new`'s and stamp them; return the first that is not `old`'s, or `end`."""
    while at < end:
        if int(table[at]) != old:
            break
        table[at] = new
        page = ptr32(hhdm + (at << 12))
        page[0] = stamp
        page[1] = at
        page[1022] = at
        page[1023] = stamp
        at += 1
    return at


@micropython.viper
def _compare(table: ptr32, hhdm: int, at: int, end: int, owner: int, stamp: int) -> int:
    """Return the first of the frames `at`..`end` that is not `owner`'s with that stamp, or `end`."""
    while at < end:
        page = ptr32(hhdm + (at << 12))
        if (
            int(table[at]) != owner
            or int(page[0]) != stamp
            or int(page[1]) != at
            or int(page[1022]) != at
            or int(page[1023]) != stamp
        ):
            break
        at += 1
    return at


@micropython.viper
def _release(table: ptr32, at: int, end: int):
    """Make the frames nobody's, just before they are freed."""
    while at < end:
        table[at] = 0
        at += 1


@micropython.viper
def _forget(table: ptr32, count: int, owner: int):
    """Make all frames of `owner` nobody's."""
    at = 0
    while at < count:
        if int(table[at]) == owner:
            table[at] = 0
        at += 1


@micropython.viper
def _is_zero(virt: int, words: int) -> bool:
    at = 0
    while at < words:
        if int(ptr32(virt)[at]):
            return False
        at += 1
    return True


@micropython.viper
def _fill(virt: int, words: int, stamp: int):
    at = 0
    while at < words:
        ptr32(virt)[at] = stamp
        at += 1


@micropython.viper
def _filled(virt: int, words: int, stamp: int) -> bool:
    at = 0
    while at < words:
        if int(ptr32(virt)[at]) != stamp:
            return False
        at += 1
    return True


def _read(virt):
    return machine.mem32[virt]


class Disagreement(Exception):
    """A processor saw at its operation `step` what the model does not allow."""


class _Block:
    """Frames that were allocated as one."""

    def __init__(self, kind, pfn, count, compound=False, tag=0):
        self.kind = kind
        self.pfn = pfn
        self.count = count
        self.compound = compound
        self.tag = tag
        self.references = 1
        self.stamp = 0
        # One frame of it has these flags.
        self.flagged = pfn
        self.flags = 0


class _Object:
    """Memory that `malloc` gave, or a cache."""

    def __init__(self, virt, size, cache):
        self.virt = virt
        self.size = size
        self.cache = cache
        self.stamp = 0


class _Actor:
    """What one processor does."""

    def __init__(self, traces, number, seed):
        self.traces = traces
        self.number = number
        self.owner = number + 1
        self.steps = 0
        self.refused = 0
        self.operation = None
        self._state = array("I", [seed * 2654435761 + number * 40503 & 0xFFFFFFFF | 1])
        for _ in range(8):
            _draw(self._state, 1)
        self._sequence = 0
        self._growing = True
        self._kept = []
        self.blocks = []
        self.objects = []
        self.frames = 0
        # A frame whose guard an interrupt may have lost.
        self.guarded = 0
        # This processor's bit of the frame of all, and how often it refers to it.
        self.flag_of_all = False
        self.references = 0
        self._operations = (
            [self._alloc] * 14
            + [self._alloc_fast] * 20
            + [self._free] * 28
            + [self._alloc_many] * 2
            + [self._alloc_contiguous] * 3
            + [self._alloc_at, self._alloc_recent]
            + [self._ref, self._unref] * 5
            + [self._flag] * 6
            + [self._flag_of_all, self._reference_to_all, self._stray_flag] * 3
            + [self._guard] * 3
            + [self._guard_of_all, self._counter, self._disable_irq] * 2
            + [self._malloc] * 12
            + [self._mfree] * 12
            + [self._looks_free, self._cache]
            + [self._send, self._receive, self._receive] * 2
            + [self._wrong_frame, self._wrong_object, self._wrong_argument, self._identify] * 2
            + [self._view, self._fault, self._fault]
            + [self._objects] * 6
            + [self._compile, self._report]
        )
        # Each of them takes as long as hundreds of others, or stops them.
        self._seldom = [self._collect] * 4 + [self._overflow] * 2 + [self._drain, self._hog]

    def run(self, operations):
        for _ in range(operations):
            if self.traces.halts():
                return
            if self.steps & 0x7F == 0:
                self._growing = not self._growing
            operation = self._operations[self._random(len(self._operations))]
            if self._chance(150):
                operation = self._seldom[self._random(len(self._seldom))]
            self.operation = operation
            operation()
            self.steps += 1

    def _random(self, limit):
        """Return a number below `limit`, which is small."""
        return _draw(self._state, 24) * limit >> 24

    def _chance(self, of):
        return self._random(of) == 0

    def _fail(self, text, *values):
        raise Disagreement(text.format(*values))

    def _stamp(self):
        self._sequence = self._sequence + 1 & 0xFFFFFF
        return self.owner << 24 | self._sequence

    def _pick(self, held):
        return held[self._random(len(held))] if held else None

    def _drop(self, held):
        """Take one of a list at random; None if it is empty."""
        if not held:
            return None
        at = self._random(len(held))
        item = held[at]
        held[at] = held[-1]
        held.pop()
        return item

    def _expect(self, wanted, call, *args):
        """Call, expect exactly the error `wanted`, and return it."""
        self.refused += 1
        try:
            result = call(*args)
        except Exception as error:
            if type(error) is not wanted:
                self._fail("{!r} for {}, expected {}", error, args, wanted.__name__)
            return error
        self._fail("{} returned {}, expected {}", args, result, wanted.__name__)

    # Blocks

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
        found = _claim(
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
        found = _compare(self.traces.table, self.traces.hhdm, block.pfn, end, owner, block.stamp)
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
        if zero and not _is_zero(self.traces.hhdm + (pfn << PAGE_SHIFT), 1024 << order):
            self._fail("frame {}, order {}: not cleared", pfn, order)
        kind = "block" if order else "single"
        self._take(_Block(kind, pfn, 1 << order, compound and order > 0, tag))

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
        self._take(_Block("block" if order else "single", pfn, 1 << order))

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
        blocks = [_Block("single", pfn, 1, False, tag) for pfn in frames]
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
            _release(self.traces.table, pfn, pfn + 1)
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
        self._take(_Block("run" if count > 1 else "single", pfn, count, False, tag))

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
        self._take(_Block("run" if count > 1 else "single", pfn, count))

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

    def _leave(self, block):
        """Note that a block goes back, just before it does."""
        self.look_at_block(block, self.owner)
        if block.flags:
            PFM.clear_flags(block.flagged, block.flags)
        self.blocks.remove(block)
        self.frames -= block.count
        self.traces.recent[self.number] = block.pfn
        _release(self.traces.table, block.pfn, block.pfn + block.count)

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

    # Flags and guards

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
            change(self.traces.shared, _SPARE_FLAGS[self.number])

    def look_at_flag(self):
        pfn = self.traces.shared
        flag = _SPARE_FLAGS[self.number]
        if PFM.check_flags(pfn, flag) != self.flag_of_all:
            self._fail("flag {} of frame {} is not {}", flag, pfn, self.flag_of_all)

    def _reference_to_all(self):
        with section():
            if self.references and self._chance(2):
                self.references -= 1
                PFM.unref(self.traces.shared)
            else:
                self.references += 1
                PFM.ref(self.traces.shared)

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

    # Objects

    def _malloc(self):
        if len(self.objects) >= _OBJECTS_MAX or not (self._growing or self._chance(4)):
            return
        size = 1 + (self._random(1 << 16) >> self._random(14))
        cache = self.traces.cache if self._chance(4) else None
        with section():
            try:
                virt = cache.alloc() if cache else PFM.malloc(size)
            except OutOfFramesError:
                self.refused += 1
                return
            item = _Object(virt, cache.size if cache else size, cache)
            item.stamp = self._stamp()
            _fill(virt, item.size >> 2, item.stamp)
            self.objects.append(item)

    def look_at_object(self, item):
        if not _filled(item.virt, item.size >> 2, item.stamp):
            self._fail(
                "object of {} bytes at {}: {}, not {}",
                item.size,
                hex(item.virt),
                hex(machine.mem32[item.virt]),
                hex(item.stamp),
            )

    def _mfree(self):
        if self.objects:
            with section():
                self.free_object(self._drop(self.objects))

    def free_object(self, item):
        self.look_at_object(item)
        # So that nobody who gets it next takes it for its own.
        _fill(item.virt, item.size >> 2, 0x5A5A5A5A)
        if item.cache:
            item.cache.free(item.virt)
        else:
            PFM.mfree(item.virt)

    def _looks_free(self):
        """Free an object in which its owner has written what marks one as free."""
        with section():
            try:
                virt = PFM.malloc(48)
            except OutOfFramesError:
                self.refused += 1
                return
            machine.mem32[virt + 8] = virt & 0xFFFFFFFF ^ 0xFFFFFFFF
            PFM.mfree(virt)

    def _cache(self):
        """Open a cache, use it, and close it while nobody else knows it."""
        size = 16 + self._random(3000)
        name = "any" if self._chance(3) else "by {}".format(self.number)
        with section():
            try:
                cache = Cache(size, name)
            except CacheNameError:
                self.refused += 1
                if name != "any":
                    raise
                return
            objects = []
            try:
                for _ in range(self._random(20)):
                    objects.append(cache.alloc())
            except OutOfFramesError:
                self.refused += 1
            if objects:
                self._expect(CacheInUseError, cache.close)
                self._expect(ForeignFreeError, PFM.mfree, objects[0])
            for virt in objects:
                cache.free(virt)
            cache.close()

    def give_back(self):
        """Give back all that this processor has, at the end."""
        for block in self.blocks:
            self.look_at_block(block, self.owner)
            _give_back(block)
        for item in self.objects:
            self.free_object(item)
        for _ in range(self.references):
            PFM.unref(self.traces.shared)

    # From one processor to another

    def _send(self):
        box = self.traces.box
        with self.traces.box_lock, section():
            if len(box) >= _BOX_MAX:
                return
            if self._chance(2):
                item = self._drop(self.objects)
            else:
                item = self._drop(self.blocks)
                if item:
                    self.look_at_block(item, self.owner)
                    self._claim(item, self.owner, _BOX)
                    self.frames -= item.count
            if item:
                box.append(item)

    def _receive(self):
        box = self.traces.box
        with self.traces.box_lock, section():
            if not box:
                return
            at = self._random(len(box))
            item = box[at]
            if isinstance(item, _Object):
                box.pop(at)
                self.look_at_object(item)
                if self._chance(2):
                    self.free_object(item)
                    return
                item.stamp = self._stamp()
                _fill(item.virt, item.size >> 2, item.stamp)
                self.objects.append(item)
            elif self.frames + item.count <= self.traces.share:
                box.pop(at)
                self.look_at_block(item, _BOX)
                item.stamp = self._stamp()
                self._claim(item, _BOX)
                self.blocks.append(item)
                self.frames += item.count

    # What is not allowed

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

    # Everything else that goes on

    def _identify(self):
        block = self._pick(self.blocks)
        if block is None:
            return
        found = PFM.identify(Phys(block.pfn + self._random(block.count) << PAGE_SHIFT))
        wanted = (block.pfn, block.count, block.references, block.tag)
        if (found.first, found.frames, found.rc, found.tag) != wanted:
            self._fail("{}, expected {}", (found.first, found.frames, found.rc, found.tag), wanted)

    def _view(self):
        """Read a page that another may have mapped anew, and map it anew."""
        traces = self.traces
        at = self._random(_VIEWS)
        virt = _VIEWS_VIRT + at * PAGE_SIZE
        with traces.space_lock:
            with section():
                traces.look_at_view(at)
                if self._chance(2):
                    return
                if traces.views[at]:
                    traces.views[at] = 0
                    PFM.space.unmap(virt, 1)
            self._expect(kernel.AccessFault, _read, virt)
            if self._chance(8):
                return
            pfn = traces.viewed[self._random(len(traces.viewed))]
            stamp = self._stamp()
            with section():
                PFM.space.map(virt, pfn << PAGE_SHIFT, 1, WRITE)
                machine.mem32[virt] = stamp
                traces.views[at] = 1
                traces.views_of[at] = pfn
                # Other pages may show the same frame.
                traces.contents[pfn] = stamp

    def _fault(self):
        self._expect(kernel.AccessFault, _read, _NOWHERE + self._random(1000) * PAGE_SIZE)

    def _overflow(self):
        try:
            self._overflow()
        except RuntimeError:
            self.refused += 1

    def _objects(self):
        """Keep some objects, and look whether they are whole."""
        kept = self._kept
        step = self.steps
        kept.append([step, float(step), str(step), {step: self.number}])
        if len(kept) > 30:
            kept.pop(0)
        number, real, text, names = kept[self._random(len(kept))]
        if (real, text, names) != (float(number), str(number), {number: self.number}):
            self._fail("objects {}", (number, real, text, names))

    def _compile(self):
        name = "n{}".format(self._random(100))
        names = {}
        exec("def {0}(x):\n    return [x, '{0}' * 2, lambda: x]".format(name), names)
        if names[name](self.steps)[:2] != [self.steps, name * 2]:
            self._fail("a function compiled wrongly")

    def _collect(self):
        gc.collect()

    def _drain(self):
        PFM.drain()

    def _report(self):
        """Reports may differ from themselves now, but end, and raise nothing."""
        call = (
            PFM.meminfo,
            PFM.buddyinfo,
            PFM.slabinfo,
            PFM.owners,
            PFM.page_types,
            PFM.largest_free,
            lambda: PFM.fragmentation(5),
            lambda: PFM.blocks("used").sums(),
            lambda: PFM.describe(PFM.min() + self._random(PFM.max() - PFM.min())),
            lambda: PFM.count_flags(PageFlags.DIRTY),
            PFM.chart,
            PFM.snapshot,
        )[self._random(12)]
        str(call())

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


class Traces:
    """All processors' traces; `seed` makes the same operations again, not the same order of them."""

    def __init__(self, seed=1):
        self._count = machine.cpus()
        if self._count > len(_SPARE_FLAGS):
            raise ValueError("at most {} processors".format(len(_SPARE_FLAGS)))
        self.hhdm = signed(PFM.hhdm)
        self.table = array("I", bytes(4 * (PFM.max() + 1)))
        self.share = sum(PFM.count_free()) // (_PARTS * self._count)
        self.reserved = next(iter(PFM.blocks("reserved"))).pfn
        # A frame that all refer to, one whose guard is handed about, and frames to map.
        self.shared = PFM.alloc()
        self.second = PFM.alloc()
        self.viewed = array("I", [PFM.alloc() for _ in range(_VIEWS)])
        self.views = bytearray(_VIEWS)
        self.views_of = array("I", bytes(4 * _VIEWS))
        # By frame.
        self.contents = dict.fromkeys(self.viewed, 0)
        self.cache = Cache(104, "traces")
        self.guard = None
        self.recent = array("I", [self.shared] * self._count)
        self.lock = _thread.allocate_lock()
        self.box_lock = _thread.allocate_lock()
        self.space_lock = _thread.allocate_lock()
        self.box = []
        # By processor, and the sum.
        self.guarded = array("I", bytes(4 * (self._count + 1)))
        self.locked = array("I", bytes(4 * (self._count + 1)))
        self.excluded = array("I", bytes(4 * (self._count + 1)))
        self.hogging = bytearray(self._count)
        self.hogged = bytearray(1)
        self._actors = [_Actor(self, number, seed) for number in range(self._count)]
        self._errors = [None] * self._count
        self._round = bytearray(1)
        self._ended = bytearray(self._count)
        self._halt = bytearray(1)
        # A soft reset leaves them mapped.
        self._unmap_views()
        # So that the page tables of the views stay.
        PFM.space.map(_VIEWS_END, self.second << PAGE_SHIFT, 1, 0)
        PFM.drain()
        self._free = PFM.count_free()
        self._foreign = {block.pfn: None for block in PFM.blocks("used")}
        for number in range(1, self._count):
            _thread.start_new_thread(self._work, (number,))

    @property
    def steps(self):
        """How many operations there were."""
        return sum([actor.steps for actor in self._actors])

    def halts(self):
        return self._halt[0]

    def hogs(self):
        """Return how often somebody has taken all frames, -1 while somebody does."""
        return -1 if any(self.hogging) else self.hogged[0]

    def run(self, operations):
        """Run about that many operations, give everything back, and return how many calls were refused."""
        end = self.steps + operations
        while self.steps < end:
            self._run_round()
        self.close()
        return sum([actor.refused for actor in self._actors])

    def storm(self, interrupts, reset=False):
        """Answer that many interrupts, each with a line; at the last one soft reset as things are, if `reset`."""
        said = "storm"
        for count in range(1, interrupts + 1):
            try:
                # From here on the next one may come.
                print(said)
                while True:
                    self._run_round()
            except KeyboardInterrupt:
                pass
            if reset and count == interrupts:
                print("reset", self.steps, self._name(0))
                machine.soft_reset()
            self._recover()
            self._look()
            said = "whole {} {}".format(self.steps, self._name(0))
        self.close()

    def _name(self, number):
        operation = self._actors[number].operation
        return operation.__name__ if operation else "-"

    def _unmap_views(self):
        for at in range(_VIEWS + 1):
            virt = _VIEWS_VIRT + at * PAGE_SIZE
            if PFM.space.query(virt):
                PFM.space.unmap(virt, 1)

    def _work(self, number):
        actor = self._actors[number]
        seen = 0
        try:
            while seen != _END:
                if self._round[0] == seen:
                    time.sleep_ms(1)
                    continue
                seen = self._round[0]
                if seen != _END:
                    actor.run(_ROUND)
                    self._ended[number] = seen
            actor.release_guard()
        except BaseException as error:
            self._errors[number] = error

    def _run_round(self):
        self._halt[0] = 0
        self._round[0] = (self._round[0] + 1) % _END
        self._actors[0].run(_ROUND)
        self._wait()
        self._look()

    def _wait(self):
        """Wait until the others have ended the round."""
        started = time.ticks_ms()
        for number in range(1, self._count):
            while self._ended[number] != self._round[0]:
                if self._errors[number]:
                    self._report(number)
                if time.ticks_diff(time.ticks_ms(), started) > _ROUND_MS:
                    raise Disagreement(
                        "processor {} does not end {}".format(number + 1, self._name(number))
                    )
                time.sleep_ms(1)

    def _report(self, number):
        text = io.StringIO()
        sys.print_exception(self._errors[number], text)
        raise Disagreement(
            "processor {}, operation {}: {}".format(
                number + 1, self._actors[number].steps, text.getvalue()
            )
        )

    def _recover(self):
        """After an interrupt: give back all frames that the main thread has, for it may have lost a number."""
        self._halt[0] = 1
        self._wait()
        actor = self._actors[0]
        for pfn in (actor.guarded or self.second, self.second):
            try:
                PFM.unlock(pfn)
            except (FrameStateError, LockTimeoutError):
                # No guard holds it, or another processor's.
                pass
        if self.guard and self.guard[1] == actor.owner:
            self.guard = None
        actor.guarded = 0
        self.hogging[0] = 0
        # One that was being counted.
        if sum(self.guarded[:-1]) == self.guarded[-1] + 1:
            self.guarded[-1] += 1
        actor.blocks = []
        actor.frames = 0
        _forget(self.table, len(self.table), actor.owner)
        known = self._known()
        for found in PFM.blocks("used"):
            if found.pfn not in known and not _lasts(found):
                for _ in range(found.rc - 1):
                    PFM.unref(found.pfn)
                PFM.free(found.pfn)

    def _known(self):
        """Return the blocks that the model knows, by their first frames; of foreign ones None."""
        known = dict(self._foreign)
        for actor in self._actors:
            for block in actor.blocks:
                known[block.pfn] = block
        for item in self.box:
            if isinstance(item, _Block):
                known[item.pfn] = item
        return known

    def _look(self):
        """Compare everything, while the others wait."""
        PFM.check()
        known = self._known()
        for found in PFM.blocks("used"):
            if found.pfn in known:
                block = known.pop(found.pfn)
                if block and (found.frames, found.rc, found.tag) != (
                    block.count,
                    block.references,
                    block.tag,
                ):
                    raise Disagreement("{}, expected {}".format(found, block))
            elif not _lasts(found):
                raise Disagreement("nobody has {}".format(found))
        if known:
            raise Disagreement("not allocated: {}".format(sorted(known)))
        for actor in self._actors:
            for block in actor.blocks:
                actor.look_at_block(block, actor.owner)
            for item in actor.objects:
                actor.look_at_object(item)
            actor.look_at_flag()
        for item in self.box:
            if isinstance(item, _Block):
                self._actors[0].look_at_block(item, _BOX)
            else:
                self._actors[0].look_at_object(item)
        for at in range(_VIEWS):
            self.look_at_view(at)
        for counts in (self.guarded, self.locked, self.excluded):
            _same(sum(counts[:-1]), counts[-1])
        _same(processor.guards(PFM._cpu), 1 if self.guard else 0)
        references = sum([actor.references for actor in self._actors])
        _same(PFM.identify(Phys(self.shared << PAGE_SHIFT)).rc, 1 + references)
        _same(PFM.slabinfo().differences, [])

    def look_at_view(self, at):
        """Compare what a page shows with what was written to the frame that it is mapped to."""
        if self.views[at]:
            found = _read(_VIEWS_VIRT + at * PAGE_SIZE)
            wanted = self.contents[self.views_of[at]]
            if found != wanted:
                raise Disagreement("view {}: {}, not {}".format(at, hex(found), hex(wanted)))

    def close(self):
        """End the threads, give everything back, and compare with the start."""
        self._round[0] = _END
        started = time.ticks_ms()
        while not critical.alone():
            if time.ticks_diff(time.ticks_ms(), started) > _ROUND_MS:
                raise Disagreement("the threads do not end")
            time.sleep_ms(1)
        self._actors[0].release_guard()
        for actor in self._actors:
            actor.give_back()
        for item in self.box:
            if isinstance(item, _Block):
                _give_back(item)
            else:
                self._actors[0].free_object(item)
        self.cache.close()
        PFM.drain()
        _same(PFM.count_free(), self._free)
        self._unmap_views()
        for pfn in self.viewed:
            PFM.free(pfn)
        PFM.free(self.second)
        PFM.free(self.shared)
        PFM.check()


def _lasts(found):
    """Return whether a used block belongs to the kernel, or to objects."""
    return found.tag in owners.ALL or PFM.check_flags(found.pfn, PageFlags.SLAB)


def _give_back(block):
    while block.references > 1:
        PFM.unref(block.pfn)
        block.references -= 1
    PFM.free(block.pfn)


def _same(found, wanted):
    if found != wanted:
        raise Disagreement("{}, expected {}".format(found, wanted))
