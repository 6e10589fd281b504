# SPDX-License-Identifier: MIT OR Apache-2.0
"""The lasting disk: the filesystem of the first virtio block device, mounted at `/disk`.

`cache` is its `BlockCache`, None without such a disk.
"""

import blockcache
import owners
import vfs
import virtioblk
from micropython import const
from virtioblk import SECTOR_SIZE

from pfm.units import human_size

FOLDER = "/disk"
_FAT = "FAT"
_LITTLEFS = "littlefs"

# A device of which so many bytes are zero is blank.
_BLANK_SIZE = const(65536)

# Microsoft FAT32 File System Specification 1.03: the boot sector's jump, size of sectors, and
# signature.
_JUMPS = (0xE8, 0xE9, 0xEB)
_FAT_SECTOR = const(11)
_FAT_SIGNATURE = const(510)
_FAT_SIZES = (512, 1024, 2048, 4096)

# littlefs, SPEC.md, "superblock": it is in the blocks 0 and 1, of which a loss of power may
# take one; the size of blocks follows the name, a tag and a version.
_LITTLEFS_NAME = b"littlefs"
_LITTLEFS_AT = const(8)
_LITTLEFS_SIZE = const(24)
_LITTLEFS_BLOCK = const(4096)
_LITTLEFS_SIZES = (128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
# Bytes that littlefs reads and writes at a time, and of its map of free blocks.
_LITTLEFS_UNIT = const(256)
_LITTLEFS_LOOKAHEAD = const(1024)

cache = None


def _littlefs_block(start):
    """Return the size of the blocks of the littlefs that these first bytes are of, None for none."""
    for at in (0,) + _LITTLEFS_SIZES:
        name = at + _LITTLEFS_AT
        if start[name : name + len(_LITTLEFS_NAME)] == _LITTLEFS_NAME:
            size = int.from_bytes(start[at + _LITTLEFS_SIZE : at + _LITTLEFS_SIZE + 4], "little")
            if size in _LITTLEFS_SIZES and at in (0, size):
                return size
    return None


def _fat_sector(start):
    """Return the size of the sectors of the FAT filesystem whose boot sector this is, None for none."""
    size = int.from_bytes(start[_FAT_SECTOR : _FAT_SECTOR + 2], "little")
    signature = start[_FAT_SIGNATURE : _FAT_SIGNATURE + 2]
    if start[0] in _JUMPS and signature == b"\x55\xaa" and size in _FAT_SIZES:
        return size
    return None


def _filesystem(disk, wanted):
    """Return (name, filesystem) on a BlockCache; a blank one is made `wanted`.

    Raises ValueError, with a text for the user, if there is none, and OSError.
    """
    start = bytearray(min(_BLANK_SIZE, disk.size))
    code = disk.readblocks(0, start)
    if code:
        raise disk.device.error(code)
    blank = not any(start)
    if blank and not wanted:
        raise ValueError("blank; the word format=fat or format=littlefs formats it")
    if blank and disk.device.read_only:
        raise ValueError("blank, and read-only")
    littlefs = _littlefs_block(start)
    if littlefs or (blank and wanted == _LITTLEFS):
        disk.set_block_size(littlefs or _LITTLEFS_BLOCK)
        sizes = {"readsize": _LITTLEFS_UNIT, "progsize": _LITTLEFS_UNIT}
        sizes["lookahead"] = _LITTLEFS_LOOKAHEAD
        if blank:
            vfs.VfsLfs2.mkfs(disk, **sizes)
        return _LITTLEFS, vfs.VfsLfs2(disk, **sizes)
    fat = _fat_sector(start)
    if fat or blank:
        disk.set_block_size(fat or SECTOR_SIZE)
        disk.raises = True
        if blank:
            vfs.VfsFat.mkfs(disk)
        return _FAT, vfs.VfsFat(disk)
    raise ValueError("neither blank nor of FAT or littlefs; left as it is")


def _open(function, folder, wanted):
    """Mount the disk at a PCI function; return the line that says what it is."""
    global cache
    device = virtioblk.VirtioBlk(function, tag=owners.CACHE)
    try:
        disk = blockcache.BlockCache(device, tag=owners.CACHE)
    except BaseException as error:
        device.close()
        raise error
    try:
        name, filesystem = _filesystem(disk, wanted)
        disk.sync()
        vfs.mount(filesystem, folder, readonly=device.read_only)
    except BaseException as error:
        disk.close(discard=True)
        raise error
    cache = disk
    note = ", read-only" if device.read_only else ""
    return "Disk:   {}, {}, at {}{}".format(human_size(disk.size), name, folder, note)


def start(options):
    """Mount the disk as the command line `options` says; return lines for the report.

    It is mounted at `/` with root=disk; `cache` is None if it is not mounted.  Further devices are left alone.  What keeps a disk
    from being mounted is one of the lines; nothing is raised.  Cost: a look at the devices of
    the PCI buses.
    """
    folder = "/" if options.root else FOLDER
    found = []
    try:
        found = virtioblk.functions()
        if not found:
            return ["{}: there is no disk".format(folder)] if options.root else []
        lines = [_open(found[0], folder, options.format)]
    except Exception as error:
        lines = ["{}: not mounted: {}".format(folder, _text(error))]
    for function in found[1:]:
        lines.append("Disk:   a further one, {}, is left alone".format(function.name))
    return lines


def _text(error):
    """Return what an exception says, without the number of an OSError that has a text."""
    if isinstance(error, OSError) and len(error.args) > 1:
        return error.args[1]
    return str(error) or type(error).__name__
