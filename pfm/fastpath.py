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
                             its lock free; unless `lock.PLAIN`: an order 0 frame of the
                             highest zone, and the magazine has room

What it may skip, and why:

- Conversion of arguments and text for errors: it takes small integers only.
- A frame's lock, where `lock.PLAIN` holds: nothing runs between the test of the lock word and
  the store after it.  Elsewhere it takes the lock.  `check_flags` is one load and needs none.
- The zone's lock, for single frames: the magazine belongs to this processor, and where
  interrupts exist they are off while it is used.
- Lower zones, watermarks and draining the magazine in search of memory: when the first attempt
  fails, the slow path does them.
- Poison: in debug mode `alloc` and `free` get no fast path.

All that a fast path needs is in one struct, so it holds a single address:

    word 0, 1  address of the frame array
         2, 3  first and last frame
         4     highest zone
         5     `lock.PLAIN`
         6     flags that a change inverts after setting them: 0 to set, all to clear
         7     offset of the processor's magazine in the control page
         8     first frame of the highest zone
         9     number of guards that hold a frame's lock
        10     interrupt state before the first of them
        11     number under which the processor holds locks

A viper function that names a global pays for an exception frame and the look-up, so the code
that every call runs names none.
"""

import micropython
import uctypes
from micropython import const

from .alloc.buddy import give, take
from .alloc.magazine import drain, push
from .alloc.references import drop_ref
from .frame.entry import PageFrame
from .frame.flags import FLAGS_MASK
from .frame.guard import FrameGuard, unlock
from .lock import PLAIN, context, disable_irq, enable_irq, release, try_acquire

# control.py
_ZONE_SHIFT = const(8)
_FAST_OFFSET = const(832)
_FAST_CLEAR_OFFSET = const(896)
_MAGAZINES_OFFSET = const(1024)

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

FAST = {
    "base": 0 | uctypes.UINT64,
    "first": 8 | uctypes.UINT32,
    "last": 12 | uctypes.UINT32,
    "top": 16 | uctypes.UINT32,
    "plain": 20 | uctypes.UINT32,
    "turned": 24 | uctypes.UINT32,
    "magazine": 28 | uctypes.UINT32,
    "top_first": 32 | uctypes.UINT32,
    "guards": 36 | uctypes.UINT32,
    "irq": 40 | uctypes.UINT32,
    "owner": 44 | uctypes.UINT32,
}

# Words of the struct.
FAST_FIRST = const(2)
FAST_LAST = const(3)
FAST_TOP = const(4)
FAST_PLAIN = const(5)
FAST_TURNED = const(6)
FAST_MAGAZINE = const(7)
FAST_TOP_FIRST = const(8)
FAST_GUARDS = const(9)
FAST_IRQ = const(10)
FAST_OWNER = const(11)

# Default of `order` and `tag`.
_DEFAULT = const(0)

# Found in this module's globals, where a builtin would be looked for in vain first.
_INT = int


# Each function below returns the fast path for the method `long`; `hot` is the struct's
# address.
# What the fast path needs is in its closure, which costs a load.  Together with the arguments
# that is at most five objects, beyond which the interpreter allocates memory for a call.
#
# `(x | x) is x` holds for small integers only: an operation on any other int makes a new
# object.  For what is not an integer it raises, and `except` leads to the slow path, whose
# error names the argument.


def _flags_changer(hot, long, locked):
    @micropython.viper
    def change_flags(pfn, flags):
        try:
            both = pfn | flags
            if (both | both) is both:
                h = ptr32(int(hot))
                frame = int(pfn)
                bits = int(flags)
                if (
                    (bits >> _FLAGS_BITS) == 0
                    and frame >= int(h[FAST_FIRST])
                    and frame <= int(h[FAST_LAST])
                ):
                    e = ptr32((int(h[0]) | int(h[1]) << 32) + (frame << _ENTRY_SHIFT))
                    word = int(e[0])
                    if (word >> _KIND_SHIFT) != _ABSENT and (int(e[_WORD_RC]) & _SHARED_BIT) == 0:
                        if int(h[FAST_PLAIN]):
                            if int(e[_WORD_LOCK]) == 0:
                                e[0] = (word | bits) ^ (bits & int(h[FAST_TURNED]))
                                return
                        elif int(locked(hot, frame, bits)):
                            return
        except TypeError:
            pass
        long(pfn, flags)

    return change_flags


def _flags_checker(hot, long):
    @micropython.viper
    def check_flags(pfn, flags) -> bool:
        try:
            both = pfn | flags
            if (both | both) is both:
                h = ptr32(int(hot))
                frame = int(pfn)
                bits = int(flags)
                if (
                    (bits >> _FLAGS_BITS) == 0
                    and frame >= int(h[FAST_FIRST])
                    and frame <= int(h[FAST_LAST])
                ):
                    e = ptr32((int(h[0]) | int(h[1]) << 32) + (frame << _ENTRY_SHIFT))
                    return (int(e[0]) & bits) == bits
        except TypeError:
            pass
        return int(long(pfn, flags)) != 0

    return check_flags


def _getter(hot, others, struct, guard_class):
    @micropython.viper
    def get(pfn):
        if pfn.__class__ is others[3] and (pfn | pfn) is pfn:
            h = ptr32(int(hot))
            frame = int(pfn)
            if int(h[FAST_PLAIN]) and frame >= int(h[FAST_FIRST]) and frame <= int(h[FAST_LAST]):
                virt = (int(h[0]) | int(h[1]) << 32) + (frame << _ENTRY_SHIFT)
                e = ptr32(virt)
                if (
                    (int(e[0]) >> _KIND_SHIFT) != _ABSENT
                    and (int(e[_WORD_RC]) & _SHARED_BIT) == 0
                    and int(e[_WORD_LOCK]) == 0
                ):
                    guard = guard_class([hot, virt, struct(virt, others[1]), others[2]])
                    # Nothing can fail from here on.
                    e[_WORD_LOCK] = int(h[FAST_OWNER])
                    h[FAST_GUARDS] = int(h[FAST_GUARDS]) + 1
                    return guard
        return others[0](pfn)

    return get


def _freer(hot, long, other, integer):
    """Return the fast path of `free`.

    `other` frees what the magazine cannot take directly: `_give_block`, or
    `_give_frame_locked` unless PLAIN.
    """

    @micropython.viper
    def free(pfn):
        if pfn.__class__ is integer and (pfn | pfn) is pfn:
            virt = int(hot)
            h = ptr32(virt)
            frame = int(pfn)
            if frame >= int(h[FAST_FIRST]) and frame <= int(h[FAST_LAST]):
                e = ptr32((int(h[0]) | int(h[1]) << 32) + (frame << _ENTRY_SHIFT))
                # The head of a used block with one reference, not of a run.
                if (
                    (int(e[0]) >> _KIND_SHIFT) == _USED
                    and (int(e[_WORD_RC]) >> _RC_SHIFT) == 1
                    and int(e[_WORD_NEXT]) == 0
                ):
                    m = ptr32(virt - _FAST_OFFSET + int(h[FAST_MAGAZINE]))
                    count = int(m[0]) + 1
                    if (
                        (int(e[0]) >> _STATE_SHIFT & _ORDER_MASK)
                        or frame < int(h[FAST_TOP_FIRST])
                        or count > _MAGAZINE_FRAMES
                    ):
                        if int(h[FAST_PLAIN]) and int(other(virt, frame)):
                            return
                    elif int(h[FAST_PLAIN]) == 0:
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

    def __init__(self, hot, long, single, block):
        self._fast = hot
        self._long = long
        self._single = single
        self._block = block

    @micropython.native
    def alloc(self, order=0, zone=None, zero=False, tag=0, compound=False):
        # Compared by identity: 0.0 equals 0 and "" counts as false, but both are errors.
        if tag is _DEFAULT and zone is None and not (zero or compound):
            if order is _DEFAULT:
                pfn = self._single(self._fast)
            elif order.__class__ is _INT:
                pfn = self._block(self._fast, order)
            else:
                pfn = 0
            if pfn:
                return pfn
        return self._long(order, zone, zero, tag, compound)


@micropython.viper
def _change_locked(hot: int, frame: int, bits: int) -> int:
    """Change the flags of a frame under its lock; return 1, or 0 if the lock is taken."""
    h = ptr32(hot)
    entry = (int(h[0]) | int(h[1]) << 32) + (frame << _ENTRY_SHIFT)
    irq = int(try_acquire(entry + _LOCK_OFFSET, int(context())))
    if irq < 0:
        return 0
    field = ptr16(entry)
    field[0] = (int(field[0]) | bits) ^ (bits & int(h[FAST_TURNED]))
    release(entry + _LOCK_OFFSET, irq)
    return 1


@micropython.viper
def _take_frame(hot: int) -> int:
    """Take a frame from the magazine and write its head; return it, 0 if there is none."""
    h = ptr32(hot)
    m = ptr32(hot - _FAST_OFFSET + int(h[FAST_MAGAZINE]))
    count = int(m[0])
    if count == 0:
        return 0
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
    return pfn


@micropython.viper
def _take_frame_masked(hot: int) -> int:
    """Do as `_take_frame` with interrupts off, since a handler uses the same magazine."""
    irq = int(disable_irq())
    pfn = int(_take_frame(hot))
    enable_irq(irq)
    return pfn


@micropython.viper
def _take_block(hot: int, order) -> int:
    """Take a block of `order` from the highest zone and write its head; return it or 0."""
    if (order | order) is not order:
        return 0
    k = int(order)
    if k < 0 or k > _ORDER_MAX:
        return 0
    h = ptr32(hot)
    base = int(h[0]) | int(h[1]) << 32
    zone = hot - _FAST_OFFSET + (int(h[FAST_TOP]) << _ZONE_SHIFT)
    pfn = 0
    if int(h[FAST_PLAIN]):
        if int(ptr32(zone)[0]) == 0:
            pfn = int(take(zone, base, k))
    else:
        irq = int(try_acquire(zone, int(context())))
        if irq < 0:
            return 0
        pfn = int(take(zone, base, k))
        release(zone, irq)
    if pfn:
        e = ptr32(base + (pfn << _ENTRY_SHIFT))
        e[0] = int(_USED) << _KIND_SHIFT | k << _STATE_SHIFT | k << _ORDER_SHIFT
        e[_WORD_NEXT] = 0
        e[_WORD_PREV] = 0
        e[_WORD_RC] = 1 << _RC_SHIFT
        e[_WORD_LIST_LOW] = 0
        e[_WORD_LIST_HIGH] = 0
        e[_WORD_TAG] = 0
    return pfn


@micropython.viper
def _give_frame_locked(hot: int, frame: int) -> int:
    """Free an order 0 head into the magazine; return 1, or 0 if locked or full."""
    h = ptr32(hot)
    base = int(h[0]) | int(h[1]) << 32
    irq = int(disable_irq())
    done = 0
    magazine = hot - _FAST_OFFSET + int(h[FAST_MAGAZINE])
    if int(ptr32(magazine)[0]) < _MAGAZINE_FRAMES:
        if int(drop_ref(base + (frame << _ENTRY_SHIFT), int(context()), 0)) >= 0:
            done = int(push(magazine, base, frame, int(_MAGAZINE_FRAMES)))
    enable_irq(irq)
    return done


@micropython.viper
def _give_block(hot: int, frame: int) -> int:
    """Free a used head's block to its zone, or a frame into a full magazine after draining it.

    For a single processor.  Returns 1, or 0 if a lock is taken or the block is compound.
    """
    h = ptr32(hot)
    base = int(h[0]) | int(h[1]) << 32
    e = ptr32(base + (frame << _ENTRY_SHIFT))
    order = int(e[0]) >> _STATE_SHIFT & _ORDER_MASK
    if int(e[_WORD_LOCK]) or (order and (int(e[_ENTRY_WORDS]) >> _KIND_SHIFT) == _COMPOUND_TAIL):
        return 0
    number = 2
    if frame < _DMA32_END:
        number = 1 if frame >= _DMA_END else 0
    zone = hot - _FAST_OFFSET + (number << _ZONE_SHIFT)
    if int(ptr32(zone)[0]):
        return 0
    e[_WORD_RC] = 0
    if order or frame < int(h[FAST_TOP_FIRST]):
        give(zone, base, frame, order)
    else:
        magazine = hot - _FAST_OFFSET + int(h[FAST_MAGAZINE])
        drain(zone, base, magazine, int(_MAGAZINE_BATCH))
        push(magazine, base, frame, int(_MAGAZINE_FRAMES))
    return 1


@micropython.viper
def guards(hot: int) -> int:
    """Return how many guards hold a frame's lock."""
    return int(ptr32(hot)[FAST_GUARDS])


@micropython.viper
def set_top(hot: int, zone: int, first: int):
    """Make `zone`, whose first frame is `first`, the zone where allocations start."""
    h = ptr32(hot)
    h[FAST_TOP] = zone
    h[FAST_TOP_FIRST] = first


def write(page, frames):
    """Write both structs to the control page at `page`; return the address of the first."""
    for offset, turned in ((_FAST_OFFSET, 0), (_FAST_CLEAR_OFFSET, FLAGS_MASK)):
        state = uctypes.struct(page + offset, FAST)
        state.base = frames.base
        state.first = frames.first
        state.last = frames.count - 1
        state.top = 0
        state.top_first = 0
        state.plain = PLAIN
        state.turned = turned
        state.magazine = _MAGAZINES_OFFSET
        state.guards = 0
        state.owner = context()
    return page + _FAST_OFFSET


def install(manager, hot, base):
    """Store the fast paths on `manager`; `hot` is the address that `write` returned.

    In debug mode `alloc` and `free` get none, since poison has to be written and verified.  A
    call that differs from that of the class `base` gets none either, so that an override is
    what gets called.  Raises MemoryError with nothing installed.
    """
    clear = hot - _FAST_OFFSET + _FAST_CLEAR_OFFSET
    others = (manager.get, PageFrame.LAYOUT, unlock, int)
    ways = {
        "set_flags": _flags_changer(hot, manager.set_flags, _change_locked),
        "clear_flags": _flags_changer(clear, manager.clear_flags, _change_locked),
        "check_flags": _flags_checker(hot, manager.check_flags),
        "get": _getter(hot, others, uctypes.struct, FrameGuard),
    }
    if not manager.debug:
        single = _take_frame if PLAIN else _take_frame_masked
        ways["alloc"] = _Alloc(hot, manager.alloc, single, _take_block).alloc
        ways["free"] = _freer(hot, manager.free, _give_block if PLAIN else _give_frame_locked, int)
    own = manager.__dict__
    names = [
        name
        for name in ways
        if name not in own and getattr(type(manager), name) is getattr(base, name)
    ]
    done = 0
    try:
        for name in names:
            setattr(manager, name, ways[name])
            done += 1
    except MemoryError as error:
        while done:
            done -= 1
            delattr(manager, names[done])
        raise error
