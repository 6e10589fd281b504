# SPDX-License-Identifier: MIT OR Apache-2.0
"""Layouts of the keyboard: which characters its keys type.

A layout is four strings, a character for each key of `_CODES`: plain, with Shift, with AltGr,
with both.  A blank, and what a string lacks at its end, types nothing.
"""

import array

import kernel
from micropython import const

# The keys by their codes of scan code set 1, in the order of the strings: the row of digits,
# three rows of letters.  The last key of the third row is beside or above Enter; the first of
# the fourth, right of the left Shift, is missing on keyboards of the US.
_CODES = (
    b"\x29\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d"
    b"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b"
    b"\x1e\x1f\x20\x21\x22\x23\x24\x25\x26\x27\x28\x2b"
    b"\x56\x2c\x2d\x2e\x2f\x30\x31\x32\x33\x34\x35"
)

# Escape, Backspace, Tab, Enter, the space bar and the keypad type the same in every layout.
_FIXED_CODES = b"\x01\x0e\x0f\x1c\x39\x37\x47\x48\x49\x4a\x4b\x4c\x4d\x4e\x4f\x50\x51\x52\x53"
_FIXED = "\x1b\x7f\t\r *789-456+1230."

# Levels and keys of the kernel's table.
_LEVELS = const(4)
_KEYS = const(128)

DEFAULT = "us"

LAYOUTS = {
    "us": (
        "`1234567890-=qwertyuiop[]asdfghjkl;'\\\\zxcvbnm,./",
        '~!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"||ZXCVBNM<>?',
        "",
        "",
    ),
    "uk": (
        "`1234567890-=qwertyuiop[]asdfghjkl;'#\\zxcvbnm,./",
        '¬!"£$%^&*()_+QWERTYUIOP{}ASDFGHJKL:@~|ZXCVBNM<>?',
        "¦   €          é   úíó   á",
        "               É   ÚÍÓ   Á",
    ),
    "de": (
        "^1234567890ß´qwertzuiopü+asdfghjklöä#<yxcvbnm,.-",
        "°!\"§$%&/()=?`QWERTZUIOPÜ*ASDFGHJKLÖÄ'>YXCVBNM;:_",
        "  ²³   {[]}\\ @ €        ~            |      µ   ",
        "",
    ),
    "fr": (
        "²&é\"'(-è_çà)=azertyuiop^$qsdfghjklmù*<wxcvbn,;:!",
        " 1234567890°+AZERTYUIOP¨£QSDFGHJKLM%µ>WXCVBN?./§",
        "  ~#{[|`\\^@]}  €        ¤",
        "",
    ),
}


def defect(name):
    """Return what is wrong with this name of a layout, as a line, or None."""
    if name in LAYOUTS:
        return None
    return "keymap={}: must be one of {}".format(name, ", ".join(sorted(LAYOUTS)))


def table(name):
    """Return the layout of this name as `kernel.keymap` wants it.  Raises ValueError."""
    if defect(name):
        raise ValueError(defect(name))
    points = array.array("H", bytes(2 * _LEVELS * _KEYS))
    for level, characters in enumerate(LAYOUTS[name]):
        row = level * _KEYS
        for i, character in enumerate(_FIXED):
            points[row + _FIXED_CODES[i]] = ord(character)
        for i, character in enumerate(characters):
            if character != " ":
                points[row + _CODES[i]] = ord(character)
    return points


def use(name):
    """Have the keyboard type as the layout of this name says, until the next soft reset.

    Raises ValueError.
    """
    kernel.keymap(table(name))


def start(name):
    """Use the layout of this name, or the default if it is None or unknown."""
    use(name if name in LAYOUTS else DEFAULT)
