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
    enter,
    find,
    is_dirty,
    lay_out,
    leave,
    move,
    newer,
    oldest_dirty,
    page_of,
    pfn_of,
    shape,
)
from micropython import const
from virtioblk import READ, SECTOR_SHIFT, SECTOR_SIZE, WRITE

from pfm import PFM, PageFlags
from pfm.address import PAGE_SHIFT, PAGE_SIZE, signed

_DIRTY = PageFlags.DIRTY
_LRU = PageFlags.LRU
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
        self.dirty = 0
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

    @micropython.native
    def _set(self, slot, flags):
        PFM.set_flags(pfn_of(self._table, slot), flags)

    @micropython.native
    def _clear(self, slot, flags):
        PFM.clear_flags(pfn_of(self._table, slot), flags)

    @micropython.native
    def _page_size(self, page):
        """Return the bytes of a page that the device has: fewer in the last one."""
        size = self.size - (page << PAGE_SHIFT)
        return size if size < PAGE_SIZE else PAGE_SIZE

    @micropython.native
    def _write(self, first, end):
        """Write the DIRTY pages from `first` to before `end` by one request."""
        table = self._table
        self.device.begin()
        page = first
        while page < end:
            pfn = pfn_of(table, find(table, page))
            PFM.set_flags(pfn, _WRITEBACK)
            self.device.add(pfn << PAGE_SHIFT, self._page_size(page))
            page += 1
        code = self.device.submit(WRITE, first << _SECTORS_SHIFT)
        done = _WRITEBACK if code else _WRITEBACK | _DIRTY
        page = first
        while page < end:
            self._clear(find(self._table, page), done)
            page += 1
        if not code:
            self.dirty -= end - first
            self._unflushed = True
        return code

    @micropython.native
    def _write_from(self, slot):
        """Write a DIRTY page and those that follow it both on the device and on the list.

        Returns 0 or the errno for the page itself.
        """
        page = page_of(self._table, slot)
        end = page + 1
        after = newer(self._table, slot)
        while (
            end - page < self._batch
            and page_of(self._table, after) == end
            and is_dirty(self._table, self._entries, after)
        ):
            end += 1
            after = newer(self._table, after)
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
    def _take(self, page):
        """Give a page that has none a slot; return the slot or a negative errno."""
        tries = _TRIES
        while True:
            slot = newer(self._table, 0)
            if page_of(self._table, slot) == NO_PAGE:
                self._set(slot, _LRU)
                break
            dirty = self.dirty and is_dirty(self._table, self._entries, slot)
            code = self._write_from(slot) if dirty else 0
            if not code:
                leave(self._table, slot)
                self._clear(slot, _UPTODATE)
                break
            move(self._table, slot, True)
            tries -= 1
            if not tries:
                return code
        enter(self._table, slot, page)
        move(self._table, slot, True)
        return slot

    @micropython.native
    def _forget(self, slot):
        leave(self._table, slot)
        move(self._table, slot, False)
        self._clear(slot, _ALL)

    @micropython.native
    def _read(self, page, count):
        """Read pages that have no slot by one request; return 0 or a negative errno."""
        taken = 0
        code = 0
        while taken < count:
            code = self._take(page + taken)
            if code < 0:
                break
            taken += 1
        if code >= 0:
            code = self._fill(page, count)
        while taken > 0:
            taken -= 1
            slot = find(self._table, page + taken)
            if not code:
                PFM.set_flags(pfn_of(self._table, slot), _UPTODATE)
            elif slot:
                self._forget(slot)
        return code

    @micropython.native
    def _fill(self, page, count):
        """Read pages into their slots; return 0 or a negative errno."""
        table = self._table
        device = self.device
        device.begin()
        at = page
        while at < page + count:
            slot = find(table, at)
            if not slot:
                # A later one took it: hardly a page can be written any more.
                return _EIO
            device.add(pfn_of(table, slot) << PAGE_SHIFT, self._page_size(at))
            at += 1
        return device.submit(READ, page << _SECTORS_SHIFT)

    @micropython.native
    def _load(self, page, end):
        """Have a page in a slot, those before `end` and some after it too if they are not.

        Returns the slot or a negative errno.
        """
        slot = find(self._table, page)
        if slot:
            self.hits += 1
            move(self._table, slot, True)
            return slot
        self.misses += 1
        if page == self._next:
            self._ahead = min(self._ahead << 1, _AHEAD_MAX)
            end = max(end, page + self._ahead)
        else:
            self._ahead = _AHEAD_MIN
        end = min(end, page + self._batch, (self.size + PAGE_SIZE - 1) >> PAGE_SHIFT)
        after = page + 1
        while after < end and not find(self._table, after):
            after += 1
        code = self._read(page, after - page)
        if code and after - page > 1 and not self.device.removed:
            after = page + 1
            code = self._read(page, 1)
        if code:
            return code
        self._next = after
        return find(self._table, page)

    @micropython.native
    def _start(self, block, offset, length):
        """Return where these bytes begin on the device, -1 if not all of them are on it."""
        size = self.size
        if 0 <= block <= size and 0 <= offset <= size and not self.closed:
            start = block * self.block_size + offset
            if start + length <= size:
                return start
        return -1

    @micropython.native
    def readblocks(self, block, buf, offset=0):
        """Fill `buf` from the device, starting `offset` bytes into `block`."""
        length = len(buf)
        start = self._start(block, offset, length)
        if start < 0:
            return _EIO
        if length:
            # Raises TypeError for a read-only buffer, which a copy would overwrite.
            buf[0] = buf[0]
        end = (start + length + PAGE_SIZE - 1) >> PAGE_SHIFT
        at = 0
        while at < length:
            position = start + at
            inside = position & (PAGE_SIZE - 1)
            size = min(PAGE_SIZE - inside, length - at)
            slot = self._load(position >> PAGE_SHIFT, end)
            if slot < 0:
                return slot
            frame = self._hhdm + (pfn_of(self._table, slot) << PAGE_SHIFT)
            copy_out(buf, at, frame + inside, size)
            at += size
        return 0

    @micropython.native
    def _for_writing(self, page, size):
        """Return the slot of a page of which `size` bytes are written, or a negative errno."""
        if size < self._page_size(page) or find(self._table, page):
            return self._load(page, page + 1)
        return self._take(page)

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
        at = 0
        while at < length:
            position = start + at
            inside = position & (PAGE_SIZE - 1)
            size = min(PAGE_SIZE - inside, length - at)
            slot = self._for_writing(position >> PAGE_SHIFT, size)
            if slot < 0:
                return slot
            pfn = pfn_of(self._table, slot)
            if not is_dirty(self._table, self._entries, slot):
                PFM.set_flags(pfn, _WRITTEN)
                self.dirty += 1
            copy_in(self._hhdm + (pfn << PAGE_SHIFT) + inside, buf, at, size)
            at += size
        return 0

    @micropython.native
    def write_back(self):
        """Write every DIRTY page, and have the device keep them; return 0 or the first errno.

        Cost: a request for each run of such pages, and a step per page used since the first of them.
        """
        if self.closed:
            return 0
        code = 0
        slot = oldest_dirty(self._table, self._entries, self.dirty) if self.dirty else 0
        while slot and self.dirty:
            if is_dirty(self._table, self._entries, slot):
                one = self._write_from(slot)
                code = code or one
            slot = newer(self._table, slot)
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
        self.dirty = 0
        PFM.clear_flags_many(self._pfns, _ALL)
        PFM.free_many(self._pfns)
        PFM.free(self._table_pfn)
        self.device.close()

    def __repr__(self):
        return "BlockCache({}, {} frames, {} dirty, {} hits, {} misses)".format(
            self.device, self.frames, self.dirty, self.hits, self.misses
        )
