"""Fast fills of memory at an address, without a loop over bytes in bytecode."""

import struct

import framebuf
import micropython
import uctypes
from micropython import const

# FrameBuffer takes sides of 16 bits, and fills a row by a call of memset.
_ROW_MAX = const(65535)


def zero(virt, size):
    """Clear `size` bytes at `virt` by one call of C's memset.

    A row of `FrameBuffer` is quickest to name one by.  Where the size is beyond
    one, `struct` fills up a string that it is given none of; one call for all is
    what lets memset go past the caches.
    """
    block = uctypes.bytearray_at(virt, size)
    if size <= _ROW_MAX:
        if size:
            framebuf.FrameBuffer(block, size, 1, framebuf.GS8).fill(0)
    else:
        struct.pack_into("{}s".format(size), block, 0, b"")


@micropython.viper
def entries(virt: int, count: int, word: int, shared: int):
    """Store `count` entries from `virt` on, of first word `word`, fourth word `shared`, and else zeroes."""
    target = ptr32(virt)
    i = 0
    end = count << 3
    while i < end:
        target[i] = word
        target[i + 1] = 0
        target[i + 2] = 0
        target[i + 3] = shared
        target[i + 4] = 0
        target[i + 5] = 0
        target[i + 6] = 0
        target[i + 7] = 0
        i += 8


@micropython.viper
def words(virt: int, count: int, value: int):
    """Store the 32-bit `value` `count` times (a multiple of 4) from `virt` on."""
    target = ptr32(virt)
    i = 0
    while i < count:
        target[i] = value
        target[i + 1] = value
        target[i + 2] = value
        target[i + 3] = value
        i += 4
