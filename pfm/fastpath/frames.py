"""The fast paths of `alloc` and `free`.

A single frame comes from the processor's magazine and goes back to it, other blocks from the
free lists of their zone.  __init__.py says which cases they take, and how they are written.
"""

import micropython
from micropython import const

from ..alloc.buddy import give, take
from ..alloc.magazine import drain, push
from ..lock import (
    PLAIN,
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
_MAGAZINE_SHIFT = const(9)

# frame/flags.py
_SMALL = const(1 << 4)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_ENTRY_WORDS = const(8)
_USED = const(2)
_CACHED = const(4)
_COMPOUND_TAIL = const(5)
_ORDER_MASK = const(31)
_ORDER_SHIFT = const(16)
_STATE_SHIFT = const(24)
_STATE_KIND_SHIFT = const(5)
_KIND_SHIFT = const(29)
_WORD_NEXT = const(1)
_WORD_PREV = const(2)
_WORD_RC = const(3)
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

# processor.py
_CPU_FIRST = const(2)
_CPU_LAST = const(3)
_CPU_TOP = const(4)
_CPU_PLAIN = const(5)
_CPU_MAGAZINE = const(7)
_CPU_TOP_FIRST = const(8)

# Default of `order` and `tag`.
_DEFAULT = const(0)

# Found in this module's globals, where a builtin would be looked for in vain first.
_INT = int


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
    """Return the fast paths by the names of their calls; `cpu` is the address of the struct."""
    single = _frame_taker(cpu, disable_irq, enable_irq)
    other = _give_block if PLAIN else _giver(lock_masked, unlock_masked, _give_block)
    return {
        "alloc": _Alloc(cpu, manager.alloc, single, _take_block).alloc,
        "free": _freer(cpu, manager.free, other, int),
    }
