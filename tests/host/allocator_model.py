"""A model of the allocator that shares no code with pfm: sets of frames, and for each call what it may come to.

It knows nothing of buddies, of the memory map what frame_model.py makes of it, and of the
manager what docs/ promises.  hypothesis drives it and cuts a failing sequence of calls down
to a few; machines have some hundreds of frames, for it looks at each in turn.  For long
traces, and for the kernel, there is a cheap model: tests/unit/model.py.
"""

import explorer
import frame_model

ORDER_MAX = 18
RC_MAX = 0xFFFF
# docs/frames.md, "The zone"
WATERMARK_SHIFT = 7
WATERMARK_MAX = 2048


class Block:
    """Frames allocated as one."""

    def __init__(self, pfn, count, compound=False):
        self.pfn = pfn
        self.count = count
        self.compound = compound
        self.references = 1


class AllocatorModel:
    """Makes calls of a manager that was just booted with the map `entries`, and judges each."""

    def __init__(self, manager, entries, facts):
        self._manager = manager
        self._facts = facts
        start, end = facts["array"]
        self.free = set()
        self.present = set()
        for first, stop, what in frame_model.stretches(entries):
            if what.present:
                self.present |= set(range(first, stop))
            if what.kind == frame_model.USABLE:
                self.free |= {pfn for pfn in range(first, stop) if not start <= pfn < end}
        self.managed = len(self.free)
        bounds = [0, *frame_model.ZONE_ENDS]
        self._zones = list(zip(bounds, bounds[1:], strict=False))
        counts = [len(self._within(zone)) for zone in range(3)]
        assert counts == facts["managed"]
        self._watermarks = [min(n >> WATERMARK_SHIFT, WATERMARK_MAX) for n in counts]
        self._top = max(zone for zone in range(3) if counts[zone])
        # By first frame, and in the order of allocation.
        self.blocks = {}

    def _within(self, zone):
        low, high = self._zones[zone]
        return {pfn for pfn in self.free if low <= pfn < high}

    def step(self, name, *args):
        """Make the call, expect what the model allows, and that the counters agree."""
        getattr(self, "_" + name)(*args)
        free = self._manager.ask("call", "count_free")
        assert free == [len(self._within(zone)) for zone in range(3)]

    def give_back(self):
        """Free every block."""
        for block in list(self.blocks.values()):
            for left in range(block.references - 1, 0, -1):
                assert self._manager.ask("call", "unref", block.pfn) == left
            self._manager.ask("call", "free", block.pfn)
            self._put(block)
        self._manager.ask("call", "drain")

    def _call(self, errors, name, *args):
        """(True, what it returned), or (False, the error), which must be one of `errors`."""
        try:
            return True, self._manager.ask("call", name, *args)
        except explorer.Refused as error:
            assert error.name in errors, (name, args, error, errors)
            return False, error

    # What the model says

    def _spare(self, zone):
        return len(self._within(zone)) - self._watermarks[zone]

    def _allowed(self, zone, count):
        """Zones that an allocation of that many frames may be taken from."""
        top = self._top if zone is None else min(zone, self._top)
        return [z for z in range(top, -1, -1) if z == top or self._spare(z) >= count]

    def _room(self, zone, count, align, below=frame_model.PFN_END):
        """Whether there is a place for an allocation."""
        for number in self._allowed(zone, count):
            free = self._within(number)
            for pfn in free:
                if pfn % align == 0 and pfn + count <= below:
                    if all(at in free for at in range(pfn, pfn + count)):
                        return True
        return False

    def _take(self, block, zones=None):
        frames = set(range(block.pfn, block.pfn + block.count))
        assert frames <= self.free
        assert zones is None or any(frames <= self._within(zone) for zone in zones)
        self.free -= frames
        self.blocks[block.pfn] = block

    def _put(self, block):
        self.free |= set(range(block.pfn, block.pfn + block.count))
        del self.blocks[block.pfn]

    def _pick(self, pick):
        return list(self.blocks.values())[pick % len(self.blocks)] if self.blocks else None

    def _holder(self, pfn):
        """The block that the frame is of."""
        for block in self.blocks.values():
            if block.pfn <= pfn < block.pfn + block.count:
                return block
        return None

    # The calls

    def _alloc(self, order, zone, compound):
        if not 0 <= order <= ORDER_MAX or zone in (3, -1):
            done, _ = self._call({"ArgumentError"}, "alloc", order, zone, False, 0, compound)
            assert not done
            return
        count = 1 << order
        zones = self._allowed(zone, count)
        done, pfn = self._call({"OutOfFramesError"}, "alloc", order, zone, False, 7, compound)
        if not done:
            assert not self._room(zone, count, count), (order, zone)
            return
        assert pfn % count == 0
        self._take(Block(pfn, count, compound and order > 0), zones)

    def _alloc_contiguous(self, count, align, zone, below):
        bad = count < 1 or count > self.managed or align < 1 or align & (align - 1)
        if bad or zone in (3, -1):
            assert not self._call(
                {"ArgumentError"}, "alloc_contiguous", count, align, zone, below
            )[0]
            return
        zones = self._allowed(zone, count)
        done, pfn = self._call({"OutOfFramesError"}, "alloc_contiguous", count, align, zone, below)
        limit = frame_model.PFN_END if below is None else below
        if not done:
            assert not self._room(zone, count, align, limit), (count, align, zone, below)
            return
        assert pfn % align == 0 and pfn + count <= limit
        self._take(Block(pfn, count), zones)

    def _alloc_at(self, pick, count):
        span = self._facts["max"] - self._facts["min"] + 2
        frames = sorted(self.present)
        pfn = frames[pick % len(frames)] if pick % 5 else self._facts["min"] + pick % span
        if count < 1:
            assert not self._call({"ArgumentError"}, "alloc_at", pfn, count)[0]
            return
        if pfn + count > self._facts["max"] + 1:
            errors = (
                {"FrameRangeError", "ArgumentError"}
                if count > self.managed
                else {"FrameRangeError"}
            )
            assert not self._call(errors, "alloc_at", pfn, count)[0]
            return
        taken = next((at for at in range(pfn, pfn + count) if at not in self.free), None)
        if taken is None:
            assert self._call(set(), "alloc_at", pfn, count) == (True, pfn)
            self._take(Block(pfn, count))
            return
        wanted = "FrameStateError" if taken in self.present else "FrameNotPresentError"
        if count > self.managed:
            assert not self._call({wanted, "ArgumentError"}, "alloc_at", pfn, count)[0]
            return
        done, error = self._call({wanted}, "alloc_at", pfn, count)
        assert not done and error.shown["pfn"] == taken

    def _most(self, top):
        """How many frames alloc_many may take."""
        return len(self._within(top)) + sum(max(0, self._spare(z)) for z in range(top))

    def _fill(self, zone, left):
        """Take all but a few of the frames that may be had at that zone."""
        self._alloc_many(self._most(min(zone, self._top)) - left, zone)

    def _alloc_many(self, count, zone):
        if count < 1 or count > self.managed or zone in (3, -1):
            assert not self._call({"ArgumentError"}, "alloc_many", count, zone)[0]
            return
        top = self._top if zone is None else min(zone, self._top)
        most = self._most(top)
        lower = [len(self._within(z)) for z in range(top)]
        done, frames = self._call({"OutOfFramesError"}, "alloc_many", count, zone)
        assert done == (count <= most), (count, most)
        if not done:
            return
        assert len(frames) == len(set(frames)) == count
        assert set(frames) <= self.free and all(pfn < self._zones[top][1] for pfn in frames)
        for pfn in frames:
            self.free.discard(pfn)
            self.blocks[pfn] = Block(pfn, 1)
        assert all(
            left == before or left >= mark
            for left, before, mark in zip(
                map(len, map(self._within, range(top))), lower, self._watermarks, strict=False
            )
        )

    def _target(self, pick, step):
        """A block, the frame `step` after its first, and the block that this frame heads or is for."""
        block = self._pick(pick)
        if block is None:
            return None, None
        pfn = block.pfn + step
        return pfn, self._holder(pfn)

    def _refusals(self, pfn, block, heads):
        """Names of the errors for a frame that is no block's, or that does not stand for it."""
        if not self._facts["min"] <= pfn <= self._facts["max"]:
            return {"FrameRangeError"}
        if pfn not in self.present:
            return {"FrameNotPresentError"}
        if block is None or (pfn != block.pfn and (heads or not block.compound)):
            return {"FrameStateError"}
        return set()

    def _free(self, pick, step):
        pfn, block = self._target(pick, step)
        if pfn is None:
            return
        errors = self._refusals(pfn, block, True)
        if not errors and block.references > 1:
            errors = {"RefcountError"}
        done, error = self._call(errors, "free", pfn)
        assert done == (not errors)
        if done:
            self._put(block)
        elif errors == {"RefcountError"}:
            assert error.shown["rc"] == block.references

    def _ref(self, pick, step):
        pfn, block = self._target(pick, step)
        if pfn is None:
            return
        errors = self._refusals(pfn, block, False)
        done, count = self._call(errors, "ref", pfn)
        assert done == (not errors)
        if done:
            block.references += 1
            assert count == block.references <= RC_MAX

    def _unref(self, pick, step):
        pfn, block = self._target(pick, step)
        if pfn is None:
            return
        errors = self._refusals(pfn, block, False)
        done, left = self._call(errors, "unref", pfn)
        assert done == (not errors)
        if not done:
            return
        block.references -= 1
        assert left == block.references
        if not left:
            self._put(block)

    def _drain(self):
        self._call(set(), "drain")

    def _check(self):
        self._manager.ask("check")
