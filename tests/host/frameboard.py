"""A machine of a few frames for interleave.py: its memory, and pfm for each processor.

The control page, the array and the frames of a real machine (framelayout.py).  Locks,
interrupts and translations are those of the kernel (kernelsteps.py), and each processor
remembers the translation of a page of the array until it is flushed or faults.  What must hold
is in framerules.py.
"""

import struct

import kernelsteps
from framelayout import (
    ARRAY,
    CONTROL,
    HHDM,
    PAGE,
    POOL_PHYS,
    PRIVATE_STRIDE,
    SHARED_PHYS,
    WORD,
    WORD_MASK,
    WRITABLE,
    Layout,
)
from framerules import Rules
from interleave import Broken, Memory
from steps import Package, call


class Board:
    """A machine whose zone DMA has the frames `first` to `end`, all of them free.

    With `shared` the pages of the array share a frame until they are written, when they get one
    from `pool_phys` on, and `everywhere` tells whether a flush reaches all processors.  With
    `own_magazines` false all processors use the first one's.  Not `ordered`, locks may be taken
    in any order; not `watched`, anything may be stored anywhere.  `constants` and `changes` are
    those of steps.Package.
    """

    def __init__(
        self,
        first,
        end,
        processors=2,
        shared=False,
        everywhere=True,
        pool_phys=POOL_PHYS,
        own_magazines=True,
        ordered=True,
        watched=True,
        constants=None,
        changes=(),
    ):
        self.memory = Memory()
        # Set-up takes no locks.
        self._watched = False
        self._ordered = ordered
        self._shared = shared
        self.packages = []
        for number in range(1, processors + 1):
            magazine = number if own_magazines else 1
            steps = kernelsteps.primitives(number, magazine, everywhere)
            package = Package(steps, constants, changes)
            package.module("pfm.manager")
            package.replace("context", lambda number=number: number)
            self.packages.append(package)
        self._layout = Layout(self.packages[0], range(first, end), processors)
        self._rules = Rules(self, self._layout)
        self._lay_out(pool_phys)
        self.managers = [self._manager(number) for number in range(1, processors + 1)]
        self._watched = watched

    def _lay_out(self, pool_phys):
        for place, word in self._layout.processor_words():
            self.memory.change(place, word)
        if self._shared:
            for place, word in self._layout.table_words(pool_phys):
                self.memory.change(place, word)
            self.memory.change(("page", HHDM + SHARED_PHYS), (0, self._layout.entry.SHARED_BIT))
        frames = self._layout.frames
        package = self.packages[0]
        set_bounds = package.module("pfm.alloc.zone").set_bounds
        self._alone(set_bounds, CONTROL, frames.start, frames.stop)
        free_range = package.module("pfm.alloc.buddy").free_range
        self._alone(free_range, CONTROL, ARRAY, frames.start, frames.stop)

    def _manager(self, number):
        package = self.packages[number - 1]
        layout = self._layout
        base = package.module("pfm.manager").PageFrameManager
        # What only an error asks for, to quote it, takes no lock.
        others = {"count_free": lambda self: (0, 0, 0), "describe": lambda self, pfn: ""}
        # Objects in slabs are not on the board, so there are none to give back.
        others["_trim"] = lambda self: None
        kind = type("Manager", (base,), others)
        # Without `__init__`, which makes a log.
        manager = kind.__new__(kind)
        manager._zones = layout.zones
        manager._base = ARRAY
        manager._first = layout.frames.start
        manager._last = layout.frames.stop - 1
        manager._top = 0
        manager._hhdm = HHDM
        manager._magazines = layout.magazines
        manager._processors = layout.processors
        manager._cpu = layout.cpu
        self._alone(package.module("pfm.fastpath.install").install, manager, layout.cpu, base)
        return manager

    def _alone(self, function, *args, requests=None):
        """Run a function on the first processor while the others stand still."""
        program = call(function, *args)
        answer = None
        try:
            while True:
                request = program.send(answer)
                if requests is not None:
                    requests.append(request)
                answer = self.perform(1, request, [])
        except StopIteration as stop:
            return stop.value

    def lend(self, order, references):
        """Return a block that all processors may give back, with so many references."""
        watched, self._watched = self._watched, False
        pfn = self._alone(self.managers[0].alloc, order)
        for _ in range(references - 1):
            self._alone(self.managers[0].ref, pfn)
        self._watched = watched
        self._rules.lent.append((pfn, 1 << order))
        return pfn

    def flags(self, pfn):
        """Return a frame's flags."""
        return self._rules.entry_word(pfn, 0) & 0xFFFF

    # As another machine is

    def words_of(self, memory):
        """Yield (address here, word) for the memory that tests/unit/server.py answers."""
        (control, control_bytes), (array, array_bytes) = memory
        # Addresses that the memory itself holds: of the array, and of free lists.
        moved = {array: ARRAY}
        zones = self._layout.zone
        for order in range(zones.ORDER_MAX + 1):
            for zone in range(3):
                offset = zone * self._layout.zone_size + zones.LISTS_OFFSET
                offset += order * zones.LIST_SIZE
                moved[control + offset] = CONTROL + offset
        spans = (CONTROL, control_bytes), (ARRAY, array_bytes)
        for virt, text in spans:
            for low, high in struct.iter_unpack("<2I", bytes.fromhex(text)):
                both = low | high << 32
                if both in moved:
                    low, high = moved[both], 0
                yield self._place(1, virt, []), low
                yield self._place(1, virt + WORD, []), high
                virt += 2 * WORD

    def load(self, memory):
        """Become the machine with that memory; it has one processor and no shared page."""
        self._watched = False
        for place, word in self.words_of(memory):
            self.memory.change(place, word)

    def differs(self, memory):
        """Return the words that differ from that memory: (address here, here, there)."""
        return [
            (hex(place), self._word(place), word)
            for place, word in self.words_of(memory)
            if self._word(place) != word
        ]

    def alone(self, function, *args):
        """Run a function of the first processor's; return its result, or the error's name."""
        errors = self.packages[0].module("pfm.errors")
        try:
            return self._alone(function, *args)
        except (errors.PFMError, errors.OutOfFramesError) as error:
            return type(error).__name__

    def buddy(self, name, *args):
        """Run a function of alloc/buddy.py; return its result and the addresses it reached."""
        function = getattr(self.packages[0].module("pfm.alloc.buddy"), name)
        requests = []
        result = self._alone(function, CONTROL, ARRAY, *args, requests=requests)
        return result, {request.virt for request in requests}

    def fast(self, name, *args):
        """Make a call of the first processor's by its fast path, likewise."""
        return self.alone(getattr(self.managers[0], name), *args)

    # What a request does

    def perform(self, number, request, changes):
        """Do what a processor requests; append to `changes` what undoes it.  Raises Broken."""
        return getattr(self, f"_{type(request).__name__.lower()}")(number, request, changes)

    def private(self, virt):
        """Return whether no other processor can reach an address."""
        return self._layout.cpu <= virt < self._layout.cpu_end

    def is_masked(self, number):
        """Return whether a processor's interrupts are off."""
        return bool(self.memory.get(("masked", number)))

    def stopper(self):
        """Return the processor that has stopped all others, 0 for none."""
        return self.memory.get("stopper")

    def holder(self, virt):
        """Return who holds a lock."""
        # Locks of frames are taken after their page was written, so all have it.
        return self.word(virt)

    def word(self, virt):
        """Return the word at an address by the page tables, which no processor's memory may equal."""
        if self._shared and ARRAY <= virt < self._layout.array_end:
            virt = HHDM + self._mapping(virt) // PAGE * PAGE + virt % PAGE
        return self._word(virt)

    def _mapping(self, virt):
        """The page table entry of a page of the array, as a processor that walks there reads it."""
        leaf = self._layout.leaf(virt)
        return self.memory.get(leaf) | self.memory.get(leaf + WORD) << 32

    def _place(self, number, virt, changes, writes=False):
        """Where an address lies for a processor, None for a store to what it may not write."""
        if self.private(virt):
            return virt + number * PRIVATE_STRIDE
        if not self._shared or not ARRAY <= virt < self._layout.array_end:
            return virt
        page = virt // PAGE * PAGE
        key = ("tlb", number, page)
        known = self.memory.get(key, None)
        # A fault, too, makes the processor forget the translation (Intel SDM volume 3, 4.10.4.1);
        # its handler tries again.
        if known is None or (writes and not known & WRITABLE):
            known = self._mapping(page)
            if ("page", HHDM + known // PAGE * PAGE) not in self.memory.words:
                raise Broken("a page table entry that is half written is used")
            changes.append(self.memory.change(key, known))
        if writes and not known & WRITABLE:
            return None
        return HHDM + known // PAGE * PAGE + virt % PAGE

    def _word(self, place):
        found = self.memory.get(place, None)
        if found is None:
            first, shared = self.memory.get(("page", place // PAGE * PAGE), (0, 0))
            found = {0: first, self._layout.entry.WORD_RC: shared}.get(place // WORD % 8, 0)
        return found

    def _load(self, number, request, changes):
        place = self._place(number, request.virt, changes)
        shift = place % WORD * 8
        return self._word(place - place % WORD) >> shift & ((1 << request.size * 8) - 1)

    def _store(self, number, request, changes):
        place = self._place(number, request.virt, changes, writes=True)
        if place is None:
            raise Broken("a store to a page that is read-only")
        if self._watched:
            self._rules.refuse_store(number, request.virt)
        shift = place % WORD * 8
        place -= place % WORD
        mask = ((1 << request.size * 8) - 1) << shift
        value = request.value << shift
        while mask:
            word = self._word(place) & ~mask | value & WORD_MASK
            changes.append(self.memory.change(place, word))
            mask >>= 8 * WORD
            value >>= 8 * WORD
            place += WORD

    def _acquire(self, number, request, changes):
        place = self._place(number, request.virt, changes, writes=True)
        holder = self._word(place)
        if holder:
            return holder
        held = self.memory.get(("held", number), ())
        if self._ordered:
            self._rules.refuse_lock(request.virt, held)
        changes.append(self.memory.change(place, request.owner))
        changes.append(self.memory.change(("held", number), (*held, request.virt)))
        return 0

    def _release(self, number, request, changes):
        held = self.memory.get(("held", number), ())
        if request.virt not in held:
            raise Broken("a lock is released by one that does not hold it")
        place = self._place(number, request.virt, changes, writes=True)
        changes.append(self.memory.change(place, 0))
        left = tuple(virt for virt in held if virt != request.virt)
        changes.append(self.memory.change(("held", number), left))

    def _fill(self, number, request, changes):
        filled = (request.word, request.shared)
        changes.append(self.memory.change(("page", request.virt), filled))

    def _flush(self, number, request, changes):
        everyone = range(1, self._layout.processors + 1)
        for each in everyone if request.everywhere else (number,):
            changes.append(self.memory.change(("tlb", each, request.virt), None))

    def _mask(self, number, request, changes):
        enabled = not self.is_masked(number)
        changes.append(self.memory.change(("masked", number), True))
        return int(enabled)

    def _unmask(self, number, request, changes):
        changes.append(self.memory.change(("masked", number), None))

    def _stop(self, number, request, changes):
        changes.append(self.memory.change("stopper", number))

    def _resume(self, number, request, changes):
        changes.append(self.memory.change("stopper", None))

    def _begin(self, number, request, changes):
        pass

    def _own(self, number, request, changes):
        self._rules.refuse_owner(request.pfn, request.count)
        changes.append(self.memory.change(("own", request.pfn), (number, request.count)))

    def _disown(self, number, request, changes):
        changes.append(self.memory.change(("own", request.pfn), None))

    def recount(self):
        """Return what is wrong with the board while no call is under way, None if nothing is."""
        return self._rules.recount()
