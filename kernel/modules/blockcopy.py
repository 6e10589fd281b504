# SPDX-License-Identifier: MIT OR Apache-2.0
"""Copies between the buffers of block devices and frames, without the heap."""

import micropython
from micropython import const

# Bytes copied per step.
_STEP = const(32)


@micropython.viper
def copy(to: ptr32, words: ptr32, size: int):
    """Copy `size` bytes; source and target do not overlap.

    Cost: a few instructions per word, and no heap.
    """
    # Viper keeps only the arguments in registers.
    while size >= _STEP:
        to[0] = words[0]
        to[1] = words[1]
        to[2] = words[2]
        to[3] = words[3]
        to[4] = words[4]
        to[5] = words[5]
        to[6] = words[6]
        to[7] = words[7]
        to = ptr32(int(to) + _STEP)
        words = ptr32(int(words) + _STEP)
        size -= _STEP
    while size > 0:
        size -= 1
        ptr8(to)[size] = ptr8(words)[size]


@micropython.viper
def copy_out(buf: ptr8, at: int, virt: int, size: int):
    """Copy `size` bytes from the address `virt` to `buf`, from the byte `at` on."""
    copy(int(buf) + at, virt, size)


@micropython.viper
def copy_in(virt: int, buf: ptr8, at: int, size: int):
    """Copy `size` bytes of `buf`, from the byte `at` on, to the address `virt`."""
    copy(virt, int(buf) + at, size)
