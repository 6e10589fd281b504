"""Fast fills of memory at an address, without a loop over bytes in bytecode."""

import framebuf
import micropython
import uctypes
from micropython import const

# FrameBuffer takes sides of 16 bits: rows of 32 KiB, 1 GiB of them at a time.
_ROW = const(1 << 15)
_ROWS = const(1 << 15)


def zero(virt, size):
    """Clear `size` bytes at `virt`, at the speed of C's memset, which `FrameBuffer.fill` ends in."""
    while size >= _ROW:
        rows = min(size // _ROW, _ROWS)
        block = uctypes.bytearray_at(virt, rows * _ROW)
        framebuf.FrameBuffer(block, _ROW, rows, framebuf.GS8).fill(0)
        virt += rows * _ROW
        size -= rows * _ROW
    if size:
        block = uctypes.bytearray_at(virt, size)
        framebuf.FrameBuffer(block, size, 1, framebuf.GS8).fill(0)


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
