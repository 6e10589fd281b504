# SPDX-License-Identifier: MIT OR Apache-2.0
"""The RAM disk: a block device whose blocks are frames, with a FAT filesystem mounted at `/`.

Its frames, and so its files, survive a soft reset.
"""

import errno

import kernel
import micropython
import owners
import shares
import uctypes
import vfs
from blockcopy import copy
from micropython import const

from pfm import OutOfFramesError
from pfm.address import PAGE_SHIFT, PAGE_SIZE

# By default the disk takes this share of RAM, within these bounds.
_SHARE_SHIFT = const(6)
_SIZE_MIN = const(1 << 20)
_SIZE_MAX = const(64 << 20)
# Frames that a requested size leaves free: 6 MiB.
_RESERVE = const(1536)

# The disk's place is kept in `kernel.state`, after the frame manager's part.
STATE_OFFSET = const(64)
STATE = {"magic": 0 | uctypes.UINT32, "blocks": 4 | uctypes.UINT32, "virt": 8 | uctypes.UINT64}
# "disk", and a version of the layout.
MAGIC = const(0x64736B01)

# Requests of `ioctl`: class vfs.AbstractBlockDev of MicroPython's documentation.
_IOCTL_INIT = const(1)
_IOCTL_DEINIT = const(2)
_IOCTL_SYNC = const(3)
_IOCTL_BLOCK_COUNT = const(4)
_IOCTL_BLOCK_SIZE = const(5)
_IOCTL_BLOCK_ERASE = const(6)

# Returned by the block methods for a place that is not on the disk.
_OUTSIDE = -errno.EIO

_HIGHER_HALF = const(1 << 63)
_ADDRESS_END = const(1 << 64)


class RamDisk:
    """A block device over `count` contiguous frames, mapped at `virt`; a block is a frame.

    It has the simple and the extended interface of `vfs.AbstractBlockDev`.  Reading and
    writing return 0, or -EIO outside the disk, which a filesystem raises as OSError(EIO).
    They use neither heap nor bytecode: the collector closes unclosed files while the heap is
    locked, and a KeyboardInterrupt must not leave a write half done.
    """

    def __init__(self, virt, count):
        self.count = count
        self.size = count << PAGE_SHIFT
        # Signed, so that no sum with it uses the heap.
        self._start = virt - _ADDRESS_END if virt >= _HIGHER_HALF else virt

    @micropython.native
    def _offset(self, block, offset, length):
        """Return the disk offset at which these bytes begin, -1 if not all of them are on it."""
        if 0 <= block < self.count and 0 <= offset <= self.size:
            start = (block << PAGE_SHIFT) + offset
            if start + length <= self.size:
                return start
        return -1

    @micropython.native
    def readblocks(self, block, buf, offset=0):
        """Fill `buf` from the disk, starting `offset` bytes into `block`."""
        length = len(buf)
        start = self._offset(block, offset, length)
        if start < 0:
            return _OUTSIDE
        if length:
            # Raises TypeError for a read-only buffer, which a copy to its address would
            # overwrite.
            buf[0] = buf[0]
            copy(buf, self._start + start, length)
        return 0

    @micropython.native
    def writeblocks(self, block, buf, offset=0):
        """Write `buf` to the disk, starting `offset` bytes into `block`."""
        length = len(buf)
        start = self._offset(block, offset, length)
        if start < 0:
            return _OUTSIDE
        copy(self._start + start, buf, length)
        return 0

    @micropython.native
    def ioctl(self, request, argument):
        """Return the number or size of blocks, 0 for what needs no work, None if unknown."""
        if request == _IOCTL_BLOCK_COUNT:
            return self.count
        if request == _IOCTL_BLOCK_SIZE:
            return PAGE_SIZE
        if request in (_IOCTL_INIT, _IOCTL_DEINIT, _IOCTL_SYNC, _IOCTL_BLOCK_ERASE):
            return 0
        return None


def _state():
    return uctypes.struct(uctypes.addressof(kernel.state) + STATE_OFFSET, STATE)


def _count(manager, size):
    """Return the number of blocks for the `size` on the command line, None for the default."""
    if size is None:
        share = min(manager.count_present() << PAGE_SHIFT >> _SHARE_SHIFT, _SIZE_MAX)
        return min(shares.frames(max(share, _SIZE_MIN)), sum(manager.count_free()))
    return shares.ordered(manager, max(size, _SIZE_MIN), _RESERVE)


def _mount(disk, fresh):
    if not fresh:
        try:
            vfs.mount(disk, "/")
            return
        except OSError:
            # A program has overwritten the disk: format it, as at power-on.
            pass
    vfs.VfsFat.mkfs(disk)
    vfs.mount(disk, "/")


def create(manager, size=None):
    """Make a disk of `size` bytes (default: a share of RAM), format, mount and return it.

    It is mounted at `/`.  `size` 0 means no disk; any other is at least 1 MiB.  The disk is
    smaller than requested if others need the free frames (shares.py) or these are not
    contiguous.  Returns None if it would be less than 1 MiB.  Cost: the filesystem's writes
    when it is made, about a thousandth of the disk.
    """
    if size == 0:
        return None
    count = _count(manager, size)
    pfn = 0
    while not pfn and count << PAGE_SHIFT >= _SIZE_MIN:
        try:
            pfn = manager.alloc_contiguous(count, tag=owners.DISK)
        except OutOfFramesError:
            count >>= 1
    if not pfn:
        return None
    state = _state()
    state.virt = manager.as_virt(pfn << PAGE_SHIFT)
    state.blocks = count
    state.magic = MAGIC
    disk = RamDisk(state.virt, count)
    _mount(disk, True)
    return disk


def restore():
    """Mount the disk that survived a soft reset and return it; None if there is none."""
    state = _state()
    if state.magic != MAGIC:
        return None
    disk = RamDisk(state.virt, state.blocks)
    _mount(disk, False)
    return disk
