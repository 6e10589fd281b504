"""Typing on the machine's keyboard, through QEMU's monitor."""

# QEMU's names of the keys, in the order of the strings in kernel/modules/keymap.py.
KEYS = (
    "grave_accent 1 2 3 4 5 6 7 8 9 0 minus equal "
    "q w e r t y u i o p bracket_left bracket_right "
    "a s d f g h j k l semicolon apostrophe backslash "
    "less z x c v b n m comma dot slash"
).split()

# The same keys of a US keyboard, plain and with Shift, and those that are the same everywhere.
_PLAIN = "`1234567890-=qwertyuiop[]asdfghjkl;'\\\0zxcvbnm,./"
_SHIFTED = '~!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"|\0ZXCVBNM<>?'
_OTHERS = {" ": ("spc",), "\n": ("ret",)}

# Milliseconds between a key's press and its release. QEMU notes 256 presses, then it drops them.
HOLD = 1


def press(monitor, *codes):
    """Press these keys together, by their QKeyCode, and release them."""
    keys = [{"type": "qcode", "data": code} for code in codes]
    monitor.command("send-key", keys=keys, **{"hold-time": HOLD})


def codes(character):
    """Return the keys that type this character on a US keyboard."""
    if character in _OTHERS:
        return _OTHERS[character]
    if character in _PLAIN:
        return (KEYS[_PLAIN.index(character)],)
    return "shift", KEYS[_SHIFTED.index(character)]
