"""The RAM disk: blocks that are frames, and the filesystem on them."""

import errno
import gc
import os

import cmdline
import kernel
import machine
import micropython
import owners
import ramdisk
import uctypes
import vfs
from ktap import equal, raises

from pfm import PFM
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.frame.entry import PageFrame

# The kernel's numbers are Linux's; MicroPython's module errno leaves this one out.
ENOSPC = 28

# The size of a disk of a test's own.
SMALL = 1 << 20
SMALL_BLOCKS = SMALL >> PAGE_SHIFT

KINDS = (vfs.VfsFat, vfs.VfsLfs1, vfs.VfsLfs2)

# More levels of calls than the stack holds, and how many of the last ones are looked at.
LEVELS = 100000
LAST_LEVELS = 20


def _disk():
    """Return a disk over frames of its own, and the first frame's number."""
    pfn = PFM.alloc_contiguous(SMALL_BLOCKS)
    return ramdisk.RamDisk(PFM.as_virt(pfn << PAGE_SHIFT), SMALL_BLOCKS), pfn


def test_root_is_a_filesystem():
    os.mkdir("/test_disk")
    with open("/test_disk/a", "w") as file:
        file.write("line\n" * 2000)
    os.rename("/test_disk/a", "/test_disk/b")
    equal(os.listdir("/test_disk"), ["b"])
    equal(os.stat("/test_disk/b")[6], 10000)
    with open("/test_disk/b") as file:
        equal(sum(line == "line\n" for line in file), 2000)
    os.remove("/test_disk/b")
    os.rmdir("/test_disk")


def test_free_blocks_come_back():
    before = os.statvfs("/")
    with open("/test_disk", "wb") as file:
        # A cluster is a block on a small disk, and several on a large one.
        file.write(bytes(10 * before[0]))
    equal(before[3] - os.statvfs("/")[3], 10)
    os.remove("/test_disk")
    equal(os.statvfs("/"), before)


def test_a_full_disk_is_an_error():
    disk, pfn = _disk()
    vfs.VfsFat.mkfs(disk)
    vfs.mount(disk, "/small")
    try:
        with open("/small/file", "wb") as file:
            error = raises(OSError, file.write, bytes(2 * SMALL))
        equal(error.errno, ENOSPC)
        os.remove("/small/file")
        with open("/small/file", "wb") as file:
            equal(file.write(bytes(SMALL // 2)), SMALL // 2)
    finally:
        vfs.umount("/small")
        PFM.free(pfn)


def test_blocks_are_the_frames():
    disk, pfn = _disk()
    block = bytes(range(256)) * (PAGE_SIZE // 256)
    disk.writeblocks(3, block)
    equal(uctypes.bytearray_at(PFM.as_virt(pfn + 3 << PAGE_SHIFT), PAGE_SIZE), block)
    machine.mem8[PFM.as_virt(pfn + SMALL_BLOCKS << PAGE_SHIFT) - 1] = 77
    found = bytearray(PAGE_SIZE)
    disk.readblocks(SMALL_BLOCKS - 1, found)
    equal(found[-1], 77)
    PFM.free(pfn)


def test_parts_of_blocks():
    disk, pfn = _disk()
    disk.writeblocks(0, bytes(2 * PAGE_SIZE))
    disk.writeblocks(0, b"over", PAGE_SIZE - 2)
    found = bytearray(6)
    disk.readblocks(0, found, PAGE_SIZE - 3)
    equal(found, b"\0over\0")
    PFM.free(pfn)


def test_nothing_is_touched_outside_the_disk():
    disk, pfn = _disk()
    for block, offset, length in (
        (-1, 0, PAGE_SIZE),
        (0, -1, 1),
        (SMALL_BLOCKS, 0, 1),
        (SMALL_BLOCKS - 1, 0, PAGE_SIZE + 1),
        (SMALL_BLOCKS - 1, PAGE_SIZE, 1),
        (1 << 62, 0, PAGE_SIZE),
    ):
        for access in (disk.readblocks, disk.writeblocks):
            equal(access(block, bytearray(length), offset), -errno.EIO)
    PFM.free(pfn)


def test_a_filesystem_larger_than_its_disk_is_an_error():
    disk, pfn = _disk()
    vfs.VfsFat.mkfs(disk)
    short = ramdisk.RamDisk(PFM.as_virt(pfn << PAGE_SHIFT), SMALL_BLOCKS // 2)
    vfs.mount(vfs.VfsFat(short), "/small")
    try:
        file = open("/small/file", "wb")
        equal(raises(OSError, file.write, bytes(SMALL * 3 // 4)).errno, errno.EIO)
        file.close()
    finally:
        vfs.umount("/small")
        PFM.free(pfn)


def test_only_buffers_are_filled():
    disk, pfn = _disk()
    fixed = bytes(8)
    for what in (fixed, memoryview(fixed), "constant", None, 4096, (1,), [1], {0: 1}):
        raises(TypeError, disk.readblocks, 0, what)
    equal(fixed, bytes(8))
    raises(TypeError, disk.writeblocks, 0, None)
    equal(disk.readblocks(SMALL_BLOCKS - 1, bytearray()), 0)
    PFM.free(pfn)


def test_copies_of_any_length_and_alignment():
    disk, pfn = _disk()
    around = bytearray(b"\xee" * 256)
    for length in tuple(range(70)) + (127, 128, 129):
        for shift in range(9):
            disk.writeblocks(1, bytes(PAGE_SIZE))
            data = bytes((shift + n) & 0xFF | 1 for n in range(length))
            equal(disk.writeblocks(1, memoryview(b"x" * shift + data)[shift:], 100 - shift), 0)
            found = bytearray(PAGE_SIZE)
            disk.readblocks(1, found)
            rest = PAGE_SIZE - 100 + shift - length
            equal(found, bytes(100 - shift) + data + bytes(rest))
            view = memoryview(around)[shift : shift + length]
            disk.readblocks(1, view, 100 - shift)
            equal(bytes(view), data)
            equal(around[:shift] + around[shift + length :], b"\xee" * (256 - length))
            view[:] = b"\xee" * length
    PFM.free(pfn)


def test_requests():
    disk, pfn = _disk()
    equal(disk.ioctl(4, 0), SMALL_BLOCKS)
    equal(disk.ioctl(5, 0), PAGE_SIZE)
    for request in (1, 2, 3, 6):
        equal(disk.ioctl(request, 0), 0)
    equal(disk.ioctl(99, 0), None)
    PFM.free(pfn)


def test_every_filesystem():
    for kind in KINDS:
        disk, pfn = _disk()
        kind.mkfs(disk)
        vfs.mount(kind(disk), "/small")
        with open("/small/file", "w") as file:
            file.write("kept")
        vfs.umount("/small")
        vfs.mount(kind(disk), "/small")
        with open("/small/file") as file:
            equal(file.read(), "kept")
        vfs.umount("/small")
        PFM.free(pfn)


def _leave_open(path, data):
    open(path, "wb").write(data)


def test_files_that_nobody_closed_keep_their_data():
    for kind in KINDS:
        disk, pfn = _disk()
        kind.mkfs(disk)
        vfs.mount(kind(disk), "/small")
        contents = [bytes([65 + n]) * (n * 1999) for n in range(8)]
        for number, data in enumerate(contents):
            _leave_open("/small/{}".format(number), data)
        # Goes where the stack may still name the last of them.
        with open("/small/last", "w") as file:
            file.write("last")
        gc.collect()
        vfs.umount("/small")
        vfs.mount(kind(disk), "/small")
        for number, data in enumerate(contents):
            with open("/small/{}".format(number), "rb") as file:
                equal(file.read(), data)
        vfs.umount("/small")
        PFM.free(pfn)


def test_folders_that_nobody_listed_to_the_end_are_closed():
    for kind in KINDS:
        disk, pfn = _disk()
        kind.mkfs(disk)
        vfs.mount(kind(disk), "/small")
        for number in range(8):
            os.mkdir("/small/{}".format(number))
            next(os.ilistdir("/small"))
        gc.collect()
        for number in range(8):
            os.rmdir("/small/{}".format(number))
        equal(os.listdir("/small"), [])
        vfs.umount("/small")
        PFM.free(pfn)


def test_blocks_need_no_heap():
    disk, pfn = _disk()
    block = bytearray(b"x" * PAGE_SIZE)
    micropython.heap_lock()
    try:
        disk.writeblocks(1, block)
        disk.writeblocks(1, block, 3)
        disk.readblocks(1, block)
        disk.readblocks(1, block, 3)
        disk.readblocks(SMALL_BLOCKS, block)
        disk.writeblocks(SMALL_BLOCKS, block)
        for request in range(8):
            disk.ioctl(request, 0)
    finally:
        micropython.heap_unlock()
    PFM.free(pfn)


def test_nothing_gets_in_while_a_file_is_written():
    # What is scheduled runs where a KeyboardInterrupt is raised.
    ran = []
    note = ran.append
    block = bytes(64 * PAGE_SIZE)
    file = open("/test_disk", "wb")
    micropython.schedule(note, None)
    file.write(block)
    file.close()
    before = len(ran)
    while not ran:
        pass
    os.remove("/test_disk")
    equal(before, 0)


def _dive(levels, reached, files):
    """Call on and on; after `levels` calls drop a file and collect at each further one."""
    reached[0] = levels
    if levels:
        _dive(levels - 1, reached, files)
    else:
        files.pop()
        gc.collect()
        _dive(0, reached, files)


def test_files_are_closed_however_deep_the_stack():
    reached = [0]
    raises(RuntimeError, _dive, LEVELS, reached, [])
    levels = LEVELS - reached[0]
    count = 2 * LAST_LEVELS
    names = ["/test_disk/{}".format(number) for number in range(count)]
    os.mkdir("/test_disk")
    files = [open(name, "w") for name in names]
    for file in files:
        file.write("kept")
    file = None
    raises(RuntimeError, _dive, levels - LAST_LEVELS, reached, files)
    # A stale word on the stack may have kept a file.
    gc.collect()
    # Fewer would say that the end of the stack was not reached.
    assert 0 < len(files) < count - LAST_LEVELS // 2, len(files)
    for file in files:
        file.close()
    found = [os.stat(name)[6] for name in names]
    for name in names:
        os.remove(name)
    os.rmdir("/test_disk")
    equal(found, [4] * count)


def test_frames_are_the_disks_own():
    state = uctypes.struct(uctypes.addressof(kernel.state) + ramdisk.STATE_OFFSET, ramdisk.STATE)
    equal(state.magic, ramdisk.MAGIC)
    pfn = PFM.as_phys(state.virt) >> PAGE_SHIFT
    equal(PageFrame.at(PFM.array.base + pfn * PageFrame.SIZE).tag, owners.DISK)
    equal(state.blocks, ramdisk.RamDisk(state.virt, state.blocks).ioctl(4, 0))
    equal(os.statvfs("/")[0] % PAGE_SIZE, 0)


def test_no_frames_make_no_disk():
    state = bytes(kernel.state)
    free = PFM.count_free()
    equal(ramdisk.create(PFM, 0), None)
    equal((PFM.count_free(), bytes(kernel.state)), (free, state))


def test_size_from_the_command_line():
    equal(cmdline.CommandLine("debug").disk, None)
    equal(cmdline.CommandLine("disk=0").disk, 0)
    equal(cmdline.CommandLine("disk=6M heap=1M").disk, 6 << 20)
    line = cmdline.CommandLine("disk= disk=x disk=-1")
    equal((line.disk, line.ignored), (None, ["disk=", "disk=x", "disk=-1"]))
