"""Tags, which say who allocated: a number of 32 bits, or a text of one to four characters.

A text is a number whose four bytes are its characters, the first in the highest byte, padded
with spaces: "disk" is 0x6469736B.  So a text needs no table, and a tag means the same after a
soft reset.
Source: the pool tags of Windows (`ExAllocatePoolWithTag`), FourCC.
"""

import micropython
from micropython import const

from .arguments import number
from .errors import ArgumentError

# frame/entry.py
_TAG_MAX = const(0xFFFFFFFF)

_SIZE = const(4)
_SPACE = const(0x20)
_PRINTABLE_END = const(0x7F)

_ALLOWED = "0 to 2**32 - 1, or 1 to 4 ASCII characters"

# A global of this module is found faster than a builtin.
_STR = str


@micropython.native
def tag_number(tag):
    """Return the argument `tag` as a number.  Raises TypeError, ArgumentError.

    Without the Python heap, unless it raises.
    """
    if tag.__class__ is _STR:
        code = _number_of(tag, len(tag))
        if code >= 0:
            return code
        raise ArgumentError("tag", repr(tag), _ALLOWED)
    return number("tag", tag, 0, _TAG_MAX, _ALLOWED)


@micropython.viper
def _number_of(text: ptr8, size: int) -> int:
    """Return the number of a text, -1 if there is none; `size` counts its characters."""
    if size < 1 or size > _SIZE:
        return -1
    code = 0
    i = 0
    while i < _SIZE:
        byte = _SPACE
        if i < size:
            byte = int(text[i])
            # Bytes of a character beyond ASCII are not printable ASCII either.
            if byte < _SPACE or byte >= _PRINTABLE_END:
                return -1
            if byte == _SPACE and (i == 0 or i == size - 1):
                return -1
        code = code << 8 | byte
        i += 1
    return code


def tag_text(tag):
    """Return the text of a tag's number; in hexadecimal if it has none, `"-"` for 0 (no tag)."""
    if not tag:
        return "-"
    text = tag.to_bytes(_SIZE, "big")
    printable = all(_SPACE <= byte < _PRINTABLE_END for byte in text)
    return text.decode().rstrip() if printable and text[0] != _SPACE else "0x{:x}".format(tag)
