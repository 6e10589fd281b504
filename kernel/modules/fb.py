# SPDX-License-Identifier: MIT OR Apache-2.0
"""Drawing on the screen's framebuffers.

    with fb.Screen() as screen:
        screen.fill_rect(10, 10, 200, 100, screen.rgb(0, 114, 178))
        screen.text("hello", 20, 20, screen.rgb(255, 255, 255))

A screen never draws outside of itself.  Nothing here reads a framebuffer, which is slow.
"""

import kernel
import micropython
from micropython import const

from pfm.lock import critical

# kernel/font.h
FONT_WIDTH = const(8)
FONT_HEIGHT = const(16)


class NoScreenError(Exception):
    """The loader gave fewer framebuffers that can be used: `number` counts from 0, of `count`."""

    def __init__(self, number, count):
        super().__init__(
            "no screen {}, of {}".format(number, count) if count else "this machine has no screen"
        )
        self.number = number
        self.count = count


def screens():
    """Return a `Screen` for each framebuffer that the text is drawn on, in the loader's order.

    Garbled ones are left out (docs/screen.md).
    """
    return [Screen(number) for number in range(len(kernel.framebuffers()))]


def _masked(intensity, mask):
    """Return an intensity of 8 bits in a mask's place, its highest bits repeated below them."""
    size, shift = mask
    return (intensity << 8 | intensity) >> 16 - size << shift


class Screen:
    """One framebuffer: `width` and `height` in pixels, `pitch`, the bytes from a row to the next.

    `bpp` is the bits of a pixel, 16, 24 or 32; `red`, `green` and `blue` are its masks as
    (bits, shift), `virt` the address, a signed number.  In a `with` block no text is drawn on
    any screen.  Raises NoScreenError.
    """

    def __init__(self, number=0):
        found = kernel.framebuffers()
        if not 0 <= number < len(found):
            raise NoScreenError(number, len(found))
        self.number = number
        (
            self.virt,
            self.width,
            self.height,
            self.pitch,
            self.bpp,
            self.red,
            self.green,
            self.blue,
        ) = found[number]
        self._size = self.bpp // 8

    def __repr__(self):
        return "Screen {}: {}x{}, {} bits".format(self.number, self.width, self.height, self.bpp)

    def open(self):
        """Take all screens from the text, and make this one black."""
        kernel.screen(False)
        self.fill(0)

    def close(self):
        """Give all screens back to the text, which is drawn anew.  Twice does no harm."""
        with critical():
            kernel.screen(True)

    def __enter__(self):
        try:
            self.open()
        except BaseException as error:
            self.close()
            raise error
        return self

    def __exit__(self, kind, value, traceback):
        self.close()

    def rgb(self, red, green, blue):
        """Return the pixel of a colour, each part from 0 to 255.  Raises ValueError."""
        if not 0 <= min(red, green, blue) <= max(red, green, blue) <= 255:
            raise ValueError("colour ({}, {}, {}): not 0 to 255".format(red, green, blue))
        return _masked(red, self.red) | _masked(green, self.green) | _masked(blue, self.blue)

    def fill(self, pixel):
        """Make all of the screen one colour."""
        self.fill_rect(0, 0, self.width, self.height, pixel)

    def fill_rect(self, x, y, width, height, pixel):
        """Fill a rectangle.  Cost: a step per pixel, in viper."""
        end_x = min(x + width, self.width)
        end_y = min(y + height, self.height)
        x = max(x, 0)
        y = max(y, 0)
        if x < end_x and y < end_y:
            start = self.virt + y * self.pitch + x * self._size
            _fill(start, self.pitch, end_x - x, end_y - y, self._size, pixel)

    def pixel(self, x, y, pixel):
        """Set one pixel."""
        self.fill_rect(x, y, 1, 1, pixel)

    def hline(self, x, y, width, pixel):
        """Draw a line to the right."""
        self.fill_rect(x, y, width, 1, pixel)

    def vline(self, x, y, height, pixel):
        """Draw a line downwards."""
        self.fill_rect(x, y, 1, height, pixel)

    def rect(self, x, y, width, height, pixel):
        """Draw the edge of a rectangle, one pixel wide, inside of it."""
        self.hline(x, y, width, pixel)
        self.hline(x, y + height - 1, width, pixel)
        self.vline(x, y, height, pixel)
        self.vline(x + width - 1, y, height, pixel)

    def line(self, x, y, end_x, end_y, pixel):
        """Draw a line to (`end_x`, `end_y`).  Source: Bresenham's algorithm, 1965."""
        width = abs(end_x - x)
        height = -abs(end_y - y)
        step_x = 1 if x < end_x else -1
        step_y = 1 if y < end_y else -1
        error = width + height
        self.pixel(x, y, pixel)
        while x != end_x or y != end_y:
            twice = 2 * error
            if twice >= height:
                error += height
                x += step_x
            if twice <= width:
                error += width
                y += step_y
            self.pixel(x, y, pixel)

    def text(self, text, x, y, pixel, background=None, scale=1):
        """Write in the font of the console, characters of 8 x 16 pixels times `scale`.

        Without `background` what is behind the text stays.  A character that does not fit on
        the screen as a whole is not drawn.
        """
        if y < 0 or y + FONT_HEIGHT * scale > self.height or scale < 1:
            return
        behind = -1 if background is None else background
        row = self.virt + y * self.pitch
        for character in text:
            if 0 <= x <= self.width - FONT_WIDTH * scale:
                start = row + x * self._size
                _draw(
                    kernel.glyph(ord(character)),
                    start,
                    self.pitch,
                    self._size,
                    scale,
                    pixel,
                    behind,
                )
            x += FONT_WIDTH * scale


@micropython.viper
def _fill(start: int, pitch: int, width: int, height: int, size: int, pixel: int):
    """Fill `height` rows of `width` pixels of `size` bytes from the address `start` on."""
    while height:
        x = 0
        if size == 4:
            quads = ptr32(start)
            while x < width:
                quads[x] = pixel
                x += 1
        elif size == 2:
            pairs = ptr16(start)
            while x < width:
                pairs[x] = pixel
                x += 1
        else:
            octets = ptr8(start)
            while x < 3 * width:
                octets[x] = pixel
                octets[x + 1] = pixel >> 8
                octets[x + 2] = pixel >> 16
                x += 3
        start += pitch
        height -= 1


@micropython.viper
def _draw(rows: ptr8, start: int, pitch: int, size: int, scale: int, pixel: int, behind: int):
    """Draw a glyph at the address `start`; a `behind` below 0 is not drawn."""
    y = 0
    while y < FONT_HEIGHT * scale:
        bits = int(rows[y // scale])
        x = 0
        while x < FONT_WIDTH * scale:
            colour = pixel if bits & 0x80 >> x // scale else behind
            if colour >= 0:
                if size == 4:
                    ptr32(start)[x] = colour
                elif size == 2:
                    ptr16(start)[x] = colour
                else:
                    octets = ptr8(start + 3 * x)
                    octets[0] = colour
                    octets[1] = colour >> 8
                    octets[2] = colour >> 16
            x += 1
        start += pitch
        y += 1
