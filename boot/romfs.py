"""A folder as an image of MicroPython's read-only filesystem, ROMFS.

Source of the format: extmod/vfs_rom.c of MicroPython. An image is a record; a record is its
kind, the length of its payload, and the payload, which may be records.
"""

import os
from pathlib import Path

# Kinds of records. The image's own is chosen so that it begins with "RM1".
FILESYSTEM = 0x14A6B1
DATA = 2
DIRECTORY = 4
FILE = 5

# What Python leaves beside sources.
LEFT_OUT = "__pycache__"


class BadFolder(Exception):
    """A folder cannot be made into an image; says which path in it, and why."""


def _number(value):
    """A number in bytes of 7 bits, the highest first, all but the last with bit 7 set."""
    encoded = [value & 0x7F]
    while value := value >> 7:
        encoded.append(0x80 | value & 0x7F)
    return bytes(reversed(encoded))


def _record(kind, payload):
    return _number(kind) + _number(len(payload)) + payload


def _name(path):
    try:
        name = path.name.encode()
    except UnicodeEncodeError:
        raise BadFolder(f"{os.fsencode(path)}: the name is not UTF-8") from None
    return _number(len(name)) + name


def _content(folder, above):
    """The records of what is in a folder; `above` are the folders that it is in, resolved."""
    records = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == LEFT_OUT:
            continue
        name = _name(path)
        if path.is_dir():
            resolved = path.resolve()
            if resolved in above:
                raise BadFolder(f"{path}: a link to a folder that it is in")
            records.append(_record(DIRECTORY, name + _content(path, {*above, resolved})))
        elif path.is_file():
            records.append(_record(FILE, name + _record(DATA, path.read_bytes())))
        else:
            raise BadFolder(f"{path}: neither a file nor a folder")
    return b"".join(records)


def image(folder):
    """Return the image of a folder, the same bytes for the same content.

    Links are followed. Left out are names that begin with a dot, and __pycache__. Raises
    BadFolder."""
    folder = Path(folder)
    try:
        content = _content(folder, {folder.resolve()})
    except (OSError, RuntimeError) as e:
        raise BadFolder(str(e)) from e
    made = _record(FILESYSTEM, content)
    if len(made) % 2:
        # The format wants an even length; a number may begin with zeros.
        made = _number(FILESYSTEM) + b"\x80" + _number(len(content)) + content
    return made
