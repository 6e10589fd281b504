"""The page frame manager: the contract of the reference, over the array and the allocator."""

import time

import micropython
import uctypes
from micropython import const

from . import backing, buddy, limine, memmap, resume
from .address import PAGE_SHIFT, PAGE_SIZE, PHYS_LIMIT, signed
from .allocator import control_size
from .check import check
from .errors import (
    AlreadyInitialisedError,
    ArgumentError,
    FlagsRangeError,
    FrameNotPresentError,
    NoMemoryMapError,
)
from .flags import FLAGS_MASK
from .frame import ABSENT, ENTRY_SHIFT, KIND_SHIFT, LOCK_OFFSET, ORDER_MASK, PageFrame
from .framearray import FrameArray
from .guard import guard
from .lock import acquire, release
from .log import Log
from .machine import LimineMachine
from .ranges import FrameFlags
from .reports import FrameReports

# One processor is running until others are started.
_PROCESSORS = const(1)


class PageFrameManager(FrameFlags, FrameReports):
    """Manages every frame of a machine; the kernel's is `pfm.PFM`, made at import and initialised once.

    `log` writes what init does; set `log.level` to turn it up or down.  `space` is
    the address space in force (see machine.py), None where there is none to ask;
    who changes address spaces sets it.
    """

    # Before init.  Here and not in the constructor, since to store an attribute takes its time.
    initialised = False
    regions = ()
    frames = None
    init_us = 0
    space = None
    _machine = None
    _reclaimed = ()
    _state_virt = 0

    def __init__(self):
        self.log = Log()

    def init(self, machine=None, debug=False):
        """Build the array over the machine's memory and open the allocator.

        `machine` is what machine.py describes, by default the one that the kernel
        runs on.  With `debug`, freed frames are filled with junk that allocation
        verifies.  Raises AlreadyInitialisedError, NoMemoryMapError,
        GarbledMemoryMapError, NoRoomError; the manager is then as before.
        Cost: a step for each region, free block and page of the array; where the
        array's pages have frames of their own from the start, C's memset over it.
        """
        if self.initialised:
            raise AlreadyInitialisedError("init() has been called")
        started = time.ticks_us()
        machine = machine or _this_machine()
        # 1. Detect physical memory.
        frames = FrameArray(self._regions(machine))
        self.log.info("{} regions, {} frames", len(frames.regions), frames.count)
        # 2. Find a region for the array.
        control_pages = (control_size(_PROCESSORS) + PAGE_SIZE - 1) >> PAGE_SHIFT
        space = machine.space(frames.take_table)
        frames.place(control_pages, space is not None)
        # 3. Map it.
        frames.map(machine.hhdm, space)
        self.log.info(
            "array at v0x{:x}, frames p0x{:x}..0x{:x}",
            frames.base,
            frames.start_phys,
            frames.end_phys,
        )
        # 4. to 6. Write every entry in its final state: default, RESERVED, the array's own.
        frames.build()
        self._attach(machine, frames, debug)
        frames.mark_tables(self._zones[0])
        self.space = space
        self._open()
        for region in self.regions:
            self.log.debug("{}", region)
        self.init_us = time.ticks_diff(time.ticks_us(), started)
        self.log.info("{} frames free after {} us", self._managed, self.init_us)

    def _regions(self, machine):
        if machine.hhdm is None:
            raise NoMemoryMapError("the loader told no HHDM offset")
        return memmap.regions(memmap.read(machine.memmap_virt))

    def _attach(self, machine, frames, debug):
        self.initialised = True
        self._machine = machine
        self.hhdm = machine.hhdm
        self.frames = frames
        self.regions = frames.regions
        control = signed(machine.hhdm + frames.control_phys)
        self._start(frames, signed(machine.hhdm), control, _PROCESSORS, debug)

    def save(self, state_virt):
        """Write to the address `state_virt` what `resume` needs, and keep it up to date there.

        It takes `sizeof(resume.SAVED)` bytes.
        """
        self._state_virt = state_virt
        saved = uctypes.struct(state_virt, resume.SAVED)
        self.frames.save(saved)
        saved.processors = _PROCESSORS
        saved.debug = self.debug
        saved.bootloader_reclaimed = limine.BOOTLOADER_RECLAIMABLE in self._reclaimed
        saved.acpi_reclaimed = limine.ACPI_RECLAIMABLE in self._reclaimed
        saved.magic = resume.MAGIC

    def resume(self, state_virt, lasting, machine=None):
        """Go on with the array that the manager which wrote `state_virt` had built; return whether there was one.

        Frees every block but those whose tag is in `lasting`, and clears the
        frames' locks: their owners were Python objects and are gone.  Raises
        AlreadyInitialisedError.  Cost: a step for each block, and a look at each entry.
        """
        if self.initialised:
            raise AlreadyInitialisedError("init() has been called")
        saved = uctypes.struct(state_virt, resume.SAVED)
        if saved.magic != resume.MAGIC:
            return False
        machine = machine or _this_machine()
        if saved.bootloader_reclaimed:
            self._reclaimed += (limine.BOOTLOADER_RECLAIMABLE,)
        if saved.acpi_reclaimed:
            self._reclaimed += (limine.ACPI_RECLAIMABLE,)
        frames = FrameArray(self._regions(machine))
        frames.restore(saved)
        frames.regions = memmap.adopt(frames.regions, self._reclaimed)
        self._attach(machine, frames, bool(saved.debug))
        self._state_virt = state_virt
        self._recount()
        for region in self.regions:
            if region.present:
                resume.unlock(self._base, region.start, region.end)
            if region.usable:
                self._free_all(region, lasting)
        self.drain()
        return True

    def _free_all(self, region, lasting):
        """Free the blocks of a region whose tags are not `lasting`."""
        pfn = resume.next_used(self._base, region.start, region.end)
        while pfn < region.end:
            entry = PageFrame.at(self._base + (pfn << ENTRY_SHIFT))
            after = pfn + (1 << (entry.state & ORDER_MASK))
            if entry.tag not in lasting:
                entry.rc = 1
                self.free(pfn)
                self.drain()
                # It may have merged with blocks behind it.
                head = buddy.holder(self._base, pfn)
                after = head + (
                    1 << (PageFrame.at(self._base + (head << ENTRY_SHIFT)).state & ORDER_MASK)
                )
            pfn = resume.next_used(self._base, after, region.end)

    def reclaim(self, acpi=False):
        """Make bootloader-reclaimable memory allocatable, and ACPI-reclaimable too if `acpi`.

        The machine first leaves what the loader had set up there (see
        `LimineMachine.leave_loader`).  Returns the frames that each gave, as
        (bootloader, acpi); a second call gives 0.  Raises NotInitialisedError.
        """
        if self._last < 0:
            self._out_of_bounds(0)
        given = []
        for kind, wanted in (
            (limine.BOOTLOADER_RECLAIMABLE, True),
            (limine.ACPI_RECLAIMABLE, acpi),
        ):
            taken = [region for region in self.regions if wanted and region.type == kind]
            if taken and kind == limine.BOOTLOADER_RECLAIMABLE:
                self._machine.leave_loader(self)
            for region in taken:
                self.frames.clear(self._zones[0], region.start, region.end)
                self._adopt(region.start, region.end, True, False)
            if taken:
                self._reclaimed += (kind,)
                self.regions = self.frames.regions = memmap.adopt(self.regions, (kind,))
            given.append(sum([region.end - region.start for region in taken]))
        if self._state_virt:
            self.save(self._state_virt)
        return tuple(given)

    @micropython.native
    def set_flags(self, pfn, flags):
        """Set the bits `flags` of the frame, under its lock.

        Raises FrameRangeError, FrameNotPresentError, FlagsRangeError, LockHeldError,
        NotInitialisedError; TypeError for what is no integer.
        """
        self._change_flags(pfn, flags, 0)

    @micropython.native
    def clear_flags(self, pfn, flags):
        """Clear the bits `flags` of the frame, under its lock.  Errors as `set_flags`."""
        self._change_flags(pfn, 0, flags)

    def _change_flags(self, pfn, on, off):
        entry = self._lockable(pfn, on | off)
        irq = acquire(entry + LOCK_OFFSET, pfn)
        _change(entry, on, off)
        release(entry + LOCK_OFFSET, irq)

    @micropython.native
    def check_flags(self, pfn, flags):
        """Return whether all the bits `flags` of the frame are set.  Takes no lock, so never waits.

        A frame in bounds without RAM answers too: it is RESERVED.  Raises
        FrameRangeError, FlagsRangeError, NotInitialisedError; TypeError for what is no integer.
        """
        entry = self._entry(pfn)
        if flags & ~FLAGS_MASK:
            raise FlagsRangeError(flags)
        return _flags(entry) & flags == flags

    def get(self, pfn):
        """Lock the frame and return a `FrameGuard` on its entry; release it by `with` or `release()`.

        Raises FrameRangeError, FrameNotPresentError, LockHeldError, NotInitialisedError.
        """
        return guard(self._hot, self._lockable(pfn, 0), pfn)

    def min(self):
        """Return the number of the lowest frame with RAM.  Raises NotInitialisedError."""
        if self._last < 0:
            self._out_of_bounds(0)
        return self._first

    def max(self):
        """Return the number of the highest frame with RAM.  Raises NotInitialisedError."""
        if self._last < 0:
            self._out_of_bounds(0)
        return self._last

    def present(self, pfn):
        """Return whether the frame is managed: in bounds and RAM, not a hole.

        Never raises for an integer, whatever it is; TypeError for anything else,
        NotInitialisedError before init.
        """
        if self._last < 0:
            self._out_of_bounds(pfn)
        if pfn < self._first or pfn > self._last:
            return False
        return _state(self._entry(pfn)) >> KIND_SHIFT != ABSENT

    def check(self):
        """Walk every invariant of docs/invariants.md and return how much there was, as `check.Walked` in frames.

        Raises InvariantError for the first that is broken, NotInitialisedError.
        Holds each zone's lock while it walks that zone.  Cost: a look at each entry with RAM.
        """
        if self._last < 0:
            self._out_of_bounds(0)
        return check(self)

    def as_virt(self, phys):
        """Return the virtual address, in the HHDM, of the physical address `phys`.

        Whether anything is mapped there is the memory map's to say.
        Raises ArgumentError for what is no physical address.
        """
        if self._last < 0:
            self._out_of_bounds(0)
        if phys < 0 or phys >= PHYS_LIMIT:
            raise ArgumentError("phys", phys, "0 to 2**52 - 1")
        return self.hhdm + phys

    def as_phys(self, virt):
        """Return the physical address of the address `virt` of the HHDM.

        Raises ArgumentError for an address outside it.
        """
        if self._last < 0:
            self._out_of_bounds(0)
        if not 0 <= virt - self.hhdm < PHYS_LIMIT:
            raise ArgumentError("virt", hex(virt), "an address in the HHDM")
        return virt - self.hhdm

    def _lockable(self, pfn, flags):
        """Return the entry's address of a present frame, which can be written; `flags` are checked too."""
        entry = self._entry(pfn)
        if flags & ~FLAGS_MASK:
            raise FlagsRangeError(flags)
        if _state(entry) >> KIND_SHIFT == ABSENT:
            raise FrameNotPresentError(pfn)
        if _shared(entry):
            backing.touch(self._zones[0], entry)
        return entry


def _this_machine():
    try:
        return LimineMachine()
    except ImportError:
        raise NoMemoryMapError("not running under Limine, give init() a machine")


@micropython.viper
def _change(entry: int, on: int, off: int):
    e = ptr16(entry)
    e[0] = (int(e[0]) | on) & ~off


@micropython.viper
def _flags(entry: int) -> int:
    return int(ptr16(entry)[0])


@micropython.viper
def _state(entry: int) -> int:
    return int(ptr8(entry)[3])


@micropython.viper
def _shared(entry: int) -> int:
    return int(ptr8(entry)[13])
