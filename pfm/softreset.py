"""A manager's memory goes on after a soft reset: `save` before it, and `resume` by the next one."""

import micropython
import uctypes

from .alloc import buddy
from .alloc.zone import Zone, zone_of
from .arguments import integer
from .array import resume
from .array.framearray import FrameArray
from .frame.entry import ENTRY_SHIFT, ORDER_MASK, PageFrame
from .lock import acquire, critical, release
from .memmap import protocol
from .memmap.regions import adopt


class SoftReset:
    """The part of `PageFrameManager` that goes on with the memory of the one before it."""

    def save(self, state_virt):
        """Write what `resume` needs to the address `state_virt`, and keep it up to date there.

        It takes `sizeof(resume.SAVED)` bytes.  Raises NotInitialisedError, TypeError.
        """
        self._ready()
        saved = uctypes.struct(integer("state_virt", state_virt, "an address"), resume.SAVED)
        self.array.save(saved)
        saved.processors = self._processors
        saved.debug = self.debug
        self._save_reclaimed(saved)
        saved.magic = resume.MAGIC
        self._saved = saved

    @micropython.native
    def _save_reclaimed(self, saved):
        saved.bootloader_reclaimed = protocol.BOOTLOADER_RECLAIMABLE in self._reclaimed
        saved.acpi_reclaimed = protocol.ACPI_RECLAIMABLE in self._reclaimed

    def resume(self, state_virt, lasting, machine=None):
        """Continue with the array of the manager that wrote `state_virt`; return whether it did.

        Frees every block except those whose tag is in `lasting`, and releases all locks, since
        their owners were Python objects that no longer exist.  Gives back what a thread that
        was ended inside a call had in hand.  Raises AlreadyInitialisedError,
        TypeError.  Cost: a step per block, and a look at each entry.
        """
        machine = self._claim_machine(machine)
        saved = uctypes.struct(integer("state_virt", state_virt, "an address"), resume.SAVED)
        if saved.magic != resume.MAGIC:
            return False
        reclaimed = ()
        if saved.bootloader_reclaimed:
            reclaimed += (protocol.BOOTLOADER_RECLAIMABLE,)
        if saved.acpi_reclaimed:
            reclaimed += (protocol.ACPI_RECLAIMABLE,)
        frames = FrameArray(self._regions(machine))
        frames.restore(saved)
        frames.regions = adopt(frames.regions, reclaimed)
        with critical():
            try:
                self._attach(machine, frames, bool(saved.debug), saved.processors)
                self._reclaimed = reclaimed
                self._saved = saved
                self._release_locks()
                self._recount()
                self._drain()
                for region in self.regions:
                    if region.usable:
                        self._regain(region)
                        self._free_all(region, lasting)
                self._survive(lasting)
                self._drain()
                self._note_sites()
                self._run()
            except BaseException as error:
                self._detach()
                raise error
        return True

    def _release_locks(self):
        """Release the locks of zones, pool and frames, whose holders no longer exist."""
        resume.unlock_control(self._zones[0])
        for region in self.regions:
            if region.present:
                resume.unlock(self._base, region.start, region.end)

    def _regain(self, region):
        """Give back the frames of a region that are in no block."""
        start = resume.next_lost(self._base, region.start, region.end)
        while start < region.end:
            end = resume.clear_lost(self._base, start, region.end)
            while start < end:
                zone = zone_of(start)
                stop = min(end, Zone.BOUNDS[zone + 1])
                irq = acquire(self._zones[zone], Zone.NAMES[zone])
                buddy.free_range(self._zones[zone], self._base, start, stop)
                release(self._zones[zone], irq)
                start = stop
            start = resume.next_lost(self._base, self._after(end - 1), region.end)

    def _after(self, pfn):
        """Return the first frame after the free block that has the frame `pfn`."""
        head = buddy.head_of(self._base, pfn)
        return head + (1 << (PageFrame.at(self._base + (head << ENTRY_SHIFT)).state & ORDER_MASK))

    def _free_all(self, region, lasting):
        """Free the blocks of a region whose tags are not in `lasting`."""
        pfn = resume.next_used(self._base, region.start, region.end)
        while pfn < region.end:
            entry = PageFrame.at(self._base + (pfn << ENTRY_SHIFT))
            after = pfn + (1 << (entry.state & ORDER_MASK))
            if self._tag_of(entry) not in lasting:
                entry.rc = 1
                entry.freelist_va = 0
                self._free(pfn)
                self._drain()
                # The block may have merged with those after it.
                after = self._after(pfn)
            pfn = resume.next_used(self._base, after, region.end)
