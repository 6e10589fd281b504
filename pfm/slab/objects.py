"""Objects: `malloc`, `mfree`, and what a `Cache` does, in every case.

As in alloc/blocks.py, the methods here are the slow path.  In debug mode they alone run, since
red zones have to be written and verified.  Native code with its state off the Python heap:
`malloc` and `mfree` allocate nothing from it.

An address is given as a signed number, which needs no heap, as `uctypes.addressof` does it; it is
taken in either form.
"""

import micropython
from micropython import const

from ..address import PAGE_MASK, PAGE_SHIFT, signed
from ..alloc import heads
from ..alloc.references import used_head
from ..arguments import integer
from ..control import CACHE_SIZE, STOCK_SHIFT, STOCKS_SIZE
from ..errors import (
    ArgumentError,
    CacheNameError,
    DoubleFreeError,
    ForeignFreeError,
    ObjectCorruptError,
    ObjectStateError,
)
from ..frame.entry import ENTRY_SHIFT, TAG_MAX, PageFrame
from ..lock import acquire, context, disable_irq, enable_irq, release, resume, stop
from ..tags import tag_number
from . import redzone, slabs, stock
from .caches import (
    CACHE_GENERATION,
    CACHE_ORDER,
    CACHE_STRIDE,
    CACHE_TAG,
    LIST,
    cache_at,
    close_class,
    close_stocks,
    forget_slabs,
    name_of,
    word,
)
from .classes import CLASSES, GENERAL, SIZE_MAX, SLAB_OBJECT_MAX, class_of, lowest_order

# A global of this module is found faster than a builtin.
_INT = int

# What the lock of a cache is called in errors.
_LOCK = "an object cache"
_LIST_LOCK = "the list of object caches"

# Of the classes of `malloc`, which are never closed.
_GENERATION = const(1)

_SIZES = "1 to 2097152 bytes"

# Bit of an address that makes it a negative number.
_SIGN_SHIFT = const(63)


class Objects:
    """The part of `PageFrameManager` that allocates and frees objects."""

    @micropython.native
    def malloc(self, size, tag=0):
        """Allocate an object of `size` bytes, 1 to 2 MiB, and return its virtual address.

        It is aligned to 16 bytes and not cleared.  `tag` (32 bits, or a text) says who allocated, and is
        kept in debug mode.  Has a fast path.  Raises ArgumentError, TypeError,
        OutOfFramesError, ObjectCorruptError (debug).  Cost: a few instructions while the
        processor's stock lasts, then a step per object of half a stock; above 32 KiB that of
        `alloc_contiguous`.
        """
        if size.__class__ is not _INT or not 0 < size <= SIZE_MAX:
            size = object_size("size", size, _SIZES)
        if tag.__class__ is not _INT or not 0 <= tag <= TAG_MAX:
            tag = tag_number(tag)
        self._ready()
        return self._alloc_object(class_of(size), _GENERATION, size, tag)

    @micropython.viper
    def mfree(self, virt):
        """Free the object that `malloc` gave at the virtual address `virt`.

        Positional argument only; has a fast path.  Raises DoubleFreeError, ForeignFreeError
        (an object of a `Cache`), ObjectStateError (no object begins there), ObjectCorruptError
        (debug), TypeError, NotInitialisedError.  Cost: a few instructions, every half a stock
        a step per object of it.
        """
        self._mfree(virt)

    @micropython.native
    def _mfree(self, virt):
        self._ready()
        self._free_object(address("virt", virt), 0, _GENERATION)

    @micropython.native
    def _cache(self, number):
        return self._caches + number * CACHE_SIZE

    @micropython.native
    def _first_stock(self, number):
        """Return the first processor's stock of a class; the others' are STOCKS_SIZE apart."""
        return self._stocks + (number << STOCK_SHIFT)

    @micropython.native
    def _stock(self, number):
        return self._stocks + (context() - 1) * STOCKS_SIZE + (number << STOCK_SHIFT)

    @micropython.native
    def _alloc_object(self, number, generation, size, tag):
        """Allocate an object of the class `number`, which has to be of that `generation`."""
        own = self._stock(number)
        virt = 0
        irq = disable_irq()
        if stock.generation(own) == generation:
            virt = stock.pop(own)
        enable_irq(irq)
        if not virt:
            virt = self._refill(number, generation, size)
        if self.debug:
            self._arm(virt, number, size, tag)
        return virt

    @micropython.native
    def _refill(self, number, generation, size):
        """Refill the stock, if need be from a new slab, and return an object of it."""
        cache = self._cache(number)
        if word(cache, CACHE_STRIDE) > SLAB_OBJECT_MAX:
            return self._alloc_large(number, generation, size)
        own = self._stock(number)
        while True:
            irq = acquire(cache, _LOCK)
            virt = 0
            current = word(cache, CACHE_GENERATION) == generation
            if current:
                slabs.fill(self._base, cache, own, stock.batch(own))
                virt = stock.pop(own)
            release(cache, irq)
            if virt:
                return virt
            if not current:
                self._refuse_closed()
            self._grow(number, generation)

    @micropython.native
    def _grow(self, number, generation):
        """Add a slab to a cache.  Raises OutOfFramesError."""
        cache = self._cache(number)
        stride = word(cache, CACHE_STRIDE)
        order = word(cache, CACHE_ORDER)
        tag = word(cache, CACHE_TAG)
        try:
            pfn = self.alloc(order, None, False, tag, order > 0)
        except MemoryError as error:
            lowest = lowest_order(stride)
            if lowest >= order:
                raise error
            order = lowest
            pfn = self.alloc(order, None, False, tag, order > 0)
        slabs.carve(self._base, self._hhdm, pfn, order, stride, number)
        if self.debug:
            first = self._hhdm + (pfn << PAGE_SHIFT)
            redzone.disarm_all(first, slabs.objects(order, stride), stride)
        try:
            irq = acquire(cache, _LOCK)
        except BaseException as error:
            self._give_slab(pfn)
            raise error
        current = word(cache, CACHE_GENERATION) == generation
        if current:
            slabs.add(self._base, cache, pfn)
        release(cache, irq)
        if not current:
            self._give_slab(pfn)
            self._refuse_closed()

    @micropython.native
    def _alloc_large(self, number, generation, size):
        """Allocate an object that has frames of its own."""
        cache = self._cache(number)
        if self.debug:
            size += redzone.TRAILER
        count = (size + PAGE_MASK) >> PAGE_SHIFT
        pfn = self.alloc_contiguous(count, 1, None, None, False, word(cache, CACHE_TAG))
        try:
            irq = acquire(cache, _LOCK)
        except BaseException as error:
            self._free(pfn)
            raise error
        current = word(cache, CACHE_GENERATION) == generation
        if current:
            slabs.mark(self._base, pfn, number, slabs.END)
            slabs.count_large(cache, 1)
        release(cache, irq)
        if not current:
            self._free(pfn)
            self._refuse_closed()
        return self._hhdm + (pfn << PAGE_SHIFT)

    @micropython.native
    def _free_object(self, virt, wanted, generation):
        """Free the object at `virt`, a signed address, of the class `wanted` (0: of `malloc`)."""
        number = slabs.find(self._base, self._hhdm, self._stocks, self._first, self._last, virt)
        if number <= 0 or (number > GENERAL if wanted == 0 else number != wanted):
            self._refuse_object(virt, number, wanted)
        cache = self._cache(number)
        if word(cache, CACHE_GENERATION) != generation:
            self._refuse_closed()
        large = word(cache, CACHE_STRIDE) > SLAB_OBJECT_MAX
        if self.debug:
            self._disarm(virt, number, large)
        elif not large and slabs.marked_free(virt) and self._is_free(virt, number):
            raise DoubleFreeError(virt, name_of(cache_at(self._caches, number), number))
        if large:
            self._free_large(virt, cache)
            return
        own = self._stock(number)
        irq = disable_irq()
        done = stock.push(own, virt)
        enable_irq(irq)
        if done:
            return
        irq = acquire(cache, _LOCK)
        slabs.drain(self._base, self._hhdm, cache, own, stock.batch(own) - 1)
        stock.push(own, virt)
        swept = slabs.sweep(self._base, cache, 0)
        release(cache, irq)
        self._give_slabs(swept)

    @micropython.native
    def _free_large(self, virt, cache):
        pfn = (virt - self._hhdm) >> PAGE_SHIFT
        irq = acquire(cache, _LOCK)
        slabs.count_large(cache, -1)
        slabs.unmark(self._base + (pfn << ENTRY_SHIFT))
        release(cache, irq)
        self._give_back(pfn, heads.forget(self._base + (pfn << ENTRY_SHIFT)))

    @micropython.native
    def _give_slabs(self, pfn):
        """Free the slabs of a list that `sweep` took off."""
        while pfn:
            after = slabs.after(self._base, pfn)
            self._give_slab(pfn)
            pfn = after

    @micropython.native
    def _give_slab(self, pfn):
        # No frame's lock is taken: a guard may hold it, and no caller has the slab.
        entry = self._base + (pfn << ENTRY_SHIFT)
        slabs.unmark(entry)
        self._give_back(pfn, heads.forget(entry))

    @micropython.native
    def _trim(self):
        """Put all stocks back into their slabs, and free all empty slabs."""
        number = 0
        while True:
            number = slabs.next_trimmable(self._caches, self._stocks, self._processors, number + 1)
            if number == CLASSES:
                return
            cache = self._cache(number)
            irq = acquire(cache, _LOCK)
            self._drain_stocks(cache, number)
            swept = slabs.sweep(self._base, cache, 1)
            release(cache, irq)
            self._give_slabs(swept)

    @micropython.native
    def _drain_stocks(self, cache, number):
        """Put every processor's stock of a class back into its slabs; the cache's lock is held."""
        # The lock keeps out who fills or drains its own stock, the stop who pushes or pops.
        stop()
        own = self._first_stock(number)
        end = own + self._processors * STOCKS_SIZE
        while own < end:
            slabs.drain(self._base, self._hhdm, cache, own, 0)
            own += STOCKS_SIZE
        resume()

    @micropython.native
    def _lock_caches(self):
        """Begin a section in which no `Cache` is opened or closed; return the state for its end."""
        return acquire(self._cache(LIST), _LIST_LOCK)

    @micropython.native
    def _unlock_caches(self, state):
        release(self._cache(LIST), state)

    @micropython.native
    def _close_cache(self, number, generation):
        """Make a cache's class unused; return how many of its objects are in use: then it is not."""
        cache = self._cache(number)
        state = self._lock_caches()
        try:
            irq = acquire(cache, _LOCK)
        except BaseException as error:
            self._unlock_caches(state)
            raise error
        current = word(cache, CACHE_GENERATION) == generation
        taken = 0
        swept = 0
        if current:
            self._drain_stocks(cache, number)
            taken = slabs.taken(cache)
            if not taken:
                swept = slabs.sweep(self._base, cache, 1)
                # No object is out, so no other processor pushes; one that pops finds none, and
                # then the lock.
                close_stocks(self._first_stock(number), self._processors)
                close_class(cache)
        release(cache, irq)
        self._unlock_caches(state)
        self._give_slabs(swept)
        if not current:
            self._refuse_closed()
        return taken

    def _survive(self, lasting):
        """Forget, after a soft reset, the slabs and caches whose tags are not in `lasting`.

        Their frames are freed with all others of those tags.
        """
        cache_at(self._caches, LIST).lock = 0
        for found in range(1, CLASSES):
            cache = cache_at(self._caches, found)
            cache.lock = 0
            if cache.size and cache.tag not in lasting:
                own = self._first_stock(found)
                forget_slabs(self._cache(found), own, self._processors)
                if found > GENERAL:
                    close_stocks(own, self._processors)
                    close_class(self._cache(found))

    def _tag_of(self, entry):
        """Return the tag that decides whether a used head lasts: of a slab, that of its cache."""
        if entry.freelist_va:
            return cache_at(self._caches, entry.size_class).tag
        return entry.tag

    @micropython.native
    def _is_free(self, virt, number):
        """Return whether an object that bears the mark is free, and not its owner's data."""
        cache = self._cache(number)
        irq = acquire(cache, _LOCK)
        # As in `_drain_stocks`; else the walk would follow objects that are in use again.
        stop()
        found = slabs.holds(self._base, self._hhdm, virt)
        own = self._first_stock(number)
        end = own + self._processors * STOCKS_SIZE
        while own < end and not found:
            found = stock.holds(own, virt)
            own += STOCKS_SIZE
        resume()
        release(cache, irq)
        return found

    @micropython.native
    def _end(self, virt, number, large):
        """Return the end of an object's trailer, in debug mode."""
        if large:
            pfn = (virt - self._hhdm) >> PAGE_SHIFT
            return virt + (slabs.frames(self._base, pfn) << PAGE_SHIFT)
        return virt + word(self._cache(number), CACHE_STRIDE)

    @micropython.native
    def _arm(self, virt, number, size, tag):
        """Verify an object just taken, and write its red zones."""
        large = word(self._cache(number), CACHE_STRIDE) > SLAB_OBJECT_MAX
        end = self._end(virt, number, large)
        if not large:
            at = redzone.spoiled(virt, end)
            if at:
                value = redzone.byte_at(at)
                redzone.disarm(virt, end)
                self._put(virt, number)
                self._refuse_spoiled(virt, number, at, value)
        redzone.arm(virt, end, size, tag)

    @micropython.native
    def _put(self, virt, number):
        """Put an object that no caller has back into its slab."""
        cache = self._cache(number)
        irq = acquire(cache, _LOCK)
        slabs.give_marked(self._base, self._hhdm, cache, virt)
        release(cache, irq)

    @micropython.native
    def _disarm(self, virt, number, large):
        """Verify the red zones of an object that is freed, and fill it with poison."""
        end = self._end(virt, number, large)
        at = redzone.overrun(virt, end)
        if not redzone.size(end) and not (slabs.marked_free(virt) and self._is_free(virt, number)):
            # The trailer says free, so it was written.
            at = end - redzone.TRAILER
        elif not redzone.size(end):
            self._refuse_double(virt, number)
        if at:
            self._refuse_overrun(virt, number, at, redzone.tag(end))
        if not large:
            redzone.disarm(virt, end)

    def _name(self, number):
        return name_of(cache_at(self._caches, number), number)

    def _refuse_double(self, virt, number):
        raise DoubleFreeError(virt, self._name(number))

    def _refuse_closed(self):
        raise CacheNameError(None, "closed")

    def _refuse_spoiled(self, virt, number, at, value):
        raise ObjectCorruptError(virt, self._name(number), at, value, "written while free", 0)

    def _refuse_overrun(self, virt, number, at, tag):
        value = redzone.byte_at(at)
        raise ObjectCorruptError(virt, self._name(number), at, value, "written past its end", tag)

    def _refuse_object(self, virt, number, wanted):
        """Raise the error for an address that is no object of the class `wanted`."""
        if number > 0:
            asked = self._name(wanted) if wanted else "malloc"
            raise ForeignFreeError(virt, asked, self._name(number))
        pfn = (virt - self._hhdm) >> PAGE_SHIFT
        if not self._first <= pfn <= self._last:
            raise ObjectStateError("free", virt, "no frame is there")
        head = self._slab_head(pfn)
        if head:
            start = self._hhdm + (head << PAGE_SHIFT)
            entry = PageFrame.at(self._base + (head << ENTRY_SHIFT))
            raise ObjectStateError(
                "free",
                virt,
                "inside a slab of {} at v0x{:x}, where no object begins".format(
                    self._name(entry.size_class), start & _ADDRESS_MASK
                ),
            )
        raise ObjectStateError("free", virt, "frame {}: {}".format(pfn, self.describe(pfn)))

    def _slab_head(self, pfn):
        """Return the head of the slab or object that has the frame `pfn`, 0 for none."""
        head = used_head(self._base, pfn)
        if not head or not PageFrame.at(self._base + (head << ENTRY_SHIFT)).freelist_va:
            return 0
        return head


# To print a signed address.
_ADDRESS_MASK = (1 << 64) - 1


def object_size(name, size, allowed, high=SIZE_MAX):
    """Return the argument `size` as a plain int, 1 to `high`.  Raises TypeError, ArgumentError."""
    if isinstance(size, bool):
        raise TypeError("{}: {}, not bool".format(name, allowed))
    size = integer(name, size, allowed)
    if not 0 < size <= high:
        raise ArgumentError(name, size, allowed)
    return size


@micropython.native
def address(name, virt):
    """Return the argument `virt`, an address signed or not, as a signed number.

    Raises TypeError.
    """
    if virt.__class__ is not _INT:
        if isinstance(virt, bool):
            raise TypeError("{}: an address, not bool".format(name))
        virt = integer(name, virt, "an address")
    # Of a small integer, a shift makes another: no heap is needed.
    return signed(virt) if virt >> _SIGN_SHIFT > 0 else virt
