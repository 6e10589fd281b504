"""The fast paths of `malloc` and `mfree`, and of a cache's `alloc` and `free`.

Objects come from the processor's stock of their class and go back to it.  __init__.py says which
cases they take, and how they are written.  In the functions that make the fast paths, `others`
are the slow path, then `disable_irq` and `enable_irq`, and `int`.
"""

import micropython
from micropython import const

from ..lock import PLAIN, disable_irq, enable_irq

# control.py
_STOCKS_SHIFT = const(12)
_STOCK_SHIFT = const(5)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_USED = const(2)
_COMPOUND_TAIL = const(5)
_ORDER_MASK = const(31)
_STATE_SHIFT = const(24)
_KIND_SHIFT = const(29)
_WORD_NEXT = const(1)
_WORD_RC = const(3)
_WORD_LIST_LOW = const(4)

# slab/classes.py
_ALIGN_SHIFT = const(4)
_SIZE_MAX = const(2 << 20)
_GENERAL = const(64)

# slab/stock.py
_STOCK_COUNT = const(2)
_STOCK_LIMIT = const(3)
_STOCK_STRIDE = const(4)
_STOCK_RECIPROCAL = const(5)
_STOCK_GENERATION = const(6)
_RECIPROCAL_SHIFT = const(31)
_MARK_WORD = const(2)

# slab/slabs.py
_CLASS_MASK = const(0xFF)

# slab/objects.py
_GENERATION = const(1)

# What `_give_object` frees: objects of a class and a generation of it.  Class 0 is all of `malloc`.
_GENERATION_SHIFT = const(8)
_OF_MALLOC = const(1 << 8)

# A cache has one class, which is that of any size up to 16 bytes counted from its own stock.
_SMALLEST = const(1)

# address.py
_PAGE_SHIFT = const(12)
_PAGE_SIZE = const(1 << 12)

# processor.py
_CPU_FIRST = const(2)
_CPU_LAST = const(3)
_CPU_PLAIN = const(5)
_CPU_HHDM = const(10)
_CPU_STOCKS = const(12)

# Default of `tag`.
_DEFAULT = const(0)

# Found in this module's globals, where a builtin would be looked for in vain first.
_INT = int


def _mallocer(first, others):
    take = _take_object

    @micropython.native
    def malloc(size, tag=0):
        if tag is _DEFAULT and size.__class__ is _INT:
            virt = take(first, _GENERATION, size, others)
            if virt:
                return virt
        return others[0](size, tag)

    return malloc


def _object_taker(first, generation, others):
    take = _take_object

    @micropython.native
    def alloc(tag=0):
        if tag is _DEFAULT:
            virt = take(first, generation, _SMALLEST, others)
            if virt:
                return virt
        return others[0](tag)

    return alloc


def _object_freer(cpu, wanted, others):
    give = _give_object

    @micropython.viper
    def free(virt):
        if virt.__class__ is others[3] and (virt | virt) is virt:
            if int(give(cpu, virt, wanted, others)):
                return
        others[0](virt)

    return free


def _first_stock(manager, number):
    """Return `first` of `_take_object` for the class `number`."""
    return manager._first_stock(number) | (1 - PLAIN)


@micropython.viper
def _take_object(first: int, generation: int, size, others) -> int:
    """Take an object for `size` bytes from the processor's stock; return its address or 0.

    `first` is the address of the first processor's stock of the smallest class, plus 1 unless
    PLAIN.
    """
    if (size | size) is not size:
        return 0
    units = (int(size) - 1) >> _ALIGN_SHIFT
    if units < 0 or units >= _SIZE_MAX >> _ALIGN_SHIFT:
        return 0
    # As `class_of` of slab/classes.py does it.
    stock = first
    while units >= 8:
        units >>= 1
        stock += 4 << _STOCK_SHIFT
    irq = 0
    if first & 1:
        irq = int(others[1]())
        stock += (((irq >> 1) - 1) << _STOCKS_SHIFT) - 1
    s = ptr32(stock + (units << _STOCK_SHIFT))
    found = int(s[0]) | int(s[1]) << 32
    if int(s[_STOCK_GENERATION]) != generation:
        found = 0
    if found:
        o = ptr32(found)
        s[0] = o[0]
        s[1] = o[1]
        s[_STOCK_COUNT] = int(s[_STOCK_COUNT]) - 1
        o[_MARK_WORD] = 0
    if first & 1:
        others[2](irq)
    return found


@micropython.viper
def _give_object(cpu: int, virt: int, wanted: int, others) -> int:
    """Free an object into the processor's stock; return 1, or 0 for the slow path.

    It has to be of the class and generation `wanted`.  The checks are those of `find` in
    slab/slabs.py.
    """
    h = ptr32(cpu)
    offset = virt - (int(h[_CPU_HHDM]) | int(h[_CPU_HHDM + 1]) << 32)
    frame = offset >> _PAGE_SHIFT
    if frame < int(h[_CPU_FIRST]) or frame > int(h[_CPU_LAST]):
        return 0
    base = int(h[0]) | int(h[1]) << 32
    e = ptr32(base + (frame << _ENTRY_SHIFT))
    if (int(e[0]) >> _KIND_SHIFT) == _COMPOUND_TAIL:
        frame = int(e[_WORD_NEXT])
        e = ptr32(base + (frame << _ENTRY_SHIFT))
    # A slab: a used head with a list of objects.
    if (int(e[0]) >> _KIND_SHIFT) != _USED or int(e[_WORD_LIST_LOW]) == 0:
        return 0
    number = int(e[_WORD_RC]) & _CLASS_MASK
    if number != wanted & _CLASS_MASK and (number > _GENERAL or wanted != _OF_MALLOC):
        return 0
    offset -= frame << _PAGE_SHIFT
    stock = (int(h[_CPU_STOCKS]) | int(h[_CPU_STOCKS + 1]) << 32) + (number << _STOCK_SHIFT)
    irq = 0
    if int(h[_CPU_PLAIN]) == 0:
        irq = int(others[1]())
        stock += ((irq >> 1) - 1) << _STOCKS_SHIFT
    s = ptr32(stock)
    stride = int(s[_STOCK_STRIDE])
    index = ((offset >> _ALIGN_SHIFT) * int(s[_STOCK_RECIPROCAL])) >> _RECIPROCAL_SHIFT
    count = int(s[_STOCK_COUNT]) + 1
    o = ptr32(virt)
    done = 0
    if (
        index * stride == offset
        and offset + stride <= _PAGE_SIZE << (int(e[0]) >> _STATE_SHIFT & _ORDER_MASK)
        and count <= int(s[_STOCK_LIMIT])
        and int(s[_STOCK_GENERATION]) == wanted >> _GENERATION_SHIFT
        and (int(o[_MARK_WORD]) ^ virt ^ -1) << 32
    ):
        o[0] = s[0]
        o[1] = s[1]
        o[_MARK_WORD] = virt ^ -1
        s[0] = virt
        s[1] = virt >> 32
        s[_STOCK_COUNT] = count
        done = 1
    if int(h[_CPU_PLAIN]) == 0:
        others[2](irq)
    return done


def ways(manager, cpu):
    """Return the fast paths by the names of their calls; `cpu` is the address of the struct."""
    first = _first_stock(manager, _SMALLEST)
    return {
        "malloc": _mallocer(first, (manager.malloc, disable_irq, enable_irq)),
        "mfree": _object_freer(cpu, _OF_MALLOC, (manager.mfree, disable_irq, enable_irq, int)),
    }


def cache_calls(manager, number, generation, alloc, free):
    """Return the fast paths of a cache for the slow `alloc(tag)` and `free(virt)`, or these.

    `number` and `generation` are those of its class; objects are named by their addresses.
    """
    if manager.debug or not manager.fast_path:
        return alloc, free
    wanted = generation << _GENERATION_SHIFT | number
    return (
        _object_taker(_first_stock(manager, number), generation, (alloc, disable_irq, enable_irq)),
        _object_freer(manager._cpu, wanted, (free, disable_irq, enable_irq, int)),
    )
