# SPDX-License-Identifier: MIT OR Apache-2.0
"""The screens as a program sees them, and their absence."""

import fb
import kernel
import limine
import memorymap
import uctypes
from ktap import equal, raises, skip

from pfm.memmap import protocol


def _screen():
    if kernel.screen() is None:
        skip("this machine has no screen")
    return fb.Screen()


def test_no_screen():
    if kernel.screen() is not None:
        skip("this machine has a screen")
    equal(fb.screens(), [])
    for call in (fb.Screen, memorymap.Picture, memorymap.show):
        error = raises(fb.NoScreenError, call)
        equal((str(error), error.count), ("this machine has no screen", 0))


def test_a_screen_is_one_that_the_loader_gave():
    screen = _screen()
    response = uctypes.struct(limine.response("framebuffer"), protocol.FRAMEBUFFER_RESPONSE)
    given = []
    for number in range(response.framebuffer_count):
        pointer = uctypes.struct(response.framebuffers + 8 * number, {"virt": 0 | uctypes.UINT64})
        given.append(uctypes.struct(pointer.virt, protocol.FRAMEBUFFER_STRUCT))
    assert (screen.width, screen.height, screen.pitch, screen.bpp) in [
        (f.width, f.height, f.pitch, f.bpp) for f in given
    ]
    assert screen.virt & (1 << 64) - 1 in [f.address for f in given]
    equal(repr(fb.screens()[0]), repr(screen))


def test_number_of_a_screen_that_there_is_not():
    _screen()
    count = len(fb.screens())
    for number in (-1, count, 99):
        error = raises(fb.NoScreenError, fb.Screen, number)
        equal(str(error), "no screen {}, of {}".format(number, count))


def test_pixels_have_the_masks_bits():
    screen = _screen()
    equal(screen.rgb(0, 0, 0), 0)
    full = 0
    for number, (bits, shift) in enumerate((screen.red, screen.green, screen.blue)):
        colour = [0, 0, 0]
        colour[number] = 255
        equal(screen.rgb(*colour), ((1 << bits) - 1) << shift)
        full |= screen.rgb(*colour)
    equal(screen.rgb(255, 255, 255), full)
    for colour in ((-1, 0, 0), (0, 256, 0), (0, 0, 1000)):
        raises(ValueError, screen.rgb, *colour)


def test_glyphs():
    equal(len(kernel.glyph(ord("A"))), fb.FONT_HEIGHT)
    equal(kernel.glyph(ord(" ")), bytes(fb.FONT_HEIGHT))
    for unknown in (-1, 0, 0xFFFF, 0x10041, 1 << 60):
        equal(kernel.glyph(unknown), kernel.glyph(ord("?")))
