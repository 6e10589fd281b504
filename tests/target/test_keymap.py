# SPDX-License-Identifier: MIT OR Apache-2.0
"""Layouts of the keyboard."""

import kernel
import keymap
from ktap import equal, raises

# Every printable ASCII character: what Python is written in.
_PRINTABLE = bytes(range(0x20, 0x7F)).decode()


def test_each_layout_types_every_printable_character():
    for name in keymap.LAYOUTS:
        typed = set(keymap.table(name))
        equal((name, [c for c in _PRINTABLE if ord(c) not in typed]), (name, []))


def test_each_key_has_a_character_with_shift_and_without():
    keys = len(keymap._CODES)
    for name, (plain, shifted, altgr, shifted_altgr) in keymap.LAYOUTS.items():
        equal((name, len(plain), len(shifted)), (name, keys, keys))
        assert len(altgr) <= keys and len(shifted_altgr) <= keys, name


def test_no_key_is_named_twice():
    codes = keymap._CODES + keymap._FIXED_CODES
    equal(len(set(codes)), len(codes))
    equal(len(keymap._FIXED_CODES), len(keymap._FIXED))


def test_unknown_layout():
    error = raises(ValueError, keymap.use, "klingon")
    equal(str(error), "keymap=klingon: must be one of de, fr, uk, us")


def test_table_of_a_wrong_size():
    for table in (b"", bytes(1023), bytes(1025)):
        error = raises(ValueError, kernel.keymap, table)
        equal(str(error), "keymap of {} bytes, not 1024".format(len(table)))
    raises(TypeError, kernel.keymap, None)
