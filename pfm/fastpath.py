"""The fast path: short versions of the calls that a kernel makes most often.

`install` stores one per call as an attribute of the manager, where it is found before the
method of the class.  It does the common case only.  In any other case it changes nothing and
calls the method of the class, which is the slow path.  Every call also works without its fast
path (`fast_path = False` before `init`): the method documents the call, does all checks and
raises the errors.

    call                     fast path taken when all of this holds
    set_flags, clear_flags   integers in range, the frame has RAM, its array page is
                             populated, its lock is free
    check_flags              integers in range
    get                      as set_flags, on the unix port only (`lock.PLAIN`)
    alloc                    no argument but `order`; order 0: the magazine has a frame;
                             else: the highest zone has a block and its lock is free
    free                     the head of a used block, no run, not compound, one reference,
                             its lock and, where one is needed, the zone's free
    malloc                   no argument but `size`, and the processor's stock has an object
    mfree                    a small integer, an object of `malloc` without the mark of a free
                             one, and the stock has room
    Cache.alloc, Cache.free  as malloc and mfree, of the cache; see `cache_calls`

What it may skip, and why:

- Conversion of arguments and text for errors: it takes small integers only.
- A frame's lock, where `lock.PLAIN` holds: nothing runs between the test of the lock word and
  the store after it.  Elsewhere it takes the lock.  `check_flags` is one load and needs none.
- The zone's lock, for single frames: the magazine belongs to this processor, and where
  interrupts exist they are off while it is used.
- Lower zones, watermarks and draining the magazine in search of memory: when the first attempt
  fails, the slow path does them.
- The cache's lock, for objects: the stock belongs to this processor, as the magazine does.
- Poison and red zones: in debug mode `alloc`, `free`, `malloc`, `mfree` and the calls of a
  `Cache` get no fast path.

All that a fast path needs is in one struct (processor.py), so it holds a single address.

A viper function that names a global pays for an exception frame and the look-up, so the code
that every call runs names none.
"""

import micropython
import uctypes
from micropython import const

from .alloc.buddy import give, take
from .alloc.magazine import drain, push
from .frame.entry import PageFrame
from .frame.guard import FrameGuard, unlock
from .lock import (
    PLAIN,
    change16,
    context,
    disable_irq,
    enable_irq,
    lock_masked,
    release,
    try_acquire,
    unlock_masked,
)

# control.py
_ZONE_SHIFT = const(8)
_CPU_OFFSET = const(832)
_CPU_CLEAR_OFFSET = const(896)
_MAGAZINES_OFFSET = const(1024)
_MAGAZINE_SHIFT = const(9)
_STOCKS_SHIFT = const(12)

# frame/flags.py
_FLAGS_BITS = const(16)
_SMALL = const(1 << 4)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_ENTRY_WORDS = const(8)
_USED = const(2)
_CACHED = const(4)
_COMPOUND_TAIL = const(5)
_ABSENT = const(7)
_ORDER_MASK = const(31)
_ORDER_SHIFT = const(16)
_STATE_SHIFT = const(24)
_STATE_KIND_SHIFT = const(5)
_KIND_SHIFT = const(29)
_WORD_NEXT = const(1)
_WORD_PREV = const(2)
_WORD_RC = const(3)
_SHARED_BIT = const(1 << 8)
_RC_SHIFT = const(16)
_WORD_LIST_LOW = const(4)
_WORD_LIST_HIGH = const(5)
_WORD_LOCK = const(6)
_WORD_TAG = const(7)
_LOCK_OFFSET = const(24)

# alloc/zone.py
_ORDER_MAX = const(18)
_DMA_END = const(1 << (24 - 12))
_DMA32_END = const(1 << (32 - 12))

# alloc/magazine.py
_MAGAZINE_FRAMES = const(64)
_MAGAZINE_BATCH = const(32)

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

# control.py
_STOCK_SHIFT = const(5)

# address.py
_PAGE_SHIFT = const(12)
_PAGE_SIZE = const(1 << 12)

# processor.py
_CPU_FIRST = const(2)
_CPU_LAST = const(3)
_CPU_TOP = const(4)
_CPU_PLAIN = const(5)
_CPU_TURNED = const(6)
_CPU_MAGAZINE = const(7)
_CPU_TOP_FIRST = const(8)
_CPU_HHDM = const(10)
_CPU_STOCKS = const(12)
_OWN_GUARDS = const(72)

# lock.py
_CONTEXT = const(1)

# Default of `order` and `tag`.
_DEFAULT = const(0)

# Found in this module's globals, where a builtin would be looked for in vain first.
_INT = int


# Each function below returns the fast path for the method `long`; `cpu` is the struct's
# address.
# What the fast path needs is in its closure, which costs a load.  Together with the arguments
# that is at most five objects, beyond which the interpreter allocates memory for a call.
#
# `(x | x) is x` holds for small integers only: an operation on any other int makes a new
# object.  For what is not an integer it raises, and `except` leads to the slow path, whose
# error names the argument.


def _flags_changer(cpu, long, change):
    @micropython.viper
    def change_flags(pfn, flags):
        try:
            both = pfn | flags
            if (both | both) is both:
                h = ptr32(int(cpu))
                frame = int(pfn)
                bits = int(flags)
                if (
                    (bits >> _FLAGS_BITS) == 0
                    and frame >= int(h[_CPU_FIRST])
                    and frame <= int(h[_CPU_LAST])
                ):
                    virt = (int(h[0]) | int(h[1]) << 32) + (frame << _ENTRY_SHIFT)
                    e = ptr32(virt)
                    word = int(e[0])
                    if (word >> _KIND_SHIFT) != _ABSENT and (int(e[_WORD_RC]) & _SHARED_BIT) == 0:
                        turned = bits & int(h[_CPU_TURNED])
                        if int(h[_CPU_PLAIN]):
                            if int(e[_WORD_LOCK]) == 0:
                                e[0] = (word | bits) ^ turned
                                return
                        elif not int(
                            change(virt, virt + _LOCK_OFFSET, bits | turned << _FLAGS_BITS)
                        ):
                            return
        except TypeError:
            pass
        long(pfn, flags)

    return change_flags


def _flags_checker(cpu, long):
    @micropython.viper
    def check_flags(pfn, flags) -> bool:
        try:
            both = pfn | flags
            if (both | both) is both:
                h = ptr32(int(cpu))
                frame = int(pfn)
                bits = int(flags)
                if (
                    (bits >> _FLAGS_BITS) == 0
                    and frame >= int(h[_CPU_FIRST])
                    and frame <= int(h[_CPU_LAST])
                ):
                    e = ptr32((int(h[0]) | int(h[1]) << 32) + (frame << _ENTRY_SHIFT))
                    return (int(e[0]) & bits) == bits
        except TypeError:
            pass
        return int(long(pfn, flags)) != 0

    return check_flags


def _getter(cpu, others, struct, guard_class):
    @micropython.viper
    def get(pfn):
        if pfn.__class__ is others[3] and (pfn | pfn) is pfn:
            h = ptr32(int(cpu))
            frame = int(pfn)
            if int(h[_CPU_PLAIN]) and frame >= int(h[_CPU_FIRST]) and frame <= int(h[_CPU_LAST]):
                virt = (int(h[0]) | int(h[1]) << 32) + (frame << _ENTRY_SHIFT)
                e = ptr32(virt)
                if (
                    (int(e[0]) >> _KIND_SHIFT) != _ABSENT
                    and (int(e[_WORD_RC]) & _SHARED_BIT) == 0
                    and int(e[_WORD_LOCK]) == 0
                ):
                    guard = guard_class([cpu, virt, struct(virt, others[1]), others[2]])
                    # Nothing can fail from here on.
                    e[_WORD_LOCK] = _CONTEXT
                    m = ptr32(int(cpu) - _CPU_OFFSET + _MAGAZINES_OFFSET)
                    m[_OWN_GUARDS] = int(m[_OWN_GUARDS]) + 1
                    return guard
        return others[0](pfn)

    return get


def _freer(cpu, long, other, integer):
    """Return the fast path of `free`.

    `other` frees what is more than three stores: `_give_block`; unless PLAIN, what `_giver`
    returns.
    """

    @micropython.viper
    def free(pfn):
        if pfn.__class__ is integer and (pfn | pfn) is pfn:
            virt = int(cpu)
            h = ptr32(virt)
            frame = int(pfn)
            if frame >= int(h[_CPU_FIRST]) and frame <= int(h[_CPU_LAST]):
                e = ptr32((int(h[0]) | int(h[1]) << 32) + (frame << _ENTRY_SHIFT))
                # The head of a used block with one reference, not of a run.
                if (
                    (int(e[0]) >> _KIND_SHIFT) == _USED
                    and (int(e[_WORD_RC]) >> _RC_SHIFT) == 1
                    and int(e[_WORD_NEXT]) == 0
                ):
                    m = ptr32(virt - _CPU_OFFSET + int(h[_CPU_MAGAZINE]))
                    count = int(m[0]) + 1
                    if (
                        (int(e[0]) >> _STATE_SHIFT & _ORDER_MASK)
                        or frame < int(h[_CPU_TOP_FIRST])
                        or count > _MAGAZINE_FRAMES
                        or int(h[_CPU_PLAIN]) == 0
                    ):
                        if int(other(virt, frame)):
                            return
                    elif int(e[_WORD_LOCK]) == 0:
                        e[0] = int(_CACHED) << _KIND_SHIFT
                        e[_WORD_RC] = 0
                        m[count] = frame
                        m[0] = count
                        return
        long(pfn)

    return free


class _Alloc:
    # A method, not a closure: with five arguments a closure would exceed five objects.

    def __init__(self, cpu, long, single, block):
        self._cpu = cpu
        self._long = long
        self._single = single
        self._block = block

    @micropython.native
    def alloc(self, order=0, zone=None, zero=False, tag=0, compound=False):
        # Compared by identity: 0.0 equals 0 and "" counts as false, but both are errors.
        if tag is _DEFAULT and zone is None and not (zero or compound):
            if order is _DEFAULT:
                pfn = self._single()
            elif order.__class__ is _INT:
                pfn = self._block(self._cpu, order)
            else:
                pfn = 0
            if pfn:
                return pfn
        return self._long(order, zone, zero, tag, compound)


# What is a processor's own is changed with interrupts off, and found by its number, which is in
# the state that `disable_irq` returns.  Where `lock.PLAIN` holds there is one processor.
#
# Of objects, `others` are the slow path, then `disable_irq` and `enable_irq`, and `int`.


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


def _frame_taker(cpu, mask, unmask):
    @micropython.viper
    def take_frame() -> int:
        """Take a frame from the processor's magazine and write its head; return it, 0 for none."""
        virt = int(cpu)
        h = ptr32(virt)
        virt += int(h[_CPU_MAGAZINE]) - _CPU_OFFSET
        irq = 0
        if int(h[_CPU_PLAIN]) == 0:
            irq = int(mask())
            virt += ((irq >> 1) - 1) << _MAGAZINE_SHIFT
        m = ptr32(virt)
        count = int(m[0])
        pfn = 0
        if count:
            pfn = int(m[count])
            m[0] = count - 1
            e = ptr32((int(h[0]) | int(h[1]) << 32) + (pfn << _ENTRY_SHIFT))
            e[0] = int(_USED) << _KIND_SHIFT | _SMALL
            e[_WORD_NEXT] = 0
            e[_WORD_PREV] = 0
            e[_WORD_RC] = 1 << _RC_SHIFT
            e[_WORD_LIST_LOW] = 0
            e[_WORD_LIST_HIGH] = 0
            e[_WORD_TAG] = 0
        if int(h[_CPU_PLAIN]) == 0:
            unmask(irq)
        return pfn

    return take_frame


@micropython.viper
def _take_block(cpu: int, order) -> int:
    """Take a block of `order` from the highest zone and write its head; return it or 0."""
    if (order | order) is not order:
        return 0
    k = int(order)
    if k < 0 or k > _ORDER_MAX:
        return 0
    h = ptr32(cpu)
    base = int(h[0]) | int(h[1]) << 32
    zone = cpu - _CPU_OFFSET + (int(h[_CPU_TOP]) << _ZONE_SHIFT)
    irq = 0
    if int(h[_CPU_PLAIN]):
        if int(ptr32(zone)[0]):
            return 0
    else:
        irq = int(try_acquire(zone, int(context())))
        if irq < 0:
            return 0
    pfn = int(take(zone, base, k))
    if pfn:
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
        e[0] = int(_USED) << _KIND_SHIFT | k << _STATE_SHIFT | k << _ORDER_SHIFT
        e[_WORD_NEXT] = 0
        e[_WORD_PREV] = 0
        e[_WORD_RC] = 1 << _RC_SHIFT
        e[_WORD_LIST_LOW] = 0
        e[_WORD_LIST_HIGH] = 0
        e[_WORD_TAG] = 0
    if int(h[_CPU_PLAIN]) == 0:
        release(zone, irq)
    return pfn


def _giver(lock, unlock, block):
    @micropython.viper
    def give_frame(cpu: int, frame: int) -> int:
        """Free a used head's frame into the processor's magazine, other blocks by `block`.

        Returns 1, or 0 for the slow path.
        """
        h = ptr32(cpu)
        entry = (int(h[0]) | int(h[1]) << 32) + (frame << _ENTRY_SHIFT)
        e = ptr32(entry)
        if (int(e[0]) >> _STATE_SHIFT & _ORDER_MASK) or frame < int(h[_CPU_TOP_FIRST]):
            return int(block(cpu, frame))
        irq = int(lock(entry + _LOCK_OFFSET))
        if irq < 0:
            return 0
        own = cpu - _CPU_OFFSET + int(h[_CPU_MAGAZINE]) + (((irq >> 1) - 1) << _MAGAZINE_SHIFT)
        m = ptr32(own)
        count = int(m[0]) + 1
        done = 0
        # Again, since another may have freed it meanwhile.
        if (
            (int(e[0]) >> _STATE_SHIFT) == int(_USED) << _STATE_KIND_SHIFT
            and (int(e[_WORD_RC]) >> _RC_SHIFT) == 1
            and int(e[_WORD_LIST_LOW]) == 0
            and int(e[_WORD_NEXT]) == 0
            and count <= _MAGAZINE_FRAMES
        ):
            e[0] = int(_CACHED) << _KIND_SHIFT
            e[_WORD_RC] = 0
            m[count] = frame
            m[0] = count
            done = 1
        unlock(entry + _LOCK_OFFSET, irq)
        if done == 0:
            done = int(block(cpu, frame))
        return done

    return give_frame


@micropython.viper
def _give_block(cpu: int, frame: int) -> int:
    """Free a used head's block to its zone, or a frame into a full magazine after draining it.

    Returns 1, or 0 for the slow path: a lock does not come, or the head is not that of a block
    with one reference, or of a run or a compound block.
    """
    h = ptr32(cpu)
    plain = int(h[_CPU_PLAIN])
    base = int(h[0]) | int(h[1]) << 32
    entry = base + (frame << _ENTRY_SHIFT)
    e = ptr32(entry)
    irq = 0
    if plain == 0:
        irq = int(lock_masked(entry + _LOCK_OFFSET))
        if irq < 0:
            return 0
    elif int(e[_WORD_LOCK]):
        return 0
    word = int(e[0])
    order = word >> _STATE_SHIFT & _ORDER_MASK
    number = 2
    if frame < _DMA32_END:
        number = 1 if frame >= _DMA_END else 0
    zone = cpu - _CPU_OFFSET + (number << _ZONE_SHIFT)
    done = 0
    if (
        (word >> _KIND_SHIFT) == _USED
        and (int(e[_WORD_RC]) >> _RC_SHIFT) == 1
        and int(e[_WORD_LIST_LOW]) == 0
        and int(e[_WORD_NEXT]) == 0
        and (order == 0 or (int(e[_ENTRY_WORDS]) >> _KIND_SHIFT) != _COMPOUND_TAIL)
    ):
        done = 1
    if plain:
        if int(ptr32(zone)[0]):
            done = 0
    else:
        # Nobody can reach the block any more.  Interrupts stay off.
        if done:
            e[0] = 0
        unlock_masked(entry + _LOCK_OFFSET, 0)
        if done and int(try_acquire(zone, int(context()))) < 0:
            e[0] = word
            done = 0
    if done:
        e[_WORD_RC] = 0
        if order or frame < int(h[_CPU_TOP_FIRST]):
            give(zone, base, frame, order)
        else:
            own = cpu - _CPU_OFFSET + int(h[_CPU_MAGAZINE])
            if plain == 0:
                own += ((irq >> 1) - 1) << _MAGAZINE_SHIFT
            drain(zone, base, own, int(_MAGAZINE_BATCH))
            push(own, base, frame, int(_MAGAZINE_FRAMES))
        if plain == 0:
            release(zone, 0)
    if plain == 0:
        enable_irq(irq)
    return done


def ways(manager, cpu):
    """Return the fast paths by the names of their calls; `cpu` is the address of the struct.

    In debug mode those that allocate and free have none, since poison has to be written and
    verified.
    """
    clear = cpu - _CPU_OFFSET + _CPU_CLEAR_OFFSET
    others = (manager.get, PageFrame.LAYOUT, unlock, int)
    ways = {
        "set_flags": _flags_changer(cpu, manager.set_flags, change16),
        "clear_flags": _flags_changer(clear, manager.clear_flags, change16),
        "check_flags": _flags_checker(cpu, manager.check_flags),
        "get": _getter(cpu, others, uctypes.struct, FrameGuard),
    }
    if not manager.debug:
        single = _frame_taker(cpu, disable_irq, enable_irq)
        ways["alloc"] = _Alloc(cpu, manager.alloc, single, _take_block).alloc
        give = _give_block if PLAIN else _giver(lock_masked, unlock_masked, _give_block)
        ways["free"] = _freer(cpu, manager.free, give, int)
        others = (manager.malloc, disable_irq, enable_irq)
        ways["malloc"] = _mallocer(_first_stock(manager, _SMALLEST), others)
        others = (manager.mfree, disable_irq, enable_irq, int)
        ways["mfree"] = _object_freer(cpu, _OF_MALLOC, others)
    return ways


def install(manager, cpu, base):
    """Store the fast paths on `manager`; `cpu` is the address of the struct.

    A call that differs from that of the class `base` gets none, so that an override is what
    gets called.  Raises MemoryError with nothing installed.
    """
    made = ways(manager, cpu)
    own = manager.__dict__
    names = [
        name
        for name in made
        if name not in own and getattr(type(manager), name) is getattr(base, name)
    ]
    done = 0
    try:
        for name in names:
            setattr(manager, name, made[name])
            done += 1
    except MemoryError as error:
        while done:
            done -= 1
            delattr(manager, names[done])
        raise error


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


def installed(manager):
    """Return the names of the calls in whose place `install` or others stored something."""
    own = type(manager)
    return [name for name in manager.__dict__ if callable(getattr(own, name, None))]
