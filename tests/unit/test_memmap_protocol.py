"""pfm/memmap/protocol.py: strings of the loader's, and names of types."""

from ktap import equal
from uctypes import addressof

from pfm.memmap import protocol

ONE_PATH = "only memory"


def test_strings():
    equal(protocol.string_at(0), "")
    for data, text in ((b"", ""), (b"heap=1M", "heap=1M"), (b"a\xffb\nc", "a?b?c")):
        kept = bytearray(data + b"\0rest")
        equal(protocol.string_at(addressof(kept)), text)


def test_string_without_an_end():
    kept = bytearray(b"x" * 5000)
    equal(protocol.string_at(addressof(kept)), "x" * 4096)


def test_names_of_types():
    equal(protocol.type_name(protocol.USABLE), "usable")
    equal(protocol.type_name(protocol.FRAMEBUFFER), "framebuffer")
    for kind in (-1, len(protocol.TYPE_NAMES), 1 << 64):
        equal(protocol.type_name(kind), "unknown type {}".format(kind))
