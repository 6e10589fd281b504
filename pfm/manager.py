"""`PageFrameManager`: init, reclaim, and the calls on a single frame.

The interface follows `AbsPageFrameManager`, the trait that faces-pfm implements.
"""

import time

import micropython
import uctypes
from micropython import const

from . import control, processor
from .address import PAGE_SHIFT, PAGE_SIZE, PHYS_LIMIT, signed, unsigned
from .alloc import sites
from .alloc.blocks import Blocks
from .alloc.many import Many
from .alloc.runs import Runs
from .alloc.zones import Zones
from .arguments import frame_count, integer, number
from .array import populate
from .array.framearray import FrameArray
from .check.invariants import check
from .errors import (
    AlreadyInitialisedError,
    ArgumentError,
    FrameNotPresentError,
    FrameStateError,
    LockTimeoutError,
    NoMemoryMapError,
)
from .fastpath.install import install
from .frame.entry import ABSENT, ENTRY_SHIFT, LOCK_OFFSET, STATE_KIND_SHIFT
from .frame.flags import FLAGS_BITS, flags_number
from .frame.guard import guard, lost
from .lock import change16, critical, refuse
from .log import Log
from .machine import LimineMachine
from .manyflags.calls import ManyFlags
from .memmap import protocol
from .memmap.regions import adopt, partition, read
from .questions.calls import Questions
from .report.calls import Reports
from .slab.caches import open_general
from .slab.objects import Objects
from .softreset import SoftReset
from .state import State
from .units import human_size

# frame/entry.py
_BYTE_STATE = const(3)
_BYTE_SHARED = const(13)

# Attributes that `init` and `resume` set and a failure deletes again.
_ATTACHED = (
    "initialised",
    "regions",
    "array",
    "space",
    "hhdm",
    "debug",
    "_machine",
    "_reclaimed",
    "_saved",
    "_base",
    "_hhdm",
    "_zones",
    "_magazines",
    "_processors",
    "_first",
    "_last",
    "_cpu",
    "_caches",
    "_stocks",
    "_managed",
    "_top",
    "_sites",
)

# Magazines that `init` makes room for, if asked; a processor's number is at most as high.
_PROCESSORS_MAX = const(255)


class PageFrameManager(
    Blocks, Runs, Many, Objects, ManyFlags, Reports, Questions, Zones, State, SoftReset
):
    """Manages every frame of a machine; the kernel's instance is `pfm.PFM`.

    `log` prints what init does; `log.level` sets how much.  `space` is the address space in
    use (see machine.py), None if there is none; code that switches address spaces sets it.

    The most frequent calls have a fast path, which `init` stores on the instance: fastpath/
    says which calls, and when it is taken.  The methods of this class document each call, do
    all checks and are the slow path; with `fast_path = False` set before `init` they alone
    run.
    """

    def __init__(self):
        self.log = Log()

    def __repr__(self):
        name = type(self).__name__
        if not self.initialised:
            return "<{}: not initialised>".format(name)
        return "<{}: {} of RAM, {} free>".format(
            name,
            human_size(self.count_present() << PAGE_SHIFT),
            human_size(sum(self.count_free()) << PAGE_SHIFT),
        )

    def init(self, machine=None, debug=False, processors=1):
        """Build the array over the machine's memory and open the allocator.

        The six steps are those of faces-pfm's `init`:

            1. detect physical memory: read the memory map and make regions of frames from it
            2. find a region for the array of entries
            3. map the array
            4. give every entry its default value
            5. mark every frame RESERVED that is not usable
            6. mark the array's own frames RESERVED

        Steps 4 to 6 are one pass, which writes each entry once, in its final state.

        `machine` is described in machine.py (default: the one that the kernel runs on).  With
        `debug`, freed frames are filled with poison, which allocation verifies.  `processors`
        is how many processors may call the manager at a time, 1 to 255, whether they have been
        started or not.  Raises AlreadyInitialisedError (also if another manager has this
        machine), NoMemoryMapError, GarbledMemoryMapError, NoRoomError, ArgumentError,
        TypeError; the manager is then as before.  Cost: a step per
        region, free block and page of the array; where the array's pages have frames of their
        own from the start, C's memset over it.
        """
        machine = self._claim_machine(machine)
        processors = number("processors", processors, 1, _PROCESSORS_MAX, "1 to 255")
        started = time.ticks_us()
        # 1. Detect physical memory.
        frames = FrameArray(self._regions(machine))
        self.log.info("{} regions, {} frames", len(frames.regions), frames.count)
        # 2. Find a region for the array.
        control_pages = (control.size(processors) + PAGE_SIZE - 1) >> PAGE_SHIFT
        space = machine.space(frames.take_table)
        frames.place(control_pages, space is not None)
        with critical():
            try:
                # 3. Map the array.
                frames.map(machine.hhdm, space)
                # 4. Give every entry its default value,
                # 5. mark every frame RESERVED that is not usable,
                # 6. mark the array's own frames RESERVED: one pass does 4 to 6.
                frames.build()
                self._attach(machine, frames, debug, processors)
                frames.mark_tables(self._zones[0])
                self.space = space
                self._open()
                open_general(self._caches, self._stocks, processors, self.debug)
                self._note_sites()
                self._run()
            except BaseException as error:
                self._detach()
                if space is not None and frames.base:
                    space.abandon()
                raise error
        self.log.info(
            "array at v0x{:x}, frames p0x{:x}..0x{:x}",
            frames.base,
            frames.start_phys,
            frames.end_phys,
        )
        for region in self.regions:
            self.log.debug("{}", region)
        self.init_us = time.ticks_diff(time.ticks_us(), started)
        self.log.info("{} frames free after {} us", self._managed, self.init_us)

    def _claim_machine(self, machine):
        """Return the machine to manage.  Raises AlreadyInitialisedError if it has one."""
        if self.initialised:
            raise AlreadyInitialisedError("init() has been called")
        machine = machine or _this_machine()
        if machine.manager is not None:
            raise AlreadyInitialisedError(
                "{} manages this machine; pfm.testing.FakeMachine makes others".format(
                    machine.manager
                )
            )
        return machine

    def _regions(self, machine):
        if machine.hhdm is None:
            raise NoMemoryMapError("the loader gave no HHDM response")
        return partition(read(machine.memmap_virt))

    def _attach(self, machine, frames, debug, processors):
        self._machine = machine
        self.hhdm = machine.hhdm
        self.array = frames
        self.regions = frames.regions
        # Created now, so that changing them later does not allocate.
        self.initialised = False
        self.space = None
        self._saved = None
        self._reclaimed = self._reclaimed
        self._processors = processors
        self.debug = bool(debug)
        self._first = frames.first
        self._last = frames.count - 1
        self._managed = 0
        self._top = -1
        # Signed addresses, which viper code takes without the Python heap.
        self._base = frames.address
        self._hhdm = signed(machine.hhdm)
        page = signed(machine.hhdm + frames.control_phys)
        self._zones = tuple([page + zone * control.ZONE_SIZE for zone in range(control.ZONES)])
        self._magazines = page + control.MAGAZINES_OFFSET
        self._caches = page + control.caches_offset(processors)
        self._stocks = page + control.stocks_offset(processors)
        self._cpu = processor.write(page, frames, processors, self._hhdm, self._stocks)

    def _note_sites(self):
        """Note call sites from here on, in debug mode."""
        self._sites = sites.open_sites(self) if self.debug else 0

    def _run(self):
        """Make the manager usable.  Nothing can fail any more but installing the fast path."""
        self._machine.manager = self
        if self.fast_path:
            install(self, self._cpu, PageFrameManager)
        self.initialised = True

    def _detach(self):
        """Return to the state before `_attach`, without allocating."""
        if self._machine is not None:
            self._machine.manager = None
        for name in _ATTACHED:
            try:
                delattr(self, name)
            except AttributeError:
                pass

    def reclaim(self, acpi=False):
        """Make bootloader-reclaimable memory allocatable, with `acpi` ACPI-reclaimable memory too.

        First the machine moves what is still in use out of that memory (see `leave_loader` and
        `leave_acpi` of `LimineMachine`).  Returns the numbers of frames gained, as (bootloader,
        acpi); a second call returns 0.  Raises NotInitialisedError, LockHeldError, and the
        errors of leaving the loader; then nothing was reclaimed.  Cost: a store per entry and
        a step per block.
        """
        self._ready()
        given = self._reclaim(protocol.BOOTLOADER_RECLAIMABLE)
        return given, self._reclaim(protocol.ACPI_RECLAIMABLE) if acpi else 0

    def _reclaim(self, kind):
        """Make all memory of one type allocatable, or none; return the number of frames."""
        taken = [region for region in self.regions if region.type == kind]
        if not taken:
            return 0
        reclaimed = self._reclaimed + (kind,)
        regions = adopt(self.regions, (kind,))
        frames = sum([region.end - region.start for region in taken])
        with critical():
            if kind == protocol.BOOTLOADER_RECLAIMABLE:
                self._machine.leave_loader(self)
            else:
                self._machine.leave_acpi(self)
            for region in taken:
                populate.populate_range(self._zones[0], self._base, region.start, region.end)
            # Nothing allocates from here on.
            self._take_in(taken, regions, reclaimed)
        return frames

    @micropython.native
    def _take_in(self, taken, regions, reclaimed):
        self._adopt(taken, True)
        self.regions = regions
        self.array.regions = regions
        self._reclaimed = reclaimed
        if self._saved is not None:
            self._save_reclaimed(self._saved)

    @micropython.viper
    def set_flags(self, pfn, flags):
        """Set the bits `flags` of the frame, under its lock.

        Positional arguments only; has a fast path.  Raises FrameRangeError,
        FrameNotPresentError, FlagsRangeError, LockHeldError, NotInitialisedError, TypeError.
        """
        self._change_flags(pfn, flags, True)

    @micropython.viper
    def clear_flags(self, pfn, flags):
        """Clear the bits `flags` of the frame, under its lock.  Errors as `set_flags`."""
        self._change_flags(pfn, flags, False)

    @micropython.native
    def _change_flags(self, pfn, flags, on):
        entry = self._lockable(pfn)
        flags = flags_number(flags)
        holder = change16(entry, entry + LOCK_OFFSET, flags if on else flags | flags << FLAGS_BITS)
        if holder:
            refuse(pfn, holder)

    @micropython.viper
    def check_flags(self, pfn, flags):
        """Return whether all bits of `flags` are set for the frame; takes no lock, so never waits.

        A frame in bounds without RAM is RESERVED.  Positional arguments only; has a fast path.
        Raises FrameRangeError, FlagsRangeError, NotInitialisedError, TypeError.
        """
        return self._check_flags(pfn, flags)

    @micropython.native
    def _check_flags(self, pfn, flags):
        entry = self._base + (self._pfn(pfn) << ENTRY_SHIFT)
        flags = flags_number(flags)
        return _flags(entry) & flags == flags

    @micropython.viper
    def get(self, pfn):
        """Lock the frame and return a `FrameGuard` for its entry; `with` or `release()` unlocks.

        Positional argument only; has a fast path.  Raises FrameRangeError,
        FrameNotPresentError, LockHeldError, NotInitialisedError, TypeError.
        """
        return self._get(pfn)

    @micropython.native
    def _get(self, pfn):
        return guard(self._cpu, self._lockable(pfn), self._pfn(pfn))

    @micropython.native
    def unlock(self, pfn):
        """Release the lock of a frame whose guard was lost before it was released.

        Raises FrameStateError if no guard holds the frame, LockTimeoutError if another context
        does, FrameRangeError, NotInitialisedError, TypeError.
        """
        pfn = self._pfn(pfn)
        code = lost(self._cpu, self._base + (pfn << ENTRY_SHIFT))
        if code == 0:
            raise FrameStateError("unlock", pfn, "not locked")
        if code < 0:
            raise LockTimeoutError(pfn, -code)

    def min(self):
        """Return the number of the lowest frame with RAM.  Raises NotInitialisedError."""
        self._ready()
        return self._first

    def max(self):
        """Return the number of the highest frame with RAM.  Raises NotInitialisedError."""
        self._ready()
        return self._last

    def present(self, pfn):
        """Return whether the frame is managed: in bounds and RAM, not a hole.

        Accepts any integer.  Raises TypeError if `pfn` is not an integer, NotInitialisedError.
        """
        self._ready()
        pfn = integer("pfn", pfn, "an integer")
        if not self._first <= pfn <= self._last:
            return False
        return _state(self._base + (pfn << ENTRY_SHIFT)) >> STATE_KIND_SHIFT != ABSENT

    def check(self):
        """Check every invariant of docs/invariants.md; return the frames walked, as `Walked`.

        Raises InvariantError for the first broken one, NotInitialisedError.  Holds each zone's
        lock while it walks that zone.  Cost: a look at each entry with RAM.
        """
        self._ready()
        return check(self)

    def as_virt(self, phys):
        """Return the HHDM's virtual address for the physical address `phys`.

        Only RAM is sure to be mapped there; see the memory map.  Raises ArgumentError unless
        `phys` is in 0..2**52 - 1, TypeError, NotInitialisedError.
        """
        self._ready()
        return self.hhdm + number("phys", phys, 0, PHYS_LIMIT - 1, "0 to 2**52 - 1")

    def as_phys(self, virt):
        """Return the physical address for the HHDM address `virt`, signed or not.

        Raises ArgumentError if `virt` is outside the HHDM, TypeError, NotInitialisedError.
        """
        self._ready()
        virt = unsigned(integer("virt", virt, "an address in the HHDM"))
        if not 0 <= virt - self.hhdm < PHYS_LIMIT:
            raise ArgumentError("virt", hex(virt), "an address in the HHDM")
        return virt - self.hhdm

    def memory(self, pfn, count=1):
        """Return the memory of `count` frames from `pfn` on as a memoryview of bytes, in the HHDM.

        4096 bytes a frame.  It is the memory, not a copy: a store changes it, whoever has it.  It
        holds no reference to the frames.  After they are freed it still reads and writes them, and
        they may be anybody's; so let go of the view first.  Raises FrameRangeError,
        FrameNotPresentError, ArgumentError, TypeError, NotInitialisedError, MemoryError.  Cost:
        a step per region, and three objects, none of which has the bytes.
        """
        pfn = self._pfn(pfn)
        count = frame_count(count)
        self._pfn(pfn + count - 1)
        hole = self._first_absent(pfn, pfn + count)
        if hole < pfn + count:
            raise FrameNotPresentError(hole)
        virt = self._hhdm + (pfn << PAGE_SHIFT)
        return memoryview(uctypes.bytearray_at(virt, count << PAGE_SHIFT))

    @micropython.native
    def _lockable(self, pfn):
        """Return the address of a present frame's entry, its array page populated."""
        pfn = self._pfn(pfn)
        entry = self._base + (pfn << ENTRY_SHIFT)
        if _state(entry) >> STATE_KIND_SHIFT == ABSENT:
            raise FrameNotPresentError(pfn)
        if _shared(entry):
            populate.populate(self._zones[0], entry)
        return entry


def _this_machine():
    try:
        return LimineMachine()
    except ImportError:
        raise NoMemoryMapError("not running under Limine; pass init() a machine")


@micropython.viper
def _flags(entry: int) -> int:
    return int(ptr16(entry)[0])


@micropython.viper
def _state(entry: int) -> int:
    return int(ptr8(entry)[_BYTE_STATE])


@micropython.viper
def _shared(entry: int) -> int:
    return int(ptr8(entry)[_BYTE_SHARED])
