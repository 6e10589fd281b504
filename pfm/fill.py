"""Fast fills of memory at an address, without a bytecode loop."""

import struct

import framebuf
import micropython
import uctypes
from micropython import const

# frame/entry.py
_ENTRY_SHIFT = const(5)
_ENTRY_SIZE = const(32)

# A FrameBuffer's width has 16 bits; it fills each row by one call of memset.
_ROW_MAX = const(65535)

# Up to this many entries, storing one by one is as fast as copying.
_STORED_MAX = const(128)


def zero(virt, size):
    """Clear `size` bytes at `virt` by one call of C's memset.

    Up to 65,535 bytes, a `FrameBuffer` of one row is the cheapest way to call memset.  Beyond
    that, `pack_into('%ds', b'')` pads with zeros by one memset; a single call for the whole
    range lets memset bypass the caches.
    """
    block = uctypes.bytearray_at(virt, size)
    if size <= _ROW_MAX:
        if size:
            framebuf.FrameBuffer(block, size, 1, framebuf.GS8).fill(0)
    else:
        struct.pack_into("%ds" % size, block, 0, b"")


def entries(virt, count, word, shared):
    """Store `count` entries from `virt` on: `word` first, `shared` as fourth word, else zeros.

    Stores the first few and doubles them by C's memcpy.  Cost: that of memcpy.
    """
    if count <= _STORED_MAX:
        store_entries(virt, count, word, shared)
        return
    store_entries(virt, _STORED_MAX, word, shared)
    size = count << _ENTRY_SHIFT
    done = _STORED_MAX << _ENTRY_SHIFT
    block = uctypes.bytearray_at(virt, size)
    view = memoryview(block)
    while done < size:
        more = min(done, size - done)
        block[done : done + more] = view[:more]
        done += more


@micropython.viper
def store_entries(virt: int, count: int, word: int, shared: int):
    """Store entries as `entries` does, one by one and without the Python heap."""
    end = virt + (count << _ENTRY_SHIFT)
    while virt < end:
        entry = ptr32(virt)
        entry[0] = word
        entry[1] = 0
        entry[2] = 0
        entry[3] = shared
        entry[4] = 0
        entry[5] = 0
        entry[6] = 0
        entry[7] = 0
        virt += _ENTRY_SIZE


@micropython.viper
def words(virt: int, count: int, value: int):
    """Store the 32-bit `value` `count` times from `virt` on; `count` is a multiple of 4."""
    target = ptr32(virt)
    i = 0
    while i < count:
        target[i] = value
        target[i + 1] = value
        target[i + 2] = value
        target[i + 3] = value
        i += 4
