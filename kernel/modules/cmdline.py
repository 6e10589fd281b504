# SPDX-License-Identifier: MIT OR Apache-2.0
"""The kernel's command line: words separated by spaces, as the loader hands it over."""

import limine
import uctypes
from micropython import const

# "File Structure" of the Limine boot protocol: the response's second word points
# to it, and its fifth to the command line.
_FILE_OFFSET = const(8)
_STRING_OFFSET = const(32)
# "Executable Command Line Feature": the response's second word.
_CMDLINE_OFFSET = const(8)

# No loader passes a longer line; a string without an end is not read for ever.
_LENGTH_MAX = const(4096)

LOG_LEVELS = ("debug", "info", "warning", "error")
_SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class CommandLine:
    """What the command line asks for.

    `selftest` is None, "" for all tests or the substring of those wanted;
    `heap` is bytes or None, `disk` likewise or 0 for none, `loglevel` one of LOG_LEVELS or None; `bench` and
    `debug` are booleans; `ignored` lists the words that mean nothing here.
    """

    def __init__(self, text):
        self.text = text
        self.selftest = None
        self.bench = False
        self.debug = False
        self.heap = None
        self.disk = None
        self.loglevel = None
        self.ignored = []
        for word in text.split():
            if not self._take(word):
                self.ignored.append(word)

    def _take(self, word):
        key, equals, value = word.partition("=")
        if key == "selftest":
            self.selftest = value
        elif key == "bench" and not equals:
            self.bench = True
        elif key == "debug" and not equals:
            self.debug = True
        elif key == "heap" and size(value):
            self.heap = size(value)
        elif key == "disk" and value == "0":
            self.disk = 0
        elif key == "disk" and size(value):
            self.disk = size(value)
        elif key == "loglevel" and value in LOG_LEVELS:
            self.loglevel = value
        else:
            return False
        return True


def size(text):
    """Return `text`, a positive number with an optional suffix K, M, G or T, in bytes; None if it is none."""
    factor = _SUFFIXES.get(text[-1:].upper(), 0)
    digits = text[:-1] if factor else text
    if not digits.isdigit():
        return None
    return int(digits) * (factor or 1) or None


def _word_at(virt):
    return uctypes.struct(virt, {"value": uctypes.UINT64}).value


def _string_at(virt):
    text = bytearray()
    while virt and len(text) < _LENGTH_MAX:
        byte = uctypes.bytes_at(virt + len(text), 1)[0]
        if not byte:
            break
        text.append(byte if 32 <= byte < 127 else ord("?"))
    return text.decode()


def read():
    """Return the `CommandLine` that the loader passed, an empty one when it passed none."""
    response = limine.response("executable_file")
    if response is not None:
        return CommandLine(
            _string_at(_word_at(_word_at(response + _FILE_OFFSET) + _STRING_OFFSET))
        )
    response = limine.response("executable_cmdline")
    if response is not None:
        return CommandLine(_string_at(_word_at(response + _CMDLINE_OFFSET)))
    return CommandLine("")
