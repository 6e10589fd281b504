# SPDX-License-Identifier: MIT OR Apache-2.0
"""Starts the further processors, each with a stack of its own.

A processor is started by three interrupts that its local APIC takes even while it halts: INIT,
then STARTUP, twice if need be, which names the page below 1 MiB where it begins in real mode.
Sources: Intel SDM volume 3, "MP Initialization Protocol Algorithm" and "Local APIC";
MultiProcessor Specification 1.4, B.4; ACPI Specification 6.5, 5.2.12 "MADT".
"""

import time

import acpi
import apic
import cpu
import owners
import smp
import uctypes
from cmdline import PROCESSORS_MAX
from loaderspace import LoaderSpace
from micropython import const

from pfm import PFM, OutOfFramesError
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.paging.tables import EXECUTE, WRITE

# Frames below 1 MiB, where a processor in real mode can begin.
_LOW_END = const(256)

# The stack, and the room below it where nothing is mapped; the sizes of the linker script.
_STACK_SIZE = const(256 << 10)
_GUARD_SIZE = const(64 << 10)

# Unless asked for, the stacks and states of all take at most one of so many parts of memory.
_MEMORY_SHARE = const(16)

# ICR: an INIT or STARTUP asserted to one processor (SDM, figure 11-12).
_INIT = const(0x4500)
_STARTUP = const(0x4600)

# How long an INIT takes, and how long to wait for a first sign of life before the second
# STARTUP (MultiProcessor Specification).  A virtual processor may have to wait for its host.
_INIT_MS = const(10)
_STARTUP_US = const(200)
_ANSWER_MS = const(1000)

# Offset and layout of the words of trampoline.S.
_WORDS_OFFSET = const(8)
_WORDS = {
    "cr0": 0 | uctypes.UINT32,
    "cr3": 4 | uctypes.UINT32,
    "cr4": 8 | uctypes.UINT32,
    "efer": 12 | uctypes.UINT32,
    "stack": 16 | uctypes.UINT64,
    "entry": 24 | uctypes.UINT64,
    "argument": 32 | uctypes.UINT64,
}

# Loaded before long mode is entered, which the bit LMA reports and PCIDE needs (SDM, 2.2.1,
# 2.5).
_EFER = const(0xC0000080)
_EFER_LMA = const(1 << 10)
_CR4_PCIDE = const(1 << 17)

# The MADT's structures, one for each processor.
_LAYOUTS = {0: acpi.MADT_LOCAL_APIC, 9: acpi.MADT_LOCAL_X2APIC}

# Without x2APIC mode an ID has 8 bits, of which all set means every processor.
_XAPIC_ID_END = const(255)


def _room_pages():
    """Return the pages of a processor's stack and state."""
    return (_STACK_SIZE + smp.STATE_SIZE + PAGE_SIZE - 1) >> PAGE_SHIFT


def _apic_ids():
    """Yield the APIC IDs of the processors that the MADT lists as there."""
    for kind, virt, _ in acpi.madt():
        if kind in _LAYOUTS:
            entry = acpi.struct(virt, _LAYOUTS[kind])
            if entry.flags & acpi.MADT_ENABLED:
                yield entry.apic


class Processors:
    """The machine's processors, of which `wanted` are to run, the caller included.

    If that is None, as many as there are, up to PROCESSORS_MAX, whose stacks take no more than
    a part of memory.  To be made before the frame manager's `init`, which `count` is for.
    `total` is how many there are, `asked` whether several were asked for, and `notes` says what
    was left out, a line each.
    """

    def __init__(self, wanted=None):
        self.asked = wanted is not None and wanted > 1
        self.notes = []
        self._ids = []
        if wanted != 1:
            defect = self._find()
            if defect and self.asked:
                self.notes.append(defect)
        self.total = len(self._ids) or 1
        self.count = min(self.total, wanted or PROCESSORS_MAX)

    def _find(self):
        """Look for the processors; return why there may be others, or None."""
        if not apic.is_enabled():
            return "no local APIC to start others by"
        with LoaderSpace() as space:
            if not space.is_complete:
                return None
            acpi.memory = space
            try:
                for apic_id in _apic_ids():
                    if apic_id not in self._ids:
                        self._ids.append(apic_id)
            except acpi.ACPIError as error:
                return str(error)
            finally:
                acpi.memory = PFM
        return None

    def start(self, manager):
        """Start the further ones, `count` at most with the caller.

        One that does not answer is left out, and so are those for which no memory is left.  To
        be called once, before any thread.  Where the processor has an x2APIC mode, all of them
        are in it afterwards.
        """
        wanted = self.count
        fitting = 1 + manager.count_present() // _MEMORY_SHARE // _room_pages()
        if wanted > fitting and not self.asked:
            self.notes.append("more would leave too little memory; processors=all starts them")
            wanted = fitting
        if wanted == 1:
            return
        virt = apic.registers(manager)
        own = apic.read_id(virt)
        if apic.enter_x2apic():
            virt = 0
        smp.set_apic(virt)
        ids = [apic_id for apic_id in self._ids if apic_id != own]
        if virt:
            self._note("cannot be addressed", [i for i in ids if i >= _XAPIC_ID_END])
            ids = [i for i in ids if i < _XAPIC_ID_END]
        try:
            low = manager.alloc_contiguous(1, below=_LOW_END)
        except OutOfFramesError:
            self.notes.append("no free frame below 1 MiB to start others from")
            return
        self._start(manager, virt, low, ids, wanted - 1)
        manager.free(low)

    def _note(self, why, ids):
        if ids:
            self.notes.append("{}: APIC ID {}".format(why, ", ".join([str(i) for i in ids])))

    def _start(self, manager, virt, low, ids, wanted):
        """Start `wanted` of the processors `ids` in the frame `low`."""
        words = _write_trampoline(manager, low)
        for apic_id in ids:
            apic.send(virt, apic_id, _INIT)
        time.sleep_ms(_INIT_MS)
        silent = []
        room = _Room(manager, wanted)
        for apic_id in ids:
            if not wanted:
                break
            state = room.take(apic_id)
            if not state:
                self.notes.append("no memory for {} more".format(wanted))
                break
            words.stack = state
            words.argument = state
            if _start_one(virt, apic_id, low, state):
                wanted -= 1
            else:
                # Halts until the next STARTUP, whatever it was doing.
                apic.send(virt, apic_id, _INIT)
                time.sleep_ms(_INIT_MS)
                silent.append(apic_id)
                room.give_back()
        self._note("no answer", silent)
        manager.space.unmap(low << PAGE_SHIFT, 1)


def _write_trampoline(manager, low):
    """Copy the trampoline to the frame `low` and map it there; return its words."""
    phys = low << PAGE_SHIFT
    code = smp.trampoline()
    page = manager.as_virt(phys)
    uctypes.bytearray_at(page, len(code))[:] = code
    manager.space.map(phys, phys, 1, WRITE | EXECUTE)
    words = uctypes.struct(page + _WORDS_OFFSET, _WORDS)
    words.cr0 = cpu.cr0()
    words.cr3 = cpu.cr3()
    words.cr4 = cpu.cr4() & ~_CR4_PCIDE
    words.efer = cpu.rdmsr(_EFER) & ~_EFER_LMA
    words.entry = smp.entry()
    return words


def _start_one(virt, apic_id, page, state):
    """Start the processor whose prepared state is at `state`; return whether it runs.

    It has had its INIT.
    """
    for wait_us in (_STARTUP_US, _ANSWER_MS * 1000):
        apic.send(virt, apic_id, _STARTUP | page)
        begin = time.ticks_us()
        while time.ticks_diff(time.ticks_us(), begin) < wait_us:
            if smp.adopt(state):
                return True
    return False


class _Room:
    """Stacks, each followed by its processor's state, in a range of addresses of their own."""

    def __init__(self, manager, count):
        self._pfm = manager
        self._pages = _room_pages()
        self._step = _GUARD_SIZE + (self._pages << PAGE_SHIFT)
        self._next = manager.space.reserve(count * self._step >> PAGE_SHIFT)

    def take(self, apic_id):
        """Make a stack and the state of a processor; return the state's address, 0 if none."""
        guard = self._next
        bottom = guard + _GUARD_SIZE
        try:
            pfn = self._pfm.alloc_contiguous(self._pages, zero=True, tag=owners.PROCESSORS)
        except OutOfFramesError:
            return 0
        try:
            self._pfm.space.map(bottom, pfn << PAGE_SHIFT, self._pages, WRITE)
        except OutOfFramesError:
            self._pfm.free(pfn)
            return 0
        state = bottom + _STACK_SIZE
        smp.prepare(state, apic_id, guard, bottom, state)
        self._next = guard + self._step
        return state

    def give_back(self):
        """Undo the last `take`."""
        self._next -= self._step
        bottom = self._next + _GUARD_SIZE
        pfn = self._pfm.space.query(bottom)[0] >> PAGE_SHIFT
        self._pfm.space.unmap(bottom, self._pages)
        self._pfm.free(pfn)
