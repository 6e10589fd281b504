# SPDX-License-Identifier: MIT OR Apache-2.0
"""The kernel's command line: words separated by spaces."""

import limine
import uctypes
from micropython import const

from pfm import log
from pfm.memmap import protocol

# Feature "Executable Command Line" of the Limine boot protocol.
_CMDLINE_RESPONSE = {"revision": 0 | uctypes.UINT64, "cmdline": 8 | uctypes.UINT64}

# How much is reported at power on, by bootreport.py.
VERBOSE = "verbose"
QUIET = "quiet"

# More have not been tried.
PROCESSORS_MAX = const(64)

_SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

# As kernel.screen_scale takes them.
_SCALES = ("1", "2", "3", "4", "5", "6", "7", "8")


class CommandLine:
    """The settings of a command line.

    `selftest` is None, "" for all tests or a part of the names of those to run; `run` is a
    module's name or None; `heap` is a size in bytes or None; `disk` is a size in bytes, 0 for
    no disk, or None; `processors` is how many are to run at most, or None; `root` is whether the
    lasting disk is to be `/`; `format` is what a blank one is made, "fat", "littlefs" or None;
    `scale` is the screen's scale, 0 if none is given; `keymap` is a layout's name, known or not, or None;
    `loglevel` is one of `pfm.log.NAMES` or None; `debug` is a boolean; `report` is VERBOSE, QUIET
    or None; `ignored` lists the unknown words, but for those of the environment: NAME=value, in
    capital letters, which `os.getenv` finds.
    """

    def __init__(self, text):
        self.text = text
        self.selftest = None
        self.run = None
        self.debug = False
        self.heap = None
        self.disk = None
        self.scale = 0
        self.keymap = None
        self.root = False
        self.format = None
        self.processors = None
        self.loglevel = None
        self.report = None
        self.ignored = []
        for word in text.split():
            if not self._take(word):
                self.ignored.append(word)

    def _take(self, word):
        key, equals, value = word.partition("=")
        if key == "selftest":
            self.selftest = value
        elif key == "run" and value:
            self.run = value
        elif key == "debug" and not equals:
            self.debug = True
        elif key == "heap" and size(value):
            self.heap = size(value)
        elif key == "disk" and value == "0":
            self.disk = 0
        elif key == "disk" and size(value):
            self.disk = size(value)
        elif key == "scale" and value in _SCALES:
            self.scale = int(value)
        elif key == "keymap" and value:
            self.keymap = value
        elif word == "root=disk":
            self.root = True
        elif key == "format" and value in ("fat", "littlefs"):
            self.format = value
        elif key == "processors" and value == "all":
            self.processors = PROCESSORS_MAX
        elif key == "processors" and value.isdigit() and 1 <= int(value) <= PROCESSORS_MAX:
            self.processors = int(value)
        elif key == "loglevel" and value in log.NAMES:
            self.loglevel = value
        elif key in (VERBOSE, QUIET) and not equals:
            self.report = key
        else:
            return equals and key.isupper()
        return True


def size(text):
    """Return `text`, a positive number with an optional suffix K, M, G or T, in bytes.

    Returns None if it is no such number.
    """
    factor = _SUFFIXES.get(text[-1:].upper(), 0)
    digits = text[:-1] if factor else text
    if not digits.isdigit():
        return None
    return int(digits) * (factor or 1) or None


def read():
    """Return the `CommandLine` from the loader, an empty one if there is none."""
    virt = limine.response("executable_file")
    if virt is not None:
        response = uctypes.struct(virt, protocol.EXECUTABLE_FILE_RESPONSE)
        return CommandLine(protocol.string_at(uctypes.struct(response.file, protocol.FILE).string))
    virt = limine.response("executable_cmdline")
    if virt is not None:
        return CommandLine(protocol.string_at(uctypes.struct(virt, _CMDLINE_RESPONSE).cmdline))
    return CommandLine("")
