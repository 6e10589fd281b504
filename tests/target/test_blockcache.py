"""The block cache over a device in frames, against a plain bytearray; the disk it is for is tested from the host."""

import errno
import os
import random

import blockcache
import blocktable
import micropython
import uctypes
import vfs
from ktap import equal, raises

from pfm import PFM, LockHeldError, PageFlags
from pfm.address import PAGE_SHIFT, PAGE_SIZE

SECTORS = 4096 + 3
SIZE = SECTORS * 512
FRAMES = blockcache.FRAMES_MIN
SEED = 20260
OPERATIONS = 1500


class Device:
    """A device in frames, in place of a VirtioBlk: it notes requests.

    Sectors in `bad` fail, to be read too unless `readable`.
    """

    def __init__(self, segments=16, read_only=False):
        self.sectors = SECTORS
        self.segments = segments
        self.read_only = read_only
        self.removed = False
        self.bad = set()
        self.readable = False
        self.sectors_of_requests = []
        self.flushes = 0
        self.failed = -1
        self._pfn = PFM.alloc_contiguous((SIZE + PAGE_SIZE - 1) >> PAGE_SHIFT, zero=True)
        self.content = uctypes.bytearray_at(PFM.as_virt(self._pfn << PAGE_SHIFT), SIZE)

    def begin(self):
        self._frames = []

    def add(self, phys, size):
        self._frames.append((phys, size))

    def submit(self, kind, sector):
        self.sectors_of_requests.append(sector)
        assert 0 < len(self._frames) <= self.segments
        at = sector * 512
        for bad in self.bad:
            if self.readable and kind == blockcache.READ:
                break
            if at <= bad * 512 < at + sum(size for _, size in self._frames):
                self.failed = bad
                return -errno.EIO
        for phys, size in self._frames:
            frame = uctypes.bytearray_at(PFM.as_virt(phys), size)
            if kind == blockcache.WRITE:
                self.content[at : at + size] = frame
            else:
                frame[:] = self.content[at : at + size]
            at += size
        return 0

    def flush(self):
        self.flushes += 1
        return 0

    def error(self, code):
        return OSError(-code, "sector {}".format(self.failed))

    def close(self):
        PFM.free(self._pfn)


def _cached(device=None, **options):
    return blockcache.BlockCache(device or Device(), frames=FRAMES, **options)


def _counts():
    """Return how many of all frames have each of the flags that the cache sets."""
    flags = PageFlags.LRU, PageFlags.UPTODATE, PageFlags.DIRTY, PageFlags.WRITEBACK
    return [PFM.count_flags(flag) for flag in flags]


def test_random_trace_against_a_model():
    for segments in (1, 16):
        device = Device(segments)
        cache = _cached(device)
        model = bytearray(SIZE)
        draw = random.seed(SEED) or random.getrandbits
        for number in range(OPERATIONS):
            at = draw(20) % SIZE if draw(2) else draw(21) % (SIZE >> 9) << 9
            length = min(SIZE - at, (draw(12) if draw(3) else draw(16)) + 1)
            if draw(1):
                data = bytes([number & 0xFF]) * length
                model[at : at + length] = data
                equal(cache.writeblocks(at >> 9, data, at & 511), 0)
            else:
                found = bytearray(length)
                equal(cache.readblocks(at >> 9, found, at & 511), 0)
                assert found == memoryview(model)[at : at + length], (SEED, number, at, length)
            if not draw(8):
                cache.sync()
                equal(cache.dirty, 0)
                assert device.content == model, (SEED, number)
        assert cache.misses > FRAMES
        cache.close()


def test_flags_tell_the_state_of_a_page():
    before = _counts()

    def grown():
        return [now - before[at] for at, now in enumerate(_counts())]

    cache = _cached()
    equal(grown(), [0, 0, 0, 0])
    cache.readblocks(0, bytearray(1))
    equal(grown(), [1, 1, 0, 0])
    cache.writeblocks(8, bytes(PAGE_SIZE))
    equal(grown(), [2, 2, 1, 0])
    cache.sync()
    equal(grown(), [2, 2, 0, 0])
    for page in range(2 * FRAMES):
        cache.readblocks(8 * page, bytearray(1))
    equal(grown(), [FRAMES, FRAMES, 0, 0])
    cache.close()
    equal(grown(), [0, 0, 0, 0])


def test_what_was_used_longest_ago_goes_first():
    cache = _cached()
    for page in range(0, 2 * FRAMES, 2):
        cache.readblocks(8 * page, bytearray(1))
    cache.readblocks(0, bytearray(1))
    cache.readblocks(8 * 2 * FRAMES, bytearray(1))
    misses = cache.misses
    cache.readblocks(0, bytearray(1))
    equal(cache.misses, misses)
    cache.readblocks(8 * 2, bytearray(1))
    equal(cache.misses, misses + 1)
    cache.close()


def test_neighbours_are_written_by_one_request_in_the_order_of_their_use():
    device = Device()
    cache = _cached(device)
    for page in (3, 4, 5, 9, 2):
        cache.writeblocks(8 * page, bytes(PAGE_SIZE))
    device.sectors_of_requests = []
    cache.sync()
    equal((device.sectors_of_requests, device.flushes), ([24, 72, 16], 1))
    cache.sync()
    equal((device.sectors_of_requests, device.flushes), ([24, 72, 16], 1))
    cache.writeblocks(24, bytes(512))
    cache.writeblocks(16, bytes(512))
    cache.writeblocks(24, bytes(512))
    cache.sync()
    equal(device.sectors_of_requests[3:], [16])
    cache.close()


def test_sequence_is_read_ahead():
    device = Device()
    cache = _cached(device)
    for sector in range(8 * 64):
        cache.readblocks(sector, bytearray(512))
    assert len(device.sectors_of_requests) <= 9, device.sectors_of_requests
    cache.close()


def test_a_bad_sector_costs_its_page_alone():
    device = Device()
    cache = _cached(device)
    device.bad.add(8 * 20 + 3)
    equal(cache.readblocks(8 * 20, bytearray(512)), -errno.EIO)
    equal(cache.readblocks(8 * 16, bytearray(4 * PAGE_SIZE)), 0)
    equal(cache.readblocks(8 * 19, bytearray(2 * PAGE_SIZE)), -errno.EIO)
    for page in range(16, 24):
        equal(cache.writeblocks(8 * page, bytes([page]) * PAGE_SIZE), 0)
    error = raises(OSError, cache.sync)
    equal((error.errno, error.args[1]), (errno.EIO, "sector 163"))
    equal(cache.dirty, 1)
    for page in range(16, 24):
        equal(device.content[page * PAGE_SIZE], 0 if page == 20 else page)
    # Pages come and go all the same, and what could not be written is not lost.
    for page in range(100, 100 + 2 * FRAMES):
        equal(cache.writeblocks(8 * page, b"x" * PAGE_SIZE), 0)
    found = bytearray(1)
    equal((cache.readblocks(8 * 20, found), found[0]), (0, 20))
    raises(OSError, cache.close)
    equal(cache.closed, False)
    device.bad.clear()
    cache.sync()
    equal((cache.dirty, device.content[20 * PAGE_SIZE]), (0, 20))
    cache.close()


def test_pages_that_none_can_be_written():
    device = Device()
    cache = _cached(device)
    for page in range(FRAMES):
        equal(cache.writeblocks(8 * page, b"x" * PAGE_SIZE), 0)
    device.bad.update(range(8 * FRAMES))
    found = bytearray(16 * PAGE_SIZE)
    equal(cache.readblocks(8 * 2 * FRAMES, found), -errno.EIO)
    equal(cache.dirty, FRAMES)
    device.bad.difference_update(range(8 * 20))
    for _ in range(4):
        cache.readblocks(8 * 2 * FRAMES, found)
    equal(cache.readblocks(8 * 2 * FRAMES, found), 0)
    device.bad.clear()
    cache.sync()
    equal(device.content[: FRAMES * PAGE_SIZE], b"x" * (FRAMES * PAGE_SIZE))
    cache.close()


def test_fat_raises_with_the_sector_where_a_file_is_closed():
    device = Device()
    cache = _cached(device, raises=True)
    vfs.VfsFat.mkfs(cache)
    vfs.mount(cache, "/small")
    device.bad.update(range(SECTORS))
    device.readable = True
    file = open("/small/file", "w")
    file.write("lost")
    error = raises(OSError, file.close)
    equal(error.errno, errno.EIO)
    assert error.args[1].startswith("sector "), error
    device.bad.clear()
    file.close()
    vfs.umount("/small")
    vfs.mount(cache, "/small")
    with open("/small/file") as file:
        equal(file.read(), "lost")
    vfs.umount("/small")
    cache.close()


def test_every_filesystem():
    for kind, size in ((vfs.VfsFat, 512), (vfs.VfsLfs1, 4096), (vfs.VfsLfs2, 512)):
        cache = _cached(block_size=size)
        kind.mkfs(cache)
        vfs.mount(kind(cache), "/small")
        with open("/small/file", "w") as file:
            file.write("kept")
        vfs.umount("/small")
        equal(cache.dirty, 0)
        vfs.mount(kind(cache), "/small")
        with open("/small/file") as file:
            equal(file.read(), "kept")
        equal(os.listdir("/small"), ["file"])
        vfs.umount("/small")
        cache.close()


def test_outside_and_bad_arguments():
    cache = _cached()
    for block, offset, length in (
        (-1, 0, 512),
        (0, -1, 1),
        (SECTORS, 0, 1),
        (SECTORS - 1, 0, 513),
        (1 << 60, 0, 512),
    ):
        for access in (cache.readblocks, cache.writeblocks):
            equal(access(block, bytearray(length), offset), -errno.EIO)
    equal(cache.writeblocks(SECTORS - 1, bytes(512)), 0)
    raises(TypeError, cache.readblocks, 0, b"fixed")
    equal(
        [cache.ioctl(request, 0) for request in (4, 5, 1, 6, 3, 99)], [SECTORS, 512, 0, 0, 0, None]
    )
    cache.close()
    for size in (0, 256, 513, -512):
        device = Device()
        free = PFM.count_free()
        raises(ValueError, _cached, device, block_size=size)
        raises(ValueError, blockcache.BlockCache, device, 1)
        equal(PFM.count_free(), free)
        device.close()


def test_read_only():
    cache = _cached(Device(read_only=True))
    equal(cache.writeblocks(0, bytes(512)), -30)
    equal(cache.readblocks(0, bytearray(512)), 0)
    cache.close()


def test_closed():
    free = sum(PFM.count_free())
    cache = _cached()
    cache.writeblocks(0, b"x" * 512)
    cache.close()
    cache.close()
    equal(sum(PFM.count_free()), free)
    equal(cache.readblocks(0, bytearray(512)), -errno.EIO)
    equal(cache.writeblocks(0, bytes(512)), -errno.EIO)
    cache.sync()
    cache = _cached()
    cache.device.bad.add(0)
    cache.writeblocks(0, bytes(512))
    cache.close(discard=True)
    equal(sum(PFM.count_free()), free)
    PFM.check()


def test_a_frame_that_somebody_holds():
    """Nothing of a call that fails for it is taken for what the device has."""
    cache = _cached()
    cache.readblocks(0, bytearray(1))
    with PFM.get(cache._pfns[0]):
        raises(LockHeldError, cache.writeblocks, 0, bytes(512))
    equal(cache.dirty, 0)
    cache.close()


def _agrees(cache):
    """The cache has what the device has, or newer, and nothing is being written."""
    found = bytearray(SIZE)
    equal(cache.readblocks(0, found), 0)
    cache.sync()
    equal(found, cache.device.content)
    equal(_counts()[3], 0)


def test_a_frame_that_somebody_holds_among_several():
    before = _counts()
    pages = 8 * PAGE_SIZE
    for access, data in (("readblocks", bytearray(pages)), ("writeblocks", b"x" * pages)):
        cache = _cached()
        cache.device.content[:] = b"y" * SIZE
        with PFM.get(cache._pfns[FRAMES - 3]):
            # Downwards, so that nothing is read ahead.
            for first in range(FRAMES, 8, -8):
                equal(getattr(cache, access)(8 * first, data), 0)
            raises(LockHeldError, getattr(cache, access), 8 * 8, data)
        _agrees(cache)
        cache.writeblocks(0, b"z" * pages)
        with PFM.get(cache._pfns[_slot(cache, 5) - 1]):
            raises(LockHeldError, cache.sync)
            equal(_counts()[3], before[3])
        equal(cache.dirty, 8)
        _agrees(cache)
        equal(cache.device.content[:pages], b"z" * pages)
        cache.close()
    equal(_counts(), before)


def _slot(cache, page):
    return blocktable.find(cache._table, page)


def test_frames_in_a_row_are_one_segment():
    device = Device()
    cache = _cached(device)
    cache.writeblocks(0, bytes(16 * PAGE_SIZE))
    cache.sync()
    # Nobody had frames between them when the cache took its own.
    rows = 1 + sum([cache._pfns[at] + 1 != cache._pfns[at + 1] for at in range(15)])
    equal(len(device._frames), rows)
    equal(sum([size for _, size in device._frames]), 16 * PAGE_SIZE)
    cache.close()


class Bare(Device):
    """A device whose methods use no heap."""

    @micropython.native
    def begin(self):
        pass

    @micropython.native
    def add(self, phys, size):
        pass

    @micropython.native
    def submit(self, kind, sector):
        return -errno.EIO if sector == 8 * 200 else 0

    @micropython.native
    def flush(self):
        return 0


def test_blocks_need_no_heap():
    cache = _cached(Bare())
    block = bytearray(8 * PAGE_SIZE)
    small = bytearray(10)
    micropython.heap_lock()
    try:
        page = 0
        while page < 256:
            cache.writeblocks(8 * page, block)
            cache.writeblocks(8 * page, small, 700)
            cache.readblocks(8 * page, small, 9)
            page += 5
        cache.readblocks(8 * 200, block)
        cache.readblocks(SECTORS, block)
        cache.ioctl(3, 0)
        cache.write_back()
    finally:
        micropython.heap_unlock()
    cache.close(discard=True)
