"""Checks of public arguments: each returns a plain integer, or raises before anything changes.

An instance of a subclass of int (`PFN`, `Phys`) is accepted everywhere and counts as its
value.
"""

from array import array

import micropython
from micropython import const

from .errors import ArgumentError

# A global of this module is found faster than a builtin.
_INT = int

# -1 stored in an unsigned 32-bit element.
_ELEMENT_MAX = const(0xFFFFFFFF)


def integer(name, value, allowed):
    """Return `value` as a plain int.

    Raises TypeError, with the argument's `name` and what is `allowed`, if it is not an
    integer.
    """
    try:
        # On an instance of a subclass of int, an operation returns a plain int.
        plain = value | 0
    except TypeError:
        plain = None
    if not isinstance(plain, int):
        raise TypeError("{}: {}, not {}".format(name, allowed, type(value).__name__))
    return plain


@micropython.native
def number(name, value, low, high, allowed):
    """Return `value` as a plain int in `low`..`high`.  Raises TypeError, ArgumentError."""
    if value.__class__ is _INT and low <= value <= high:
        return value
    return _number(name, value, low, high, allowed)


def _number(name, value, low, high, allowed):
    plain = integer(name, value, allowed)
    if not low <= plain <= high:
        raise ArgumentError(name, plain, allowed)
    return plain


@micropython.native
def frame_count(count):
    """Return the argument `count` as a plain int, 1 or more.  Raises TypeError, ArgumentError."""
    if count.__class__ is not _INT:
        count = integer("count", count, "1 frame or more")
    if count < 1:
        raise ArgumentError("count", count, "1 frame or more")
    return count


@micropython.native
def frames_array(frames):
    """Return the length of `frames`: an `array('I')` or a writable view of one, else TypeError."""
    kind = frames.__class__
    if kind is array:
        words = len(frames) == 0 or _stores_words(frames)
    else:
        words = kind is memoryview and _views_words(frames)
    if not words:
        given = "another array" if kind is array else kind.__name__
        raise TypeError("frames: an array('I'), not {}".format(given))
    return len(frames)


def _views_words(view):
    try:
        return len(view) == 0 or _stores_words(view)
    except TypeError:
        # The view is read-only.
        return False


@micropython.native
def _stores_words(frames):
    """Return whether the elements are unsigned and 32 bits wide.

    An array does not tell its typecode, so one element is written, read back and restored.
    """
    first = frames[0]
    frames[0] = -1
    stored = frames[0]
    frames[0] = first
    return stored == _ELEMENT_MAX


@micropython.viper
def elements_virt(frames: ptr32) -> int:
    """Return the signed address of an array's first element, without the Python heap."""
    return int(frames)
