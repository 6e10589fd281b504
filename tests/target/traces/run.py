"""Rounds of random operations on all processors at once, and looks at everything between them."""

import _thread
import io
import sys
import time

import critical
import machine
import owners
from tests.target.traces.actor import Actor
from tests.target.traces.allocations import Block, give_back
from tests.target.traces.disagreement import Disagreement, same
from tests.target.traces.shared import Shared
from tests.target.traces.stamps import BOX, forget

from pfm import PFM, FrameStateError, LockTimeoutError, PageFlags, Phys, processor
from pfm.address import PAGE_SHIFT

# Operations of each processor between two looks at everything.
_ROUND = 400
# For a round, generously: a machine whose host is busy takes its time.
_ROUND_MS = 300000

# Of a round's number, which is a byte: the threads shall end.
_END = 255


class Traces(Shared):
    """All processors' traces; `seed` makes the same operations again, not the same order of them."""

    def __init__(self, seed=1):
        self._count = machine.cpus()
        super().__init__(self._count)
        self._actors = [Actor(self, number, seed) for number in range(self._count)]
        self._errors = [None] * self._count
        self._round = bytearray(1)
        self._ended = bytearray(self._count)
        PFM.drain()
        self._free = PFM.count_free()
        self._foreign = {block.pfn: None for block in PFM.blocks("used")}
        for number in range(1, self._count):
            _thread.start_new_thread(self._work, (number,))

    @property
    def steps(self):
        """How many operations there were."""
        return sum([actor.steps for actor in self._actors])

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
        forget(self.table, len(self.table), actor.owner)
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
            if isinstance(item, Block):
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
            if isinstance(item, Block):
                self._actors[0].look_at_block(item, BOX)
            else:
                self._actors[0].look_at_object(item)
        self.pages.look()
        for counts in (self.guarded, self.locked, self.excluded):
            same(sum(counts[:-1]), counts[-1])
        same(processor.guards(PFM._cpu), 1 if self.guard else 0)
        references = sum([actor.references for actor in self._actors])
        same(PFM.identify(Phys(self.shared << PAGE_SHIFT)).rc, 1 + references)
        same(PFM.slabinfo().differences, [])

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
            if isinstance(item, Block):
                give_back(item)
            else:
                self._actors[0].free_object(item)
        self.cache.close()
        PFM.drain()
        same(PFM.count_free(), self._free)
        self.pages.close()
        PFM.free(self.second)
        PFM.free(self.shared)
        PFM.check()


def _lasts(found):
    """Return whether a used block belongs to the kernel, or to objects."""
    return found.tag in owners.ALL or PFM.check_flags(found.pfn, PageFlags.SLAB)
