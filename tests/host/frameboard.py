"""A machine of a few frames for interleave.py: its memory, and pfm for each processor.

The control page, the array and the frames of a real machine, at made-up addresses.  Locks,
interrupts and translations are those of the kernel: `critical.lock` is one step, and each
processor remembers the translation of a page of the array until it is flushed or faults.
"""

import struct

from interleave import Acquire, Begin, Broken, Disown, Fill, Flush, Memory, Own, Release
from steps import Load, Package, Store, call

CONTROL = 0x100000
ARRAY = 0x400000
# Physical memory, where the frames for pages of the array and the page tables are.
HHDM = 0x40000000
POOL_PHYS = 0x10000
_TABLES_PHYS = 0x80000
_SHARED_PHYS = 0x90000
# Where a processor finds its own struct (processor.py) lies elsewhere for each.
_PRIVATE_STRIDE = 0x1000000

_PAGE_SHIFT = 12
_PAGE = 1 << _PAGE_SHIFT
_WORD = 4
_WORD_MASK = 0xFFFFFFFF

# Intel SDM volume 3, 4.5: an entry's bits, entries a table.
_PRESENT = 1
_WRITABLE = 2
_TABLE_ENTRIES = 512

# The order in which locks are taken: docs/locks.md.
_FRAME, _ZONE, _POOL = range(3)


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
        self._lent = []
        self._frames = range(first, end)
        self._everywhere = everywhere
        self._ordered = ordered
        self._shared = shared
        self._own_magazines = own_magazines
        self._pool_phys = pool_phys
        self.packages = [
            Package(self._primitives(number), constants, changes)
            for number in range(1, processors + 1)
        ]
        for number, package in enumerate(self.packages, 1):
            self._adapt(number, package)
        self._lay_out()
        self.managers = [self._manager(package) for package in self.packages]
        self._watched = watched

    # What the kernel's modules do

    def _primitives(self, number):
        def lock(virt, owner):
            return -(yield Acquire(virt, owner))

        def unlock(virt, state):
            yield Release(virt)

        # Whose magazine, too, is in the state before.
        own = number if self._own_magazines else 1

        def lock_masked(virt):
            holder = yield Acquire(virt, number)
            return -holder if holder else own << 1

        def change16(virt, lock, change):
            holder = yield Acquire(lock, number)
            if not holder:
                field = yield Load(virt, 2)
                yield Store(virt, 2, ((field | change) ^ change >> 16) & 0xFFFF)
                yield Release(lock)
            return holder

        def xchg32(virt, new):
            # As a guard's release has it.
            assert new == 0
            yield Release(virt)

        def store64(virt, low, high):
            yield Store(virt, 8, high << 32 | low & _WORD_MASK)

        def flush(page, count):
            assert count == 1
            yield Flush(page, self._everywhere)

        def store_entries(virt, count, word, shared):
            yield Fill(virt, word, shared)

        def nothing(*args):
            return 0

        return {
            "cpu": {
                "cmpxchg32": None,
                "xchg32": xchg32,
                "store64": store64,
                "cr3": lambda: _TABLES_PHYS,
                "flush": flush,
            },
            "critical": {
                "enter": nothing,
                "leave": nothing,
                "lock": lock,
                "unlock": unlock,
                "context": lambda: number,
                "lock_many": None,
                "lock_masked": lock_masked,
                "unlock_masked": unlock,
                "change16": change16,
                "alone": nothing,
                "mask": lambda: own << 1,
                "unmask": nothing,
                "stop": nothing,
                "resume": nothing,
            },
            "pfm.fill": {"store_entries": store_entries, "words": None},
        }

    def _adapt(self, number, package):
        package.module("pfm.manager")
        package.replace("context", lambda: number)

    # The layout

    def _lay_out(self):
        package = self.packages[0]
        control = package.module("pfm.control")
        entry = package.module("pfm.frame.entry")
        flags = package.module("pfm.frame.flags")
        self._zone_size = control.ZONE_SIZE
        self._zones_end = CONTROL + control.ZONES * control.ZONE_SIZE
        self._pool = CONTROL + control.POOL_OFFSET
        self._cpu = CONTROL + control.CPU_OFFSET
        self._cpu_end = CONTROL + control.CPU_CLEAR_OFFSET + control.CPU_SIZE
        self._magazines = CONTROL + control.MAGAZINES_OFFSET
        self._magazine_size = control.MAGAZINE_SIZE
        self._array_end = ARRAY + (self._frames.stop << entry.ENTRY_SHIFT)
        self._entry = entry
        self._zone = package.module("pfm.alloc.zone")
        for number in range(1, len(self.packages) + 1):
            for at, turned in (
                (self._cpu, 0),
                (control.CPU_CLEAR_OFFSET + CONTROL, flags.FLAGS_MASK),
            ):
                self._write_cpu(at + number * _PRIVATE_STRIDE, turned)
        if self._shared:
            self._write_tables()
        self._alone(
            package.module("pfm.alloc.zone").set_bounds,
            CONTROL,
            self._frames.start,
            self._frames.stop,
        )
        free_range = package.module("pfm.alloc.buddy").free_range
        self._alone(free_range, CONTROL, ARRAY, self._frames.start, self._frames.stop)

    def _set(self, place, *words):
        for word in words:
            self.memory.change(place, word)
            place += _WORD

    def _write_cpu(self, place, turned):
        words = self.packages[0].module("pfm.processor")
        top = plain = first_of_top = 0
        values = {
            0: ARRAY,
            words.CPU_FIRST: self._frames.start,
            words.CPU_LAST: self._frames.stop - 1,
            words.CPU_TOP: top,
            words.CPU_PLAIN: plain,
            words.CPU_TURNED: turned,
            words.CPU_MAGAZINE: self._magazines - CONTROL,
            words.CPU_TOP_FIRST: first_of_top,
            words.CPU_PROCESSORS: len(self.packages),
        }
        for word, value in values.items():
            self._set(place + word * _WORD, value)

    def _write_tables(self):
        # Four tables one after the other, each for the first entries of the one before.
        virt = HHDM + _TABLES_PHYS
        for level in range(3):
            shift = 39 - 9 * level
            index = ARRAY >> shift & (_TABLE_ENTRIES - 1)
            table = _TABLES_PHYS + (level + 1) * _PAGE
            self._set(virt + level * _PAGE + index * 8, table | _PRESENT | _WRITABLE, 0)
        for page in range(ARRAY, self._array_end, _PAGE):
            self._set(self._leaf(page), _SHARED_PHYS | _PRESENT, 0)
        self.memory.change(("page", HHDM + _SHARED_PHYS), (0, self._entry.SHARED_BIT))
        pool = self._pool_phys
        self._set(self._pool + _WORD, 1, pool & 0xFFFFFFFF, pool >> 32, HHDM, 0)

    def _leaf(self, page):
        index = page >> _PAGE_SHIFT & (_TABLE_ENTRIES - 1)
        return HHDM + _TABLES_PHYS + 3 * _PAGE + index * 8

    def _manager(self, package):
        base = package.module("pfm.manager").PageFrameManager
        # What only an error asks for, to quote it, takes no lock.
        others = {"count_free": lambda self: (0, 0, 0), "describe": lambda self, pfn: ""}
        # Objects in slabs are not on the board, so there are none to give back.
        others["_trim"] = lambda self: None
        drain = package.module("pfm.alloc.magazine").drain

        def drain_own(manager):
            # The stop of the others, under which theirs are drained, is not on the board.
            own = self._magazines + self.packages.index(package) * self._magazine_size
            yield from call(drain, manager._zones[0], ARRAY, own, 0)

        others["_drain_locked"] = drain_own
        kind = type("Manager", (base,), others)
        # Without `__init__`, which makes a log.
        manager = kind.__new__(kind)
        manager._zones = [CONTROL + zone * self._zone_size for zone in range(3)]
        manager._base = ARRAY
        manager._first = self._frames.start
        manager._last = self._frames.stop - 1
        manager._top = 0
        manager._hhdm = HHDM
        manager._magazines = self._magazines
        manager._processors = len(self.packages)
        manager._cpu = self._cpu
        self._alone(package.module("pfm.fastpath.install").install, manager, self._cpu, base)
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
        self._lent.append((pfn, 1 << order))
        return pfn

    def flags(self, pfn):
        """Return a frame's flags."""
        return self._entry_word(pfn, 0) & 0xFFFF

    # As another machine is

    def words_of(self, memory):
        """Yield (address here, word) for the memory that tests/unit/server.py answers."""
        (control, control_bytes), (array, array_bytes) = memory
        # Addresses that the memory itself holds: of the array, and of free lists.
        moved = {array: ARRAY}
        for order in range(self._zone.ORDER_MAX + 1):
            for zone in range(3):
                offset = zone * self._zone_size + self._zone.LISTS_OFFSET
                offset += order * self._zone.LIST_SIZE
                moved[control + offset] = CONTROL + offset
        spans = (CONTROL, control_bytes), (ARRAY, array_bytes)
        for virt, text in spans:
            for low, high in struct.iter_unpack("<2I", bytes.fromhex(text)):
                both = low | high << 32
                if both in moved:
                    low, high = moved[both], 0
                yield self._place(1, virt, []), low
                yield self._place(1, virt + _WORD, []), high
                virt += 2 * _WORD

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
        return self._cpu <= virt < self._cpu_end

    def holder(self, virt):
        """Return who holds a lock."""
        # Locks of frames are taken after their page was written, so all have it.
        return self._word(self._physical(virt))

    def _mapping(self, virt):
        """The page table entry of a page of the array, as a processor that walks there reads it."""
        leaf = self._leaf(virt)
        return self.memory.get(leaf) | self.memory.get(leaf + _WORD) << 32

    def _physical(self, virt):
        """Where an address lies by the page tables, which no processor's memory may equal."""
        if self._shared and ARRAY <= virt < self._array_end:
            return HHDM + self._mapping(virt) // _PAGE * _PAGE + virt % _PAGE
        return virt

    def _place(self, number, virt, changes, writes=False):
        """Where an address lies for a processor, None for a store to what it may not write."""
        if self.private(virt):
            return virt + number * _PRIVATE_STRIDE
        if not self._shared or not ARRAY <= virt < self._array_end:
            return virt
        page = virt // _PAGE * _PAGE
        key = ("tlb", number, page)
        known = self.memory.get(key, None)
        # A fault, too, makes the processor forget the translation (Intel SDM volume 3, 4.10.4.1);
        # its handler tries again.
        if known is None or (writes and not known & _WRITABLE):
            known = self._mapping(page)
            if ("page", HHDM + known // _PAGE * _PAGE) not in self.memory.words:
                raise Broken("a page table entry that is half written is used")
            changes.append(self.memory.change(key, known))
        if writes and not known & _WRITABLE:
            return None
        return HHDM + known // _PAGE * _PAGE + virt % _PAGE

    def _word(self, place):
        found = self.memory.get(place, None)
        if found is None:
            first, shared = self.memory.get(("page", place // _PAGE * _PAGE), (0, 0))
            found = {0: first, self._entry.WORD_RC: shared}.get(place // _WORD % 8, 0)
        return found

    def _load(self, number, request, changes):
        place = self._place(number, request.virt, changes)
        shift = place % _WORD * 8
        return self._word(place - place % _WORD) >> shift & ((1 << request.size * 8) - 1)

    def _store(self, number, request, changes):
        place = self._place(number, request.virt, changes, writes=True)
        if place is None:
            raise Broken("a store to a page that is read-only")
        self._refuse(number, request.virt)
        shift = place % _WORD * 8
        place -= place % _WORD
        mask = ((1 << request.size * 8) - 1) << shift
        value = request.value << shift
        while mask:
            word = self._word(place) & ~mask | value & _WORD_MASK
            changes.append(self.memory.change(place, word))
            mask >>= 8 * _WORD
            value >>= 8 * _WORD
            place += _WORD

    def _acquire(self, number, request, changes):
        place = self._place(number, request.virt, changes, writes=True)
        holder = self._word(place)
        if holder:
            return holder
        held = self.memory.get(("held", number), ())
        rank = self._rank(request.virt)
        if self._ordered and held and rank <= max(map(self._rank, held)):
            raise Broken("locks are taken out of order")
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
        everyone = range(1, len(self.packages) + 1)
        for each in everyone if request.everywhere else (number,):
            changes.append(self.memory.change(("tlb", each, request.virt), None))

    def _begin(self, number, request, changes):
        pass

    def _own(self, number, request, changes):
        for pfn in range(request.pfn, request.pfn + request.count):
            if self._owner(pfn):
                raise Broken(f"frame {pfn} is owned twice")
        changes.append(self.memory.change(("own", request.pfn), (number, request.count)))

    def _disown(self, number, request, changes):
        changes.append(self.memory.change(("own", request.pfn), None))

    # What must hold

    def _owner(self, pfn):
        """The processor that has a frame in a block, 0 for none."""
        for order in range(self._zone.ORDER_MAX + 1):
            head = pfn >> order << order
            number, count = self.memory.get(("own", head), None) or (0, 0)
            if head + count > pfn:
                return number
        return 0

    def _rank(self, virt):
        """The place of a lock in the order in which locks are taken: docs/locks.md."""
        return (_FRAME if virt >= ARRAY else _POOL if virt == self._pool else _ZONE, virt)

    def _refuse(self, number, virt):
        """Refuse a store that the table in docs/locks.md, "Who writes what", does not allow."""
        if not self._watched:
            return
        held = self.memory.get(("held", number), ())
        if virt >= ARRAY:
            if virt < self._array_end:
                self._refuse_entry(number, virt, held)
        elif virt >= self._magazines:
            if (virt - self._magazines) // self._magazine_size + 1 != number:
                raise Broken("a store to the magazine of another processor")
        elif self._pool <= virt < self._cpu:
            if virt == self._pool or self._pool not in held:
                raise Broken("a store to the pool without its lock")
        elif virt < self._zones_end:
            zone = virt - virt % self._zone_size
            if virt == zone or zone not in held:
                raise Broken("a store to a zone without its lock")

    def _refuse_entry(self, number, virt, held):
        entry = self._entry
        pfn = (virt - ARRAY) >> entry.ENTRY_SHIFT
        head = virt - virt % entry.ENTRY_SIZE
        if virt - head == entry.LOCK_OFFSET:
            raise Broken("a plain store to a lock")
        if self._owner(pfn) not in (0, number) and head + entry.LOCK_OFFSET not in held:
            raise Broken(f"a store to the entry of frame {pfn}, which another owns")
        if self._word(self._physical(head)) >> entry.KIND_SHIFT == entry.FREE:
            if CONTROL not in held:
                raise Broken(f"a store to the free head {pfn} without the zone's lock")

    def recount(self):
        """Return what is wrong with the board while no call is under way, None if nothing is."""
        try:
            found = self._free_blocks() + self._stocks() + self._owned()
        except Broken as broken:
            return str(broken)
        seen = {}
        for pfn, count, where in found:
            for frame in range(pfn, pfn + count):
                if frame in seen:
                    return f"frame {frame} is in {seen[frame]} and in {where}"
                seen[frame] = where
        lost = sorted(set(self._frames) - set(seen))
        return f"frames {lost[0]} to {lost[-1]}, {len(lost)} of them, are lost" if lost else None

    def _entry_word(self, pfn, word):
        virt = ARRAY + (pfn << self._entry.ENTRY_SHIFT) + word * _WORD
        return self._word(self._physical(virt))

    def _state(self, pfn):
        return self._entry_word(pfn, 0) >> self._entry.STATE_SHIFT

    def _free_blocks(self):
        zone = self._zone
        entry = self._entry
        blocks = []
        for order in range(zone.ORDER_MAX + 1):
            head = CONTROL + zone.LISTS_OFFSET + order * zone.LIST_SIZE
            pfn, before, length = self._word(head), 0, 0
            while pfn:
                if self._state(pfn) != entry.FREE << entry.STATE_KIND_SHIFT | order or pfn % (
                    1 << order
                ):
                    raise Broken(
                        f"frame {pfn} on the free list of order {order} is no head of that"
                    )
                if self._entry_word(pfn, entry.WORD_PREV) != before:
                    raise Broken(f"the free head {pfn} does not name the one before it")
                blocks.append((pfn, 1 << order, f"the free list of order {order}"))
                before, pfn, length = pfn, self._entry_word(pfn, entry.WORD_NEXT), length + 1
                if length > len(self._frames):
                    raise Broken(f"the free list of order {order} has a loop")
            if self._word(head + _WORD) != length:
                raise Broken(f"the free list of order {order} is not as long as it says")
            if bool(self._word(CONTROL + zone.ZONE_ORDERS * _WORD) >> order & 1) != bool(length):
                raise Broken(f"bit {order} of the zone's orders is wrong")
        if self._word(CONTROL + zone.ZONE_FREE * _WORD) != sum(count for _, count, _ in blocks):
            raise Broken("the zone's count of free frames is wrong")
        return blocks

    def _stocks(self):
        stocks = []
        for number in range(1, len(self.packages) + 1):
            magazine = self._magazines + (number - 1) * self._magazine_size
            for at in range(1, self._word(magazine) + 1):
                pfn = self._word(magazine + at * _WORD)
                if self._state(pfn) != self._entry.CACHED << self._entry.STATE_KIND_SHIFT:
                    raise Broken(f"frame {pfn} in a magazine is not marked so")
                stocks.append((pfn, 1, f"the magazine of {number}"))
        return stocks

    def _owned(self):
        entry = self._entry
        blocks = []
        for pfn in self._frames:
            number, count = self.memory.get(("own", pfn), None) or (0, 0)
            if number:
                state = entry.USED << entry.STATE_KIND_SHIFT | count.bit_length() - 1
                if self._state(pfn) != state:
                    raise Broken(
                        f"the head {pfn} of a block of {count} that is owned does not say so"
                    )
                blocks.append((pfn, count, f"a block of {number}"))
        for pfn, count in self._lent:
            if self._state(pfn) >> entry.STATE_KIND_SHIFT == entry.USED:
                blocks.append((pfn, count, "a block of all"))
        return blocks


class Caller:
    """Calls of pfm on one processor of a board, each a generator for a program."""

    def __init__(self, board, number):
        self._manager = board.managers[number - 1]
        errors = board.packages[number - 1].module("pfm.errors")
        self._guards = {}
        self._errors = (errors.PFMError, errors.OutOfFramesError)

    def alloc(self, order):
        """Allocate a block; return its first frame, or the name of the error."""
        yield Begin(f"alloc({order})")
        pfn = yield from self._try(self._manager.alloc, order)
        if isinstance(pfn, int):
            yield Own(pfn, 1 << order)
        return pfn

    def free(self, pfn, order):
        """Free a block that this processor owns; return None, or the name of the error."""
        yield Begin(f"free({pfn})")
        yield Disown(pfn)
        error = yield from self._try(self._manager.free, pfn)
        if error:
            yield Own(pfn, 1 << order)
        return error

    def call(self, name, *args):
        """Make a call that has nothing to do with who owns what; return likewise."""
        yield Begin(f"{name}{args}")
        return (yield from self._try(getattr(self._manager, name), *args))

    def take_guard(self, pfn):
        """Take the lock of a frame, as `get` does."""
        yield Begin(f"get({pfn})")
        self._guards[pfn] = yield from call(self._manager.get, pfn)

    def release_guard(self, pfn):
        """Release it, as the guard does."""
        yield Begin(f"release({pfn})")
        yield from call(self._guards.pop(pfn).__exit__, None, None, None)

    def _try(self, function, *args):
        try:
            return (yield from call(function, *args))
        except self._errors as error:
            return type(error).__name__
