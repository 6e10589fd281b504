"""A disk that lasts: an image file on the host, which the machine has as a virtio block device."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

SECTOR_SIZE = 512
DEFAULT_SIZE = "64M"
# The smallest disk on which there is room for a filesystem and files.
SIZE_MIN = 1 << 20

MIB = 1 << 20
_CHUNK = 1 << 20


class BadDisk(Exception):
    """DISK or DISK_SIZE names no disk that can be used; says why."""


@dataclass(frozen=True)
class Disk:
    """An image file; `blank` says that all of it is zero, `read_only` that it is not to be written."""

    path: Path
    blank: bool = False
    read_only: bool = False

    @property
    def options(self):
        """QEMU's options for the disk."""
        name = str(self.path).replace(",", ",,")
        read_only = ",readonly=on" if self.read_only else ""
        return [
            *["-drive", f"if=none,id=disk,format=raw{read_only},file={name}"],
            *["-device", "virtio-blk-pci,drive=disk,disable-legacy=on"],
        ]


def _is_blank(path):
    """Return whether a file has only zeros; holes in it are not read."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        at = 0
        while at < end:
            try:
                at = file.seek(at, os.SEEK_DATA)
            except OSError:
                # ENXIO: there are no data from here to the end.
                return True
            data = file.read(_CHUNK)
            if any(data):
                return False
            at += len(data)
    return True


def _create(path, size):
    if size is None or size < SIZE_MIN or size % SECTOR_SIZE:
        raise BadDisk(
            f"DISK_SIZE: must be a size such as 64M, {SIZE_MIN // MIB} MiB or more, "
            f"in sectors of {SECTOR_SIZE} bytes"
        )
    try:
        with open(path, "xb") as file:
            file.truncate(size)
    except OSError as e:
        path.unlink(missing_ok=True)
        raise BadDisk(f"DISK={path}: {e.strerror}") from None


def prepare(path, size):
    """Return the Disk at `path`; if there is no file, first make a sparse one of `size` bytes.

    Raises BadDisk."""
    path = Path(path)
    if not path.parent.is_dir():
        raise BadDisk(f"DISK={path}: there is no folder {path.parent}")
    if not os.path.lexists(path):
        _create(path, size)
        return Disk(path, blank=True)
    try:
        found = path.stat()
        if path.is_dir():
            raise BadDisk(f"DISK={path}: is a folder; the disk is a file")
        if not stat.S_ISREG(found.st_mode):
            raise BadDisk(f"DISK={path}: is no file")
        if found.st_size % SECTOR_SIZE or not found.st_size:
            raise BadDisk(
                f"DISK={path}: its {found.st_size} bytes are no sectors of {SECTOR_SIZE} bytes"
            )
        blank = _is_blank(path)
    except OSError as e:
        raise BadDisk(f"DISK={path}: {e.strerror}") from None
    # Root may write a file in spite of its mode, which says all the same what was meant.
    read_only = not found.st_mode & 0o222 or not os.access(path, os.W_OK)
    return Disk(path, blank, read_only)
