"""pfm/fill.py: fills that write all that they are asked to and nothing beside it."""

import struct

from ktap import equal
from uctypes import addressof

from pfm import fill
from pfm.frame.entry import ENTRY_SIZE

ONE_PATH = "only memory"

_EDGE = b"\x5a" * ENTRY_SIZE


def _filled(size, call, *args):
    """Return what `call(address, *args)` makes of `size` bytes, and expect those around them to stay."""
    memory = bytearray(_EDGE + b"\xa5" * size + _EDGE)
    call(addressof(memory) + len(_EDGE), *args)
    equal(memory[: len(_EDGE)], _EDGE)
    equal(memory[-len(_EDGE) :], _EDGE)
    return bytes(memory[len(_EDGE) : -len(_EDGE)])


def test_zero_of_any_size():
    # On both sides of what one row of a FrameBuffer takes.
    for size in (0, 1, 8, 4096, 65535, 65536, 65537, 200000):
        equal(_filled(size, fill.zero, size), bytes(size))


def test_entries_are_stored_and_copied():
    entry = struct.pack("<IIII", 0xC0000400, 0, 0, 0x100) + bytes(16)
    # On both sides of how many are stored one by one, and of its doubles.
    for count in (0, 1, 127, 128, 129, 256, 257, 1000):
        found = _filled(count * ENTRY_SIZE, fill.entries, count, 0xC0000400, 0x100)
        assert found == entry * count, count


def test_words():
    for count in (0, 4, 1024):
        found = _filled(4 * count, fill.words, count, 0x12345678)
        equal(found, struct.pack("<I", 0x12345678) * count)
