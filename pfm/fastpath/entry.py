"""The fast paths of the calls on a frame's entry: `set_flags`, `clear_flags`, `check_flags`, `get`.

__init__.py says which cases they take, and how they are written.
"""

import micropython
import uctypes
from micropython import const

from ..frame.entry import PageFrame
from ..frame.guard import FrameGuard, unlock
from ..lock import change16

# control.py
_CPU_OFFSET = const(832)
_CPU_CLEAR_OFFSET = const(896)
_MAGAZINES_OFFSET = const(1024)

# frame/flags.py
_FLAGS_BITS = const(16)

# frame/entry.py
_ENTRY_SHIFT = const(5)
_ABSENT = const(7)
_KIND_SHIFT = const(29)
_WORD_RC = const(3)
_SHARED_BIT = const(1 << 8)
_WORD_LOCK = const(6)
_LOCK_OFFSET = const(24)

# processor.py
_CPU_FIRST = const(2)
_CPU_LAST = const(3)
_CPU_PLAIN = const(5)
_CPU_TURNED = const(6)
_OWN_GUARDS = const(72)

# lock.py
_CONTEXT = const(1)


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


def ways(manager, cpu):
    """Return the fast paths by the names of their calls; `cpu` is the address of the struct."""
    clear = cpu - _CPU_OFFSET + _CPU_CLEAR_OFFSET
    others = (manager.get, PageFrame.LAYOUT, unlock, int)
    return {
        "set_flags": _flags_changer(cpu, manager.set_flags, change16),
        "clear_flags": _flags_changer(clear, manager.clear_flags, change16),
        "check_flags": _flags_checker(cpu, manager.check_flags),
        "get": _getter(cpu, others, uctypes.struct, FrameGuard),
    }
