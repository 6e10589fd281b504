"""Lab 2: reads and writes through the cache, and looks at the device and at the frames' flags."""

import random

from checking import CheckFailed, expect, expect_equal
from lab2_page_cache.device import Device

import pfm
from pfm import OutOfFramesError, PageFlags
from pfm.address import PAGE_SIZE

_BLOCKS = 8
_CACHED = PageFlags.FILE | PageFlags.LRU | PageFlags.UPTODATE
_TRACE_STEPS = 400


class _Trial:
    """A cache on a device with known contents, in a sandbox: a context manager."""

    def __init__(self, work, pages=4):
        self._work = work
        self._pages = pages

    def __enter__(self):
        self.lab = pfm.sandbox(1)
        self.device = Device(_BLOCKS)
        for block in range(_BLOCKS):
            self.device.data[block * PAGE_SIZE] = block
        self.cache = self._work.PageCache(self.lab, self.device, self._pages)
        return self

    def __exit__(self, kind, value, traceback):
        self.lab.close(force=True)

    def on_device(self, block, offset=0, size=1):
        at = block * PAGE_SIZE + offset
        return bytes(self.device.data[at : at + size])


def reads(work):
    """A read returns the device's bytes."""
    with _Trial(work) as t:
        expect_equal(t.cache.read(5, 0, 2), b"\x05\x00", "block 5 begins with these bytes")
        expect_equal(len(t.cache.read(5)), PAGE_SIZE, "the whole block by default")


def hits(work):
    """What was read once is in a frame."""
    with _Trial(work) as t:
        for _ in range(3):
            t.cache.read(2)
        expect_equal(t.device.reads, [2], "keep the frame, in a dict by block")
        expect_equal(t.lab.count_flags(_CACHED), 1, "frames with FILE, LRU and UPTODATE")


def writes_later(work):
    """A write makes a page dirty, and `sync` writes it, once."""
    with _Trial(work) as t:
        t.cache.write(3, 10, b"new")
        expect_equal(t.device.writes, [], "a write only sets DIRTY")
        expect_equal(t.lab.count_flags(_CACHED | PageFlags.DIRTY), 1, "frames that are dirty")
        expect_equal(t.cache.read(3, 0, 13), b"\x03" + bytes(9) + b"new", "the rest stays")
        t.cache.write(1, 0, b"x")
        t.cache.sync()
        expect_equal(t.device.writes, [1, 3], "in the order of the blocks")
        expect_equal(t.on_device(3, 10, 3), b"new", "what the device has")
        expect_equal(t.lab.count_flags(PageFlags.DIRTY), 0, "frames that are dirty after sync")
        t.cache.sync()
        expect_equal(t.device.writes, [1, 3], "a clean page is not written")


def writes_whole(work):
    """A block that is replaced whole is not read."""
    with _Trial(work) as t:
        t.cache.write(4, 0, b"\xaa" * PAGE_SIZE)
        expect_equal(t.device.reads, [], "no byte of the old contents is needed")
        expect_equal(t.cache.read(4, 0, 1), b"\xaa", "the new contents are valid")


def evicts(work):
    """The page that was not used for the longest time makes room; it is written if dirty."""
    with _Trial(work, pages=3) as t:
        t.cache.write(0, 0, b"zero")
        t.cache.read(1)
        t.cache.read(2)
        t.cache.read(0)
        t.cache.read(3)
        expect_equal(t.device.writes, [], "block 1 was to go: it is clean")
        expect_equal(t.lab.count_flags(PageFlags.LRU), 3, "no more frames than `pages`")
        t.device.reads.clear()
        t.cache.read(0)
        expect_equal(t.device.reads, [], "block 0 had been used after blocks 1 and 2")
        t.cache.read(2)
        t.cache.read(4)
        t.cache.read(5)
        expect_equal(t.device.writes, [0], "block 0 was dirty when it went")
        expect_equal(t.cache.read(0, 0, 4), b"zero", "and comes back")


def marks_writeback(work):
    """While a page is being written its flags say so."""
    with _Trial(work) as t:
        seen = []
        flags = PageFlags.WRITEBACK | PageFlags.UPTODATE
        t.device.during_write = lambda block: seen.append(t.lab.count_flags(flags))
        t.cache.write(0, 0, b"x")
        t.cache.write(6, 0, b"x")
        t.cache.sync()
        expect_equal(seen, [1, 1], "frames with WRITEBACK during each write")
        expect_equal(t.lab.count_flags(PageFlags.WRITEBACK), 0, "and after it")


def survives_errors(work):
    """A device that fails loses nothing."""
    with _Trial(work, pages=2) as t:
        t.cache.write(7, 0, b"kept")
        t.device.broken = True
        for action in (t.cache.sync, t.cache.close, lambda: t.cache.read(0)):
            try:
                action()
            except OSError:
                pass
            else:
                raise CheckFailed("the device's OSError is the caller's to know")
        expect_equal(
            t.lab.count_flags(PageFlags.DIRTY), 1, "a page stays dirty until it is written"
        )
        expect_equal(t.lab.count_flags(PageFlags.WRITEBACK), 0, "nothing is being written")
        t.device.broken = False
        expect_equal(t.cache.read(0, 0, 1), b"\x00", "what could not be read is not valid")
        t.cache.sync()
        expect_equal(t.on_device(7, 0, 4), b"kept", "what the device has at last")


def gives_way(work):
    """When frames run out the cache shrinks."""
    with _Trial(work) as t:
        t.cache.write(0, 0, b"x")
        t.cache.read(1)
        while True:
            try:
                t.lab.alloc()
            except OutOfFramesError:
                break
        expect_equal(t.cache.read(2, 0, 1), b"\x02", "evict and try again on OutOfFramesError")
        expect_equal(t.device.writes, [0], "the block that went")


def any_trace(work):
    """Reads and writes at random give what a device without a cache would have."""
    random.seed(1)
    model = Device(_BLOCKS)
    with _Trial(work, pages=3) as t:
        model.data[:] = t.device.data
        for _ in range(_TRACE_STEPS):
            block, offset = random.randrange(_BLOCKS), random.randrange(PAGE_SIZE - 4)
            at = block * PAGE_SIZE + offset
            if random.randrange(2):
                data = bytes([random.getrandbits(8) for _ in range(4)])
                t.cache.write(block, offset, data)
                model.data[at : at + 4] = data
            found = t.cache.read(block, offset, 4)
            expect_equal(found, bytes(model.data[at : at + 4]), "block {}".format(block))
        t.cache.close()
        expect(t.device.data == model.data, "after close the device has all that was written")
        expect_equal(t.lab.owners().total, 0, "after close no frame is allocated")
        t.lab.check()


STEPS = (
    ("reads", reads),
    ("a second read is a hit", hits),
    ("writes are delayed", writes_later),
    ("a whole block is not read first", writes_whole),
    ("the least recently used page goes", evicts),
    ("WRITEBACK", marks_writeback),
    ("a device that fails", survives_errors),
    ("out of frames", gives_way),
    ("any trace", any_trace),
)
