# SPDX-License-Identifier: MIT OR Apache-2.0
"""The block cache: pages of a block device in frames, written back later.

    cache = blockcache.BlockCache(virtioblk.open())
    vfs.mount(cache, "/disk")

A page is UPTODATE when its frame has what the device has or newer, DIRTY when newer, WRITEBACK
while it is written, LRU while it is on the list of which the page used longest ago goes first.

Pages are written back in the order in which they were last used.  So what a filesystem wrote
before it committed is on the device before the commit is, wherever the machine stops.
"""

import errno
from array import array

import micropython
from blockcopy import copy_in, copy_out
from blocktable import (
    NO_PAGE,
    absent,
    adjacent,
    change,
    dirties,
    dirty_run,
    find,
    forget,
    is_dirty,
    lay_out,
    move,
    newer,
    next_dirty,
    oldest_dirty,
    page_of,
    pfn_of,
    reuse,
    shape,
    use,
)
from micropython import const
from virtioblk import READ, SECTOR_SHIFT, SECTOR_SIZE, WRITE

from pfm import PFM, PageFlags
from pfm.address import PAGE_SHIFT, PAGE_SIZE, signed
from pfm.lock import context

_DIRTY = PageFlags.DIRTY
_UPTODATE = PageFlags.UPTODATE
_WRITEBACK = PageFlags.WRITEBACK
_WRITTEN = PageFlags.UPTODATE | PageFlags.DIRTY
_ALL = PageFlags.LRU | PageFlags.UPTODATE | PageFlags.DIRTY | PageFlags.WRITEBACK

# By default the cache takes this share of the free memory, within these bounds, in frames.
_SHARE_SHIFT = const(5)
FRAMES_MIN = const(64)
_FRAMES_MAX = const(4096)

# Pages that cannot be written and are passed over for one more page.
_TRIES = const(8)
# Pages that are read ahead, at most and at first.
_AHEAD_MAX = const(32)
_AHEAD_MIN = const(4)

_SECTORS_SHIFT = const(3)

# Requests of `ioctl`: class vfs.AbstractBlockDev of MicroPython's documentation.
_IOCTL_INIT = const(1)
_IOCTL_DEINIT = const(2)
_IOCTL_SYNC = const(3)
_IOCTL_BLOCK_COUNT = const(4)
_IOCTL_BLOCK_SIZE = const(5)
_IOCTL_BLOCK_ERASE = const(6)

_EIO = -errno.EIO
_ENODEV = -errno.ENODEV
# Linux's number; MicroPython's errno leaves it out.
_EROFS = -30


class BlockCache:
    """A block device over `device`, with `frames` frames of pages of it.

    `device` has what `VirtioBlk` has: `sectors`, `segments`, `read_only`, `removed`, `begin`,
    `add`, `submit`, `flush`, `error`, `close`.  A block is `block_size` bytes, a power of two.
    It has the simple and the extended interface of `vfs.AbstractBlockDev`: 0, or the negative
    errno that the device returned or -EIO outside the device.  These methods use neither heap
    nor bytecode, since the collector closes unclosed files while the heap is locked.

    A page that cannot be written stays DIRTY, and is tried again at the next write-back.  With
    `raises` a sync by ioctl raises what `sync` raises, for FatFs, which ignores what it returns.
    `hits` and `misses` count pages that were asked for, `dirty` those to be written.  `tag` is the frames'.

    Raises OutOfFramesError, ArgumentError, ValueError for a `block_size` that it cannot have.
    Cost: the frames, and 40 bytes for each.
    """

    def __init__(self, device, frames=None, block_size=SECTOR_SIZE, raises=False, tag=0):
        if frames is None:
            share = sum(PFM.count_free()) >> _SHARE_SHIFT
            frames = max(FRAMES_MIN, min(share, _FRAMES_MAX))
        if frames < FRAMES_MIN:
            raise ValueError("a cache of {} frames, less than {}".format(frames, FRAMES_MIN))
        self.device = device
        self.size = device.sectors << SECTOR_SHIFT
        if self.size >> PAGE_SHIFT >= NO_PAGE:
            raise ValueError("a device of {} bytes".format(self.size))
        self.raises = raises
        self.frames = frames
        self.hits = 0
        self.misses = 0
        self.closed = True
        self._unflushed = False
        self._next = -1
        self._ahead = _AHEAD_MIN
        # No request may need so many pages that reading them evicts some of them.
        self._batch = min(device.segments, frames >> 2)
        self.set_block_size(block_size)
        self._allocate(tag)
        self.closed = False

    def set_block_size(self, size):
        """Let blocks have `size` bytes from now on.  Raises ValueError."""
        if size < SECTOR_SIZE or size & (size - 1):
            raise ValueError("blocks of {} bytes".format(size))
        self.block_size = size

    def _allocate(self, tag):
        mask, offset, size = shape(self.frames)
        pfns = array("I", bytes(4 * self.frames))
        count = (size + PAGE_SIZE - 1) >> PAGE_SHIFT
        self._table_pfn = PFM.alloc_contiguous(count, zero=True, tag=tag)
        try:
            PFM.alloc_many(pfns, tag=tag)
        except BaseException as error:
            PFM.free(self._table_pfn)
            raise error
        self._pfns = pfns
        self._table = signed(PFM.as_virt(self._table_pfn << PAGE_SHIFT))
        self._hhdm = signed(PFM.as_virt(0))
        self._entries = signed(PFM.array.base)
        lay_out(self._table, self.frames, mask, offset, pfns)

    @property
    def dirty(self):
        """The number of pages to be written."""
        return 0 if self.closed else dirties(self._table)

    @micropython.native
    def _change(self, page, end, on, off):
        """Set the flags `on` and clear `off` of the frames of pages.  Raises LockHeldError."""
        while True:
            page = change(self._table, self._entries, page, end, on, off, context())
            if page == end:
                return
            # Waits for the frame's lock, or says who holds it.
            PFM.set_flags(pfn_of(self._table, find(self._table, page)), 0)

    @micropython.native
    def _transfer(self, kind, page, end):
        """Read or write pages by one request; return 0 or a negative errno."""
        device = self.device
        device.begin()
        at = page
        while at < end:
            found = adjacent(self._table, at, end)
            count = found >> 32
            # The device ends with part of a page.
            size = min(count << PAGE_SHIFT, self.size - (at << PAGE_SHIFT))
            device.add((found - (count << 32)) << PAGE_SHIFT, size)
            at += count
        return device.submit(kind, page << _SECTORS_SHIFT)

    @micropython.native
    def _write(self, page, end):
        """Write the DIRTY pages from `page` to before `end` by one request."""
        done = _WRITEBACK
        try:
            self._change(page, end, _WRITEBACK, 0)
            code = self._transfer(WRITE, page, end)
            if not code:
                done = _WRITEBACK | _DIRTY
                self._unflushed = True
        finally:
            self._change(page, end, 0, done)
        return code

    @micropython.native
    def _write_from(self, slot):
        """Write a DIRTY page and those that follow it both on the device and on the list.

        Returns 0 or the errno for the page itself.
        """
        page = page_of(self._table, slot)
        end = page + dirty_run(self._table, self._entries, slot, self._batch)
        code = self._write(page, end)
        if code and end - page > 1 and not self.device.removed:
            # One bad page must not keep the others.
            code = self._write(page, page + 1)
            page += 1
            while page < end:
                self._write(page, page + 1)
                page += 1
        return code

    @micropython.native
    def _take(self, page, end):
        """Give pages that have none slots, not UPTODATE yet; return 0 or a negative errno."""
        at = page
        tries = _TRIES
        passed = False
        while True:
            taken = reuse(self._table, self._entries, at, end, context())
            if taken == end:
                # Where hardly a page can be written, a later one may have taken an earlier one's.
                return _EIO if passed and use(self._table, page, end) < end - page else 0
            if taken > at:
                at = taken
                tries = _TRIES
            slot = newer(self._table, 0)
            if is_dirty(self._table, self._entries, slot):
                code = self._write_from(slot)
                if code:
                    move(self._table, slot, True)
                    passed = True
                    tries -= 1
                    if not tries:
                        return code
            else:
                # Waits for the frame's lock, or says who holds it.
                PFM.set_flags(pfn_of(self._table, slot), 0)

    @micropython.native
    def _read(self, page, end):
        """Read pages that have no slots by one request; return 0 or a negative errno."""
        try:
            code = self._take(page, end) or self._transfer(READ, page, end)
            if not code:
                self._change(page, end, _UPTODATE, 0)
        except BaseException as error:
            forget(self._table, self._entries, page, end)
            raise error
        if code:
            forget(self._table, self._entries, page, end)
        return code

    @micropython.native
    def _load(self, page, end):
        """Read a page that has no slot, those before `end` and some after it too if they have none.

        Returns how many, or a negative errno.
        """
        self.misses += 1
        if page == self._next:
            self._ahead = min(self._ahead << 1, _AHEAD_MAX)
            end = max(end, page + self._ahead)
        else:
            self._ahead = _AHEAD_MIN
        end = min(end, page + self._batch, (self.size + PAGE_SIZE - 1) >> PAGE_SHIFT)
        count = absent(self._table, page, end)
        code = self._read(page, page + count)
        if code and count > 1 and not self.device.removed:
            count = 1
            code = self._read(page, page + 1)
        if code:
            return code
        self._next = page + count
        return count

    @micropython.native
    def _start(self, block, offset, length):
        """Return where these bytes begin on the device, -1 if not all of them are on it."""
        size = self.size
        if 0 <= block <= size and 0 <= offset <= size and not self.closed:
            start = block * self.block_size + offset
            if start + length <= size:
                return start
        return -1

    # Filesystems access a part of one page most often, which these two make quick.

    @micropython.native
    def _there(self, start, length):
        """Return the slot of the one page that has these bytes, now the newest, else 0."""
        slot = 0
        if (start & (PAGE_SIZE - 1)) + length <= PAGE_SIZE:
            slot = find(self._table, start >> PAGE_SHIFT)
            if slot:
                move(self._table, slot, True)
        return slot

    @micropython.native
    def _virt(self, slot, start):
        """Return where in a slot's frame the byte `start` of the device is."""
        frame = self._hhdm + (pfn_of(self._table, slot) << PAGE_SHIFT)
        return frame + (start & (PAGE_SIZE - 1))

    @micropython.native
    def readblocks(self, block, buf, offset=0):
        """Fill `buf` from the device, starting `offset` bytes into `block`."""
        length = len(buf)
        start = self._start(block, offset, length)
        if start < 0 or not length:
            return _EIO if start < 0 else 0
        # Raises TypeError for a read-only buffer, which a copy would overwrite.
        buf[0] = buf[0]
        page = start >> PAGE_SHIFT
        slot = self._there(start, length)
        if slot:
            self.hits += 1
            copy_out(buf, 0, self._virt(slot, start), length)
            return 0
        end = (start + length + PAGE_SIZE - 1) >> PAGE_SHIFT
        while page < end:
            count = use(self._table, page, end)
            self.hits += count
            if not count:
                count = self._load(page, end)
                if count < 0:
                    return count
                count = min(count, end - page)
                self.hits += count - 1
            self._copy(page, page + count, start, buf, False)
            page += count
        return 0

    @micropython.native
    def _copy(self, page, end, start, buf, writes):
        """Copy between pages that have slots and `buf`, whose bytes begin at `start`."""
        length = len(buf)
        while page < end:
            found = adjacent(self._table, page, end)
            count = found >> 32
            # Of the first page and of the last the buffer may have a part.
            first = max(page << PAGE_SHIFT, start)
            size = min(page + count << PAGE_SHIFT, start + length) - first
            virt = self._hhdm + ((found - (count << 32)) << PAGE_SHIFT) + (first & (PAGE_SIZE - 1))
            if writes:
                copy_in(virt, buf, first - start, size)
            else:
                copy_out(buf, first - start, virt, size)
            page += count

    @micropython.native
    def writeblocks(self, block, buf, offset=0):
        """Write `buf` to the cache, starting `offset` bytes into `block`."""
        length = len(buf)
        start = self._start(block, offset, length)
        if start < 0:
            return _EIO
        if self.device.read_only:
            return _EROFS
        if self.device.removed:
            return _ENODEV
        if not length:
            return 0
        slot = self._there(start, length)
        if slot and is_dirty(self._table, self._entries, slot):
            self.hits += 1
            copy_in(self._virt(slot, start), buf, 0, length)
            return 0
        stop = start + length
        # The pages written whole; of the device's last one there may be a part.
        whole = (start + PAGE_SIZE - 1) >> PAGE_SHIFT
        whole_end = (stop if stop < self.size else stop + PAGE_SIZE - 1) >> PAGE_SHIFT
        page = start >> PAGE_SHIFT
        end = (stop + PAGE_SIZE - 1) >> PAGE_SHIFT
        while page < end:
            count = self._for_writing(page, whole_end, whole <= page < whole_end)
            if count < 0:
                return count
            self._copy(page, page + count, start, buf, True)
            page += count
        return 0

    @micropython.native
    def _for_writing(self, page, end, whole):
        """Make a page DIRTY, and those before `end` if they are written whole.

        Returns how many, or a negative errno.
        """
        if not whole:
            end = page + 1
        limit = min(end, page + self._batch)
        try:
            count = use(self._table, page, end)
            self.hits += count
            if not count and whole:
                count = absent(self._table, page, limit)
                count = self._take(page, page + count) or count
            elif not count:
                count = min(1, self._load(page, end))
            if count > 0:
                self._change(page, page + count, _WRITTEN, 0)
        except BaseException as error:
            forget(self._table, self._entries, page, limit)
            raise error
        if count < 0:
            forget(self._table, self._entries, page, limit)
        return count

    @micropython.native
    def write_back(self):
        """Write every DIRTY page, and have the device keep them; return 0 or the first errno.

        Cost: a request for each run of such pages, and a step per page used since the first of them.
        """
        if self.closed:
            return 0
        code = 0
        slot = oldest_dirty(self._table, self._entries)
        while slot:
            one = self._write_from(slot)
            code = code or one
            slot = next_dirty(self._table, self._entries, slot)
        if self._unflushed:
            one = self.device.flush()
            if not one:
                self._unflushed = False
            code = code or one
        return code

    def sync(self):
        """Write back as `write_back`.  Raises OSError with the sector of the last failure."""
        code = self.write_back()
        if code:
            raise self.device.error(code)

    @micropython.native
    def ioctl(self, request, argument):
        """Return the number or size of blocks, or 0; a request to sync writes back.

        None for an unknown request.
        """
        if request == _IOCTL_BLOCK_COUNT:
            return self.size // self.block_size
        if request == _IOCTL_BLOCK_SIZE:
            return self.block_size
        if request in (_IOCTL_SYNC, _IOCTL_DEINIT):
            code = self.write_back()
            if code and self.raises:
                raise self.device.error(code)
            return code
        if request in (_IOCTL_INIT, _IOCTL_BLOCK_ERASE):
            return 0
        return None

    def close(self, discard=False):
        """Write back, give the frames back, close the device.  A second call does nothing.

        If a page cannot be written, raises OSError, and the cache stays as it was; with
        `discard` nothing is written.
        """
        if self.closed:
            return
        if not discard:
            self.sync()
        self.closed = True
        PFM.clear_flags_many(self._pfns, _ALL)
        PFM.free_many(self._pfns)
        PFM.free(self._table_pfn)
        self.device.close()

    def __repr__(self):
        return "BlockCache({}, {} frames, {} dirty, {} hits, {} misses)".format(
            self.device, self.frames, self.dirty, self.hits, self.misses
        )
