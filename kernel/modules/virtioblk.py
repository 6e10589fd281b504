# SPDX-License-Identifier: MIT OR Apache-2.0
"""Virtio block devices on PCI: one request at a time, its completion polled.

    disk = virtioblk.open()
    disk.readblocks(0, buf)

Source: Virtual I/O Device (VIRTIO) 1.2: 5.2 block device; `virtio` has what all devices share.
"""

import errno
import time

import machine
import micropython
import uctypes
import virtio
from blockcopy import copy_in, copy_out
from micropython import const
from virtio import (
    DESC_SHIFT,
    DEVICE_WRITES,
    NEXT,
    describe,
    descriptor_phys,
    descriptor_size,
    offer,
)

from pfm import PFM
from pfm.address import PAGE_SHIFT, PAGE_SIZE, signed

# 4.1.2 and 5.2.1: a block device without the interface before 1.0, or with it.
_MODERN = const(0x1042)
_TRANSITIONAL = const(0x1001)

# 5.2.3: features, as bits.
_F_SEG_MAX = const(1 << 2)
_F_RO = const(1 << 5)
_F_BLK_SIZE = const(1 << 6)
_F_FLUSH = const(1 << 9)
_WANTED = _F_SEG_MAX | _F_RO | _F_BLK_SIZE | _F_FLUSH

# 5.2.4: offsets in the device configuration.
_CAPACITY = const(0)
_SEG_MAX = const(12)
_BLK_SIZE = const(20)

# 5.2.6: a request begins with its type, 4 bytes reserved, and its sector.
READ = const(0)
WRITE = const(1)
FLUSH = const(4)
_HEADER_SIZE = const(16)
_S_OK = const(0)

# The queue's frame: descriptors, available ring, used ring, two requests' headers and statuses.
_QUEUE_MAX = const(128)
_AVAIL = const(2048)
_USED = const(2560)
_HEADER = const(3840)
_STATUS = const(3856)

SECTOR_SHIFT = const(9)
SECTOR_SIZE = const(512)

# Frames that `readblocks` and `writeblocks` transfer by: the Python heap is not contiguous.
_BOUNCE_FRAMES = const(16)
_BOUNCE_SIZE = const(65536)

# Looks at the used ring between two looks at the clock and at the device status.
_SPIN = const(2000)
TIMEOUT_MS = const(30000)

# Requests of `ioctl`: class vfs.AbstractBlockDev of MicroPython's documentation.
_IOCTL_INIT = const(1)
_IOCTL_DEINIT = const(2)
_IOCTL_SYNC = const(3)
_IOCTL_BLOCK_COUNT = const(4)
_IOCTL_BLOCK_SIZE = const(5)
_IOCTL_BLOCK_ERASE = const(6)

_EIO = -errno.EIO
_EINVAL = -errno.EINVAL
_ENODEV = -errno.ENODEV
_ETIMEDOUT = -errno.ETIMEDOUT
# Linux's numbers; MicroPython's errno leaves them out.
_EROFS = -30
_EBUSY = const(16)

# The names of the functions that are in use.
_users = set()

_DOES = {READ: "read", WRITE: "written", FLUSH: "flushed"}


@micropython.viper
def _begin(page: int, kind: int, sector: int):
    """Write the header of a request (5.2.6), and a status that no device gives."""
    header = ptr32(page + _HEADER)
    header[0] = kind
    header[1] = 0
    header[2] = sector
    header[3] = sector >> 32
    ptr8(page + _STATUS)[0] = 0xFF


@micropython.viper
def _spin(page: int, tries: int) -> int:
    """Look at most `tries` times whether the device has used what was offered."""
    avail = ptr16(page + _AVAIL)
    used = ptr16(page + _USED)
    while tries > 0:
        if int(used[1]) == int(avail[1]):
            return 1
        tries -= 1
    return 0


@micropython.viper
def _read8(virt: int) -> int:
    return int(ptr8(virt)[0])


class VirtioBlk:
    """The block device at the PCI function `function`; a block is a sector of 512 bytes.

    It has the simple interface of `vfs.AbstractBlockDev`, which goes past every cache, and a
    lower one for a cache whose pages are frames: `add` frames, then `submit`.  Reading and
    writing return 0 or a negative errno: -EIO for an error of the device or sectors that it
    does not have, -ETIMEDOUT for no answer within `timeout_ms` (the device is reset and used
    no more), -ENODEV after that or for a device that was removed, -EROFS.  `failed` is then
    the sector, `failure` what error() raises; one line says so.  None of these uses the heap.

    `sectors` is the size, `block_size` what the device prefers to be written at a time,
    `read_only` whether it refuses writes, `segments` how many frames a request takes.  Raises
    OSError(ENODEV) for a device that it cannot drive, OSError(EBUSY) for one that another
    VirtioBlk has and has not closed, OutOfFramesError, and the errors of pci.
    Cost: frames for the queue and 64 KiB.
    """

    def __init__(self, function, tag=0):
        self.function = function
        self.name = function.name
        self.timeout_ms = TIMEOUT_MS
        self.removed = False
        self.closed = False
        self.failed = -1
        self._failure = 0
        self._kind = READ
        self._sector = 0
        self._count = 0
        self._frames = 0
        if self.name in _users:
            raise OSError(_EBUSY, "virtio block device {}: in use".format(self.name))
        self._transport = virtio.Transport(function, "virtio block device")
        _users.add(self.name)
        try:
            self._negotiate()
            self._make_queue(tag)
            self._transport.begin()
        except BaseException as error:
            self._transport.give_up()
            self.close()
            raise error

    def _negotiate(self):
        """Agree on features and read what they tell (5.2.5)."""
        features = self._transport.negotiate(_WANTED)
        config = self._transport.config
        self.sectors = machine.mem32[config + _CAPACITY]
        self.sectors |= machine.mem32[config + _CAPACITY + 4] << 32
        self.read_only = bool(features & _F_RO)
        self.block_size = SECTOR_SIZE
        if features & _F_BLK_SIZE:
            self.block_size = machine.mem32[config + _BLK_SIZE]
        self.segments = 1
        if features & _F_SEG_MAX:
            self.segments = max(1, machine.mem32[config + _SEG_MAX])
        self._flushes = bool(features & _F_FLUSH)

    def _make_queue(self, tag):
        """Set up virtqueue 0, as large as its frame takes."""
        size = min(self._transport.queue_size(0), _QUEUE_MAX)
        # A header, a segment and a status, and as much for looking for a bad sector.
        if size < 8:
            self._transport.refuse("a queue of {}".format(size))
        self._mask = size - 1
        self._probe = size - 3
        self.segments = min(self.segments, self._probe - 2)
        self._frames = PFM.alloc_contiguous(1 + _BOUNCE_FRAMES, tag=tag)
        self._phys = self._frames << PAGE_SHIFT
        self._page = signed(PFM.as_virt(self._phys))
        self._bounce_phys = self._phys + PAGE_SIZE
        self._bounce = self._page + PAGE_SIZE
        uctypes.bytearray_at(self._page, PAGE_SIZE)[:] = bytes(PAGE_SIZE)
        machine.mem16[self._page + _AVAIL] = virtio.NO_INTERRUPT
        self._notify_virt = self._transport.enable_queue(
            0, size, self._phys, self._phys + _AVAIL, self._phys + _USED
        )

    @property
    def failure(self):
        """The last error as text, with its sector; None if there was none."""
        if not self._failure:
            return None
        return "{}: sector {} cannot be {} {}".format(
            self.name, self.failed, _DOES[self._kind], self._why()
        )

    @micropython.native
    def _why(self):
        if self._failure == _ETIMEDOUT:
            return "(no answer)"
        return "(the device is gone)" if self._failure == _ENODEV else "(an error of the device)"

    def error(self, code):
        """Return the OSError for a negative `code` that a method returned, with the sector."""
        if code == self._failure:
            return OSError(-code, self.failure)
        return OSError(-code, self.name)

    @micropython.native
    def begin(self):
        """Begin a request of which `add` tells the frames."""
        self._count = 0

    @micropython.native
    def add(self, phys, size):
        """Add `size` bytes at `phys` to the request: at most `segments` times."""
        self._count += 1
        describe(self._page + (self._count << DESC_SHIFT), phys, size, 0, 0)

    @micropython.native
    def submit(self, kind, sector):
        """Do the request from `sector` on and wait for its end; return 0 or a negative errno.

        `kind` is READ, WRITE or FLUSH.
        """
        count = self._count
        flags = NEXT | DEVICE_WRITES if kind == READ else NEXT
        page = self._page
        at = 1
        while at <= count:
            descriptor = page + (at << DESC_SHIFT)
            phys = descriptor_phys(descriptor)
            describe(descriptor, phys, descriptor_size(descriptor), flags, at + 1)
            at += 1
        code = self._perform(kind, sector, 0, at)
        if code:
            self._kind = kind
            self.failed = sector
            self._failure = code
            if code == _EIO and kind != FLUSH:
                self.failed = self._first_bad(kind, sector, count)
            # A filesystem raises OSError with no more than the number of the error.
            print("disk: sector", self.failed, "cannot be", _DOES[kind], self._why())
        return code

    @micropython.native
    def _perform(self, kind, sector, head, last):
        """Offer the chain from `head` to `last`, of which these two are written here, and wait."""
        if self.removed:
            return _ENODEV
        page = self._page
        after = 1 if head == 0 else head + 1
        describe(page + (head << DESC_SHIFT), self._phys + _HEADER, _HEADER_SIZE, NEXT, after)
        describe(page + (last << DESC_SHIFT), self._phys + _STATUS, 1, DEVICE_WRITES, 0)
        _begin(page, kind, sector)
        offer(page + _AVAIL, self._mask, head, self._notify_virt, 0)
        if not _spin(page, _SPIN):
            code = self._wait()
            if code:
                return code
        return 0 if _read8(page + _STATUS) == _S_OK else _EIO

    @micropython.native
    def _wait(self):
        start = time.ticks_ms()
        while not _spin(self._page, _SPIN):
            if not self._transport.answers():
                self.removed = True
                return _ENODEV
            if time.ticks_diff(time.ticks_ms(), start) >= self.timeout_ms:
                # Or it would write to frames that are somebody else's by then.
                self._transport.reset()
                self.removed = True
                return _ETIMEDOUT
        return 0

    @micropython.native
    def _first_bad(self, kind, sector, count):
        """Repeat a request that failed sector by sector; return the first that fails alone."""
        probe = self._probe
        flags = NEXT | DEVICE_WRITES if kind == READ else NEXT
        first = sector
        at = 1
        while at <= count:
            descriptor = self._page + (at << DESC_SHIFT)
            phys = descriptor_phys(descriptor)
            end = phys + descriptor_size(descriptor)
            while phys < end:
                describe(
                    self._page + (probe + 1 << DESC_SHIFT), phys, SECTOR_SIZE, flags, probe + 2
                )
                if self._perform(kind, sector, probe, probe + 2):
                    return sector
                phys += SECTOR_SIZE
                sector += 1
            at += 1
        return first

    @micropython.native
    def flush(self):
        """Have the device keep what was written, over loss of power too; return 0 or -errno."""
        if self.read_only or not self._flushes:
            return _ENODEV if self.removed else 0
        self._count = 0
        return self.submit(FLUSH, 0)

    @micropython.native
    def _outside(self, block, length):
        if length & (SECTOR_SIZE - 1):
            return _EINVAL
        if block < 0 or block + (length >> SECTOR_SHIFT) > self.sectors:
            return _EIO
        return 0

    @micropython.native
    def readblocks(self, block, buf):
        """Fill `buf`, of whole sectors, from the sector `block` on."""
        length = len(buf)
        code = self._outside(block, length)
        if code or not length:
            return code
        # Raises TypeError for a read-only buffer.
        buf[0] = buf[0]
        at = 0
        while at < length:
            size = min(length - at, _BOUNCE_SIZE)
            self._count = 0
            self.add(self._bounce_phys, size)
            code = self.submit(READ, block + (at >> SECTOR_SHIFT))
            if code:
                return code
            copy_out(buf, at, self._bounce, size)
            at += size
        return 0

    @micropython.native
    def writeblocks(self, block, buf):
        """Write `buf`, of whole sectors, from the sector `block` on."""
        length = len(buf)
        code = self._outside(block, length)
        if code:
            return code
        if self.read_only:
            return _EROFS
        at = 0
        while at < length:
            size = min(length - at, _BOUNCE_SIZE)
            copy_in(self._bounce, buf, at, size)
            self._count = 0
            self.add(self._bounce_phys, size)
            code = self.submit(WRITE, block + (at >> SECTOR_SHIFT))
            if code:
                return code
            at += size
        return 0

    @micropython.native
    def ioctl(self, request, argument):
        """Return the number or size of blocks, or 0; a request to sync flushes.  None if unknown."""
        if request == _IOCTL_BLOCK_COUNT:
            return self.sectors
        if request == _IOCTL_BLOCK_SIZE:
            return SECTOR_SIZE
        if request in (_IOCTL_SYNC, _IOCTL_DEINIT):
            return self.flush()
        if request in (_IOCTL_INIT, _IOCTL_BLOCK_ERASE):
            return 0
        return None

    def close(self):
        """Reset the device and give its frames back.  A second call does nothing."""
        if self.closed:
            return
        self.closed = True
        _users.discard(self.name)
        if not self.removed:
            self._transport.reset()
            self.removed = True
        self.function.disable()
        if self._frames:
            PFM.free(self._frames)
            self._frames = 0

    def __repr__(self):
        return "VirtioBlk({}: {} sectors{}{})".format(
            self.name,
            self.sectors,
            ", read-only" if self.read_only else "",
            ", gone" if self.removed else "",
        )


def functions():
    """Return the PCI functions of virtio block devices, in the order of their addresses."""
    return virtio.functions(_MODERN, _TRANSITIONAL)


def open(number=0, tag=0):
    """Return the first virtio block device, or a later one, as `VirtioBlk`.

    Raises OSError(ENODEV) if there is no such one, and the errors of `VirtioBlk`.
    """
    found = functions()
    if number >= len(found):
        raise OSError(errno.ENODEV, "no virtio block device {}".format(number))
    return VirtioBlk(found[number], tag)
