"""The page frame manager: the contract of the reference, over the array and the allocator."""

import time

import micropython
from micropython import const

from . import memmap
from .address import PAGE_SHIFT, PAGE_SIZE, PHYS_LIMIT, signed
from .allocator import control_size
from .errors import (
    AlreadyInitialisedError,
    ArgumentError,
    FlagsRangeError,
    FrameNotPresentError,
    NoMemoryMapError,
)
from .flags import FLAGS_MASK
from .frame import ABSENT, LOCK_OFFSET, KIND_SHIFT
from .framearray import FrameArray
from .guard import FrameGuard
from .lock import acquire, release
from .log import Log
from .machine import LimineMachine
from .runs import FrameRuns

# One processor is running until others are started.
_PROCESSORS = const(1)


class PageFrameManager(FrameRuns):
    """Manages every frame of a machine; the kernel's is `pfm.PFM`, made at import and initialised once.

    `log` writes what init does; set `log.level` to turn it up or down.
    """

    def __init__(self):
        super().__init__()
        self.log = Log()
        self.regions = ()
        self.frames = None
        self.init_us = 0

    @property
    def initialised(self):
        """Whether `init()` has been done."""
        return self._last >= 0

    def init(self, machine=None, debug=False):
        """Build the array over the machine's memory and open the allocator.

        `machine` is what machine.py describes, by default the one that the kernel
        runs on.  With `debug`, freed frames are filled with junk that allocation
        verifies.  Raises AlreadyInitialisedError, NoMemoryMapError,
        GarbledMemoryMapError, NoRoomError; the manager is then as before.
        Cost: C's memset over the array, and a step for each region and free block.
        """
        if self.initialised:
            raise AlreadyInitialisedError("init() has been called")
        started = time.ticks_us()
        if machine is None:
            machine = _this_machine()
        if machine.hhdm is None:
            raise NoMemoryMapError("the loader told no HHDM offset")
        # 1. Detect physical memory.
        entries = memmap.read(machine.memmap_virt)
        frames = FrameArray(memmap.regions(entries))
        self.log.info("{} entries, {} regions, {} frames", len(entries), len(frames.regions), frames.count)
        # 2. Find a region for the array.
        control_pages = (control_size(_PROCESSORS) + PAGE_SIZE - 1) >> PAGE_SHIFT
        space = machine.space(frames.take_table)
        frames.place(control_pages, space is not None)
        # 3. Map it.
        frames.map(machine.hhdm, space)
        self.log.info(
            "array at v0x{:x}, frames p0x{:x}..0x{:x}", frames.base, frames.start_phys, frames.end_phys
        )
        # 4. to 6. Write every entry in its final state: default, RESERVED, the array's own.
        frames.build()
        self.hhdm = machine.hhdm
        self.frames = frames
        self.regions = frames.regions
        self._start(
            frames, signed(machine.hhdm), signed(machine.hhdm + frames.control_phys), _PROCESSORS, debug
        )
        for region in self.regions:
            self.log.debug("{}", region)
        self.init_us = time.ticks_diff(time.ticks_us(), started)
        self.log.info("{} frames free after {} us", sum(self.free_frames()), self.init_us)

    def set_flags(self, pfn, flags):
        """Set the bits `flags` of the frame, under its lock.

        Raises FrameRangeError, FrameNotPresentError, FlagsRangeError, LockHeldError,
        NotInitialisedError; TypeError for what is no integer.
        """
        entry = self._lockable(pfn, flags)
        irq = acquire(entry + LOCK_OFFSET, pfn)
        _change(entry, flags, 0)
        release(entry + LOCK_OFFSET, irq)

    def clear_flags(self, pfn, flags):
        """Clear the bits `flags` of the frame, under its lock.  Errors as `set_flags`."""
        entry = self._lockable(pfn, flags)
        irq = acquire(entry + LOCK_OFFSET, pfn)
        _change(entry, 0, flags)
        release(entry + LOCK_OFFSET, irq)

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
        return FrameGuard(pfn, self._lockable(pfn, 0))

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
        """Return the entry's address of a present frame, having checked `flags` too."""
        entry = self._entry(pfn)
        if flags & ~FLAGS_MASK:
            raise FlagsRangeError(flags)
        if _state(entry) >> KIND_SHIFT == ABSENT:
            raise FrameNotPresentError(pfn)
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
