"""Arguments as plain integers: what is given to a public call, checked before anything changes.

An instance of a subclass of int (`PFN`, `Phys`) counts as its value everywhere.
"""

from array import array

import micropython
from micropython import const

from .errors import ArgumentError

# Found in this module's globals, where a builtin would be looked for in vain first.
_INT = int

# What a 32-bit element makes of -1.
_ELEMENT_MAX = const(0xFFFFFFFF)


def integer(name, value, allowed):
    """Return `value` as a plain int.  Raises TypeError, with `name` and what is `allowed`."""
    try:
        # An operation with a subclass on its left gives a plain int.
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
    """Return how many elements `frames` has; raise TypeError if it is no `array('I')` nor a view of one."""
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
        # Of what may not be written.
        return False


@micropython.native
def _stores_words(frames):
    """Return whether elements have 32 bits and no sign: there is no typecode to ask, so one is stored."""
    first = frames[0]
    frames[0] = -1
    stored = frames[0]
    frames[0] = first
    return stored == _ELEMENT_MAX


@micropython.viper
def elements_virt(frames: ptr32) -> int:
    """Return the signed address of an array's elements, without the heap."""
    return int(frames)
