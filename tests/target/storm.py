"""A storm of interrupts: every public call in turn, a KeyboardInterrupt at any moment, and a look at what is left.

The host sends Ctrl-C and waits for the line that tells how it went
(tests/host/test_storm.py); between that line and the next Ctrl-C calls go on.
"""

import gc
import os

import calls
import machine
import owners

from pfm import PFM, processor
from pfm.address import PAGE_SIZE
from pfm.array import resume
from pfm.frame.entry import ENTRY_SHIFT, PageFrame
from pfm.memmap import protocol
from pfm.paging.tables import WRITE
from pfm.testing import FakeMachine

_MIB = 1 << 20
# Its array lies flat in a buffer, so it is small.
_RECLAIMABLE = (
    (0, _MIB, protocol.USABLE),
    (2 * _MIB, _MIB // 2, protocol.BOOTLOADER_RECLAIMABLE),
    (3 * _MIB, _MIB // 2, protocol.ACPI_RECLAIMABLE),
)

# Where pages are mapped and unmapped: a top level entry that nothing else uses.
_PLAYGROUND = 0xFFFF_9000_0000_0000
_PAGES = 700

_KEPT = "kept.txt"
_SCRATCH = "scratch.txt"
_TEXT = "what was closed stays\n" * 200


class Storm:
    """Runs calls until it is interrupted; `seen` counts how often each call was under way then."""

    def __init__(self):
        with open(_KEPT, "w") as file:
            file.write(_TEXT)
        calls.mark(PFM)
        self._before = None
        self._under_way = None
        self._fake = None
        self.seen = {}

    def run(self, interrupts, reset=False):
        """Answer that many interrupts, each with a line; at the last one soft reset as things are, if `reset`."""
        self._before = self._recover()
        count = 0
        said = "storm"
        while True:
            try:
                # From here on the next one may come.
                print(said)
                while True:
                    self._round()
            except KeyboardInterrupt:
                pass
            count += 1
            name = self._under_way
            self.seen[name] = self.seen.get(name, 0) + 1
            if reset and count == interrupts:
                print("reset", name)
                machine.soft_reset()
            after = self._recover()
            if after != self._before:
                raise AssertionError("{}: {} became {}".format(name, self._before, after))
            said = "whole {}".format(name)
            if count == interrupts:
                print(said)
                return

    def _round(self):
        for call in calls.CALLS:
            self._under_way = call.name
            given = call.given(PFM)
            result = call.run(PFM, given)
            call.clean(PFM, given, True, result)
        for name, step in (
            ("map", self._map),
            ("write", self._write),
            ("reclaim", self._fake_machine),
            ("collect", gc.collect),
        ):
            self._under_way = name
            step()

    def _map(self):
        phys = 0x1000_0000
        PFM.space.map(_PLAYGROUND, phys, _PAGES, WRITE)
        PFM.space.unmap(_PLAYGROUND, _PAGES)

    def _write(self):
        with open(_SCRATCH, "w") as file:
            file.write(_TEXT)
        with open(_SCRATCH) as file:
            file.read()
        os.remove(_SCRATCH)

    def _fake_machine(self):
        self._fake = None
        fake = FakeMachine(_RECLAIMABLE)
        manager = fake.boot()
        self._fake = (fake, manager)
        manager.reclaim()
        manager.reclaim(acpi=True)
        manager.check()

    def _recover(self):
        """Take back what an interrupted call leaves to its caller, and return what must be as before."""
        if processor.guards(PFM._cpu):
            PFM.unlock(calls.MARKED)
        PFM.clear_flags_range(calls.MARKED, 200, 0xFFFF)
        # Objects and caches whose address or name was lost go as in a soft reset.
        PFM._survive(owners.ALL)
        for region in PFM.regions:
            if region.usable:
                _free_leftovers(region)
        self._look_at_pages()
        self._look_at_files()
        self._look_at_fake()
        return calls.signature(PFM)

    def _look_at_pages(self):
        mapped = [PFM.space.query(_PLAYGROUND + page * PAGE_SIZE) for page in range(_PAGES)]
        if any(mapped):
            if not all(mapped):
                raise AssertionError(
                    "{} of {} pages mapped".format(sum(map(bool, mapped)), _PAGES)
                )
            PFM.space.unmap(_PLAYGROUND, _PAGES)

    def _look_at_files(self):
        if _SCRATCH in os.listdir():
            os.remove(_SCRATCH)
        with open(_KEPT) as file:
            if file.read() != _TEXT:
                raise AssertionError("a closed file has changed")

    def _look_at_fake(self):
        if self._fake:
            manager = self._fake[1]
            manager.check()
            manager.reclaim(acpi=True)
            count = sum(manager.count_free())
            if len(set(manager.alloc_many(count))) != count:
                raise AssertionError("a frame was handed out twice")
            self._fake = None


def _free_leftovers(region):
    """Free each block that no lasting owner holds: its number was lost to the interrupt."""
    base = PFM.array.address
    pfn = resume.next_used(base, region.start, region.end)
    while pfn < region.end:
        entry = PageFrame.at(base + (pfn << ENTRY_SHIFT))
        if entry.tag not in owners.ALL:
            if entry.freelist_va:
                entry.freelist_va = 0
                entry.rc = 1
            while entry.rc > 1:
                PFM.unref(pfn)
            PFM.free(pfn)
            PFM.drain()
            # Blocks have merged: begin again.
            pfn = region.start
        else:
            pfn += 1 << (entry.state & 31)
        pfn = resume.next_used(base, pfn, region.end)
