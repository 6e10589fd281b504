# SPDX-License-Identifier: MIT OR Apache-2.0
"""The program that came with the kernel: a read-only filesystem in a module of the loader's.

boot/app.py makes the image.  It stays where the loader put it, in memory of the type
"executable and modules", which is never reclaimed.
"""

import sys

import responses
import uctypes
import vfs

from pfm.memmap import protocol

# The module's file name, and where it is mounted.
NAME = "app.romfs"
FOLDER = "/app"


def mount():
    """Mount the program's folder and put it first on `sys.path`; do nothing if there is none.

    Prints a line if the module is no image.
    """
    for virt in responses.modules():
        file = uctypes.struct(virt, protocol.FILE)
        path = protocol.string_at(file.path)
        if path.split("/")[-1] != NAME:
            continue
        try:
            vfs.mount(vfs.VfsRom(uctypes.bytearray_at(file.address, file.size)), FOLDER)
        except OSError:
            print("{}: the module {} is no ROMFS image".format(FOLDER, path)[:80])
            return
        sys.path.insert(0, FOLDER)
        return
