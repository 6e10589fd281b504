"""pfm/slab/objects.py: a random trace of objects allocated and freed, against a plain model.

The model knows each object in use, its size and what was written to it.  PFM_TRACE_OPERATIONS
and PFM_TRACE_SEED in the environment set how long the trace is and which.
"""

import os
import random

import uctypes
from allocation import lists
from ktap import equal
from maps import SMALL_8M, THREE_ZONES

from pfm import (
    Cache,
    CacheInUseError,
    DoubleFreeError,
    ForeignFreeError,
    ObjectStateError,
    OutOfFramesError,
    PageFrameManager,
)
from pfm.slab.classes import class_of, size_of
from pfm.testing import FakeMachine

_OPERATIONS = int(
    os.getenv("PFM_TRACE_OPERATIONS") or (20000 if PageFrameManager.fast_path else 5000)
)
_SEED = int(os.getenv("PFM_TRACE_SEED") or 1)

# Objects at a time, for the model's own memory.
_OBJECTS_MAX = 3000
# Operations between two looks at everything.
_LOOK = 2500

_MARK = {"mark": 0 | uctypes.UINT32}


class Trace:
    """Objects of `malloc` and of three caches, and the frames that they compete for."""

    def __init__(self, pfm, seed):
        random.seed(seed)
        self.pfm = pfm
        self.refused = 0
        self._lists = lists(pfm)
        self._caches = (
            Cache(24, "small", manager=pfm),
            Cache(700, "aligned", align=256, manager=pfm),
            Cache(9000, "several frames", manager=pfm),
        )
        # Each is (address, size, mark, cache or None).
        self._objects = [None] * _OBJECTS_MAX
        self._held = 0
        self._mark = 0
        self._used = {}
        self._growing = False
        self._frames = []
        self._operations = (
            [self._malloc] * 8
            + [self._alloc] * 4
            + [self._free] * 12
            + [self._wrong, self._frame]
            + [self._drain]
        )

    def run(self, operations):
        """Run that many operations, then free everything and compare with the start."""
        for step in range(operations):
            if step % 2000 == 0:
                self._growing = not self._growing
            self._operations[random.getrandbits(16) % len(self._operations)]()
            if step % _LOOK == 0:
                self._look()
        self._look()
        while self._held:
            self._release(self._held - 1)
        for pfn in self._frames:
            self.pfm.free(pfn)
        for cache in self._caches:
            cache.close()
        equal(lists(self.pfm), self._lists)
        self.pfm.check()

    def _look(self):
        self.pfm.check()
        report = self.pfm.slabinfo()
        assert report.verified, report
        found = {row.name: row.used for row in report.caches if row.used}
        equal(found, {name: used for name, used in self._used.items() if used})

    def _room(self):
        return self._held < _OBJECTS_MAX and (self._growing or random.getrandbits(2) == 0)

    def _note(self, virt, size, cache):
        self._mark += 1
        item = (virt, size, self._mark, cache)
        self._write(item)
        self._objects[self._held] = item
        self._held += 1
        name = self._name(size, cache)
        self._used[name] = self._used.get(name, 0) + 1

    def _name(self, size, cache):
        return cache.name if cache else "malloc {}".format(size_of(class_of(size)))

    def _marks(self, item):
        virt, size, _, _ = item
        if size < 8:
            return ()
        return uctypes.struct(virt, _MARK), uctypes.struct(virt + size - 4 & -4, _MARK)

    def _write(self, item):
        for struct in self._marks(item):
            struct.mark = item[2]

    def _release(self, at):
        item = self._objects[at]
        for struct in self._marks(item):
            equal(struct.mark, item[2])
        virt, size, _, cache = item
        if cache:
            cache.free(virt)
        else:
            self.pfm.mfree(virt)
        self._held -= 1
        self._objects[at] = self._objects[self._held]
        self._used[self._name(size, cache)] -= 1
        return item

    def _malloc(self):
        if not self._room():
            return
        size = 1 + (random.getrandbits(21) >> random.getrandbits(8) % 21)
        if size > 20000 and random.getrandbits(3):
            size >>= 8
        try:
            virt = self.pfm.malloc(size)
        except OutOfFramesError:
            self.refused += 1
            return
        equal(virt % 16, 0)
        self._note(virt, size, None)

    def _alloc(self):
        if not self._room():
            return
        cache = self._caches[random.getrandbits(16) % len(self._caches)]
        try:
            virt = cache.alloc()
        except OutOfFramesError:
            self.refused += 1
            return
        if cache.name == "aligned":
            equal(virt % 256, 0)
        self._note(virt, cache.size, cache)

    def _free(self):
        if self._held:
            self._release(random.getrandbits(30) % self._held)

    def _wrong(self):
        """Free twice, inside an object, to another cache, or close a cache in use."""
        if not self._held:
            return
        virt, size, _, cache = item = self._objects[random.getrandbits(30) % self._held]
        kind = random.getrandbits(2)
        if kind == 0:
            item = self._release(random.getrandbits(30) % self._held)
            virt, size, _, cache = item
            # An object with frames of its own, and the only one of a slab, leave no trace.
            wanted = (DoubleFreeError, ObjectStateError)
            call = cache.free if cache else self.pfm.mfree
        elif kind == 1:
            wanted, call = (ObjectStateError,), cache.free if cache else self.pfm.mfree
            virt += 8
        elif kind == 2:
            wanted = (ForeignFreeError,)
            call = self.pfm.mfree if cache else self._caches[0].free
        elif cache:
            wanted, call = (CacheInUseError,), lambda virt: cache.close()
        else:
            return
        try:
            call(virt)
        except wanted:
            self.refused += 1
        else:
            raise AssertionError("{} of {} is not refused".format(kind, item))

    def _frame(self):
        """Take frames, or give them back: slabs are not alone."""
        if self._frames and random.getrandbits(1):
            self.pfm.free(self._frames.pop())
        elif len(self._frames) < 100:
            try:
                self._frames.append(self.pfm.alloc(random.getrandbits(2)))
            except OutOfFramesError:
                self.refused += 1

    def _drain(self):
        self.pfm.drain()


def _trace(machine, operations, seed, debug=False):
    with FakeMachine(machine) as fake:
        trace = Trace(fake.boot(debug), seed)
        try:
            trace.run(operations)
        except Exception:
            print("# seed {}".format(seed))
            raise
        assert trace.refused > operations // 200, trace.refused


def test_large_machine():
    _trace(THREE_ZONES, _OPERATIONS, _SEED)


def test_small_machine():
    # Small enough to run out of frames again and again.
    _trace(SMALL_8M, _OPERATIONS // 4, _SEED + 1)


def test_debug_mode():
    _trace(SMALL_8M, _OPERATIONS // 20, _SEED + 2, debug=True)
