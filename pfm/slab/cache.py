"""`Cache`: objects of one size, or of one layout of `uctypes`."""

import micropython
import uctypes
from micropython import const

from ..arguments import number
from ..errors import ArgumentError, CacheInUseError, CacheNameError
from ..fastpath.objects import cache_calls
from ..tags import tag_number
from .caches import (
    CACHE_GENERATION,
    NAME_MAX,
    cache_at,
    name_of,
    open_class,
    open_stocks,
    set_name,
    stride_for,
    unused_class,
    word,
)
from .classes import ALIGN, CLASSES, GENERAL
from .objects import address, object_size

# The largest alignment of an object: that of a frame.
_ALIGN_MAX = 4096

# The generation of a class is a word.
_GENERATION_MASK = const(0xFFFFFFFF)

_SIZES = "1 to 2097152 bytes, or a layout of uctypes"
_ALIGNS = "a power of two, at most 4096"
_NAMES = "1 to 28 bytes of UTF-8"


class Cache:
    """A cache of objects of one size: allocated and freed in a few instructions, packed in slabs.

        packets = Cache(2048, "packets")
        virt = packets.alloc()
        packets.free(virt)

    A layout of `uctypes` instead of the size makes a cache of its structs.  The cache lives in
    the manager's memory, not on the Python heap: dropping the `Cache` closes nothing, and
    `Cache.open(name)` gives another.  `close` frees it.
    """

    def __init__(self, layout_or_size, name, align=ALIGN, tag=0, manager=None):
        """Create the cache `name`, of objects at multiples of `align` bytes.

        `tag` (32 bits, or a text) is that of its frames; over a soft reset it lasts if its tag does.
        `manager` is `PFM` by default.  Raises CacheNameError (the name is taken, or all 63
        caches are), ArgumentError, TypeError, NotInitialisedError.
        """
        manager = _manager(manager)
        layout, size = _layout(layout_or_size)
        encoded = _encoded(name)
        if isinstance(align, bool):
            raise TypeError("align: {}, not bool".format(_ALIGNS))
        align = number("align", align, 1, _ALIGN_MAX, _ALIGNS)
        if align & (align - 1):
            raise ArgumentError("align", align, _ALIGNS)
        align = max(align, ALIGN)
        tag = tag_number(tag)
        stride = stride_for(size, align, manager.debug)
        state = manager._lock_caches()
        try:
            if _find(manager, name):
                raise CacheNameError(name, "there is one; Cache.open(name) returns it")
            found = unused_class(manager._caches)
            if found == CLASSES:
                raise CacheNameError(name, "all {} are taken".format(CLASSES - GENERAL - 1))
            # As it is once the class is open.
            generation = (word(manager._cache(found), CACHE_GENERATION) + 1) & _GENERATION_MASK
            self._attach(manager, found, generation, name, size, layout)
            self._open(encoded, stride, align, tag)
        finally:
            manager._unlock_caches(state)

    @classmethod
    def open(cls, name, layout=None, manager=None):
        """Return the cache that exists by this `name`; `layout` as for a new one.

        Raises CacheNameError if there is none, ArgumentError if the layout is of another size.
        """
        manager = _manager(manager)
        size = None
        if layout is not None:
            layout, size = _layout(layout)
        cache = object.__new__(cls)
        state = manager._lock_caches()
        try:
            found = _find(manager, name)
            if not found:
                raise CacheNameError(name, "there is none")
            allowed = cache_at(manager._caches, found).size
            if size is not None and size != allowed:
                raise ArgumentError("layout", size, "{} bytes".format(allowed))
            generation = word(manager._cache(found), CACHE_GENERATION)
            cache._attach(manager, found, generation, name, allowed, layout)
        finally:
            manager._unlock_caches(state)
        return cache

    def _attach(self, manager, found, generation, name, size, layout):
        self.name = name
        self.size = size
        self.layout = layout
        self._pfm = manager
        self._number = found
        self._generation = generation
        self._take, self._give = cache_calls(
            manager, found, generation, self._take_any, self._give_any
        )
        # Where there is no struct to make, they are the calls themselves, unless overridden.
        if layout is None and type(self).alloc is Cache.alloc:
            self.alloc = self._take
        if layout is None and type(self).free is Cache.free:
            self.free = self._give

    # Native code, since every attribute is there already: nothing fails half way.
    @micropython.native
    def _open(self, encoded, stride, align, tag):
        cache = self._pfm._cache(self._number)
        set_name(cache, encoded, len(encoded))
        open_class(cache, self.size, stride, align, tag)
        open_stocks(cache, self._pfm._first_stock(self._number), self._pfm._processors)

    @micropython.native
    def alloc(self, tag=0):
        """Allocate an object; return its virtual address, or a struct of the cache's layout.

        It is not cleared.  `tag` (32 bits, or a text) says who allocated, and is kept in debug mode.
        Has a fast path.  Raises OutOfFramesError, CacheNameError (closed), ObjectCorruptError
        (debug).  Cost: as `PFM.malloc`; a struct takes memory of the Python heap.
        """
        virt = self._take(tag)
        if self.layout is None:
            return virt
        try:
            return uctypes.struct(virt, self.layout)
        except MemoryError as error:
            self._give(virt)
            raise error

    @micropython.native
    def free(self, thing):
        """Free an object, named by its virtual address or by its struct.

        Positional argument only; has a fast path.  Raises DoubleFreeError, ForeignFreeError (an
        object of another cache), ObjectStateError (no object begins there), CacheNameError
        (closed), ObjectCorruptError (debug), TypeError.  Cost: as `PFM.mfree`.
        """
        self._give(_address(thing))

    @micropython.native
    def _take_any(self, tag=0):
        """Allocate an object in every case; return its address."""
        tag = tag_number(tag)
        self._pfm._ready()
        try:
            return self._pfm._alloc_object(self._number, self._generation, self.size, tag)
        except CacheNameError as error:
            raise self._named(error)

    @micropython.native
    def _give_any(self, thing):
        """Free an object in every case."""
        self._pfm._ready()
        try:
            self._pfm._free_object(_address(thing), self._number, self._generation)
        except CacheNameError as error:
            raise self._named(error)

    def _named(self, error):
        """Return the error of a closed cache with its name, which is in memory no more."""
        return CacheNameError(self.name, error.why)

    def close(self):
        """Give the cache's slabs back and forget its name.

        Raises CacheInUseError while objects are in use, CacheNameError (closed),
        NotInitialisedError (its manager was a sandbox, and is closed).
        """
        self._pfm._ready()
        try:
            taken = self._pfm._close_cache(self._number, self._generation)
        except CacheNameError as error:
            raise self._named(error)
        if taken:
            raise CacheInUseError(self.name, taken)

    def __repr__(self):
        return "Cache({}, {!r})".format(self.size, self.name)


@micropython.native
def _address(thing):
    """Return the address of an object, which may be given as a struct.  Raises TypeError."""
    return address(
        "object", uctypes.addressof(thing) if isinstance(thing, uctypes.struct) else thing
    )


def _manager(manager):
    if manager is None:
        import pfm

        manager = pfm.PFM
    manager._ready()
    return manager


def _layout(layout_or_size):
    """Return (layout or None, size in bytes).  Raises ArgumentError, TypeError."""
    if isinstance(layout_or_size, dict):
        size = uctypes.sizeof(layout_or_size) if layout_or_size else 0
        return layout_or_size, object_size("layout", size, _SIZES)
    return None, object_size("size", layout_or_size, _SIZES)


def _encoded(name):
    if not isinstance(name, str):
        raise TypeError("name: {}, not {}".format(_NAMES, type(name).__name__))
    encoded = name.encode()
    if not 0 < len(encoded) <= NAME_MAX:
        raise ArgumentError("name", repr(name), _NAMES)
    return encoded


def _find(manager, name):
    """Return the class of the cache by this name, 0 if there is none."""
    for found in range(GENERAL + 1, CLASSES):
        cache = cache_at(manager._caches, found)
        if cache.size and name_of(cache, found) == name:
            return found
    return 0
