# SPDX-License-Identifier: MIT OR Apache-2.0
"""A picture of memory on the screen: who has which part of it.

    memorymap.show()

A cell is a range of physical memory, a line of cells goes from left to right.  The share of a
cell that is in use is filled from below, in the colour of whoever has most of that.
"""

import select
import sys
import time

import fb
import kernel
from micropython import const

from pfm import PFM
from pfm.address import PAGE_SHIFT
from pfm.lock import critical
from pfm.questions.cells import LEVEL_MASK, NO_RAM, OWNER_FREE, OWNER_SHIFT, OWNERS, Cells
from pfm.units import human_size, phys_text

# Colours by owner, as 0xRRGGBB; those of the tags first from a palette whose colours stay apart
# for the colour-blind (Okabe and Ito, "Color Universal Design", 2008).
_OWN_COLOURS = (0x000000, 0x22332B, 0xFFFFFF, 0xCC79A7, 0xD55E00, 0x808080, 0x8B5A2B, 0x7F1D1D)
_TAG_COLOURS = (0x56B4E9, 0xF0E442, 0x009E73, 0xE69F00, 0x0072B2, 0xFF5555, 0xB388FF, 0x7FFF7F)
_WORDS = const(0xAAAAAA)
_PAPER = const(0x000000)

# Characters: of an address with a blank behind it; of a label in the legend, with its square.
_MARGIN = const(16)
_LABEL = const(22)
# Pixels of a cell's side at least, with the gap to the next, times the scale of the text.
_CELL_MIN = const(6)
_COLUMNS_MIN = const(16)

# Between two looks at memory and keyboard.
_PERIOD_MS = const(200)


class Picture:
    """The memory of a manager on a screen, from `open` to `close`, or in a `with` block.

    Raises NotInitialisedError, fb.NoScreenError, MemoryError.
    """

    def __init__(self, manager=PFM, screen=None):
        self.screen = screen or fb.Screen()
        # That of the text, but where the legend would take more than a third.
        self._scale = kernel.screen()[2]
        while self._scale > 1 and self._legend_rows() * 3 > self._rows():
            self._scale -= 1
        self._line_height = fb.FONT_HEIGHT * self._scale
        self._left = _MARGIN * fb.FONT_WIDTH * self._scale
        width = self.screen.width - self._left
        columns = _COLUMNS_MIN
        while columns * 2 * _CELL_MIN * self._scale <= width:
            columns *= 2
        # Of a cell, in pixels; the next begins one pixel further.
        self._side = max(width // columns - 1, 1)
        # On the lines that the console's text would have.
        self._legend = (self._rows() - self._legend_rows()) * self._line_height
        self._top = self._line_height * 3 // 2
        rows = (self._legend - self._top - self._line_height // 2) // (self._side + 1)
        self.cells = Cells(manager, columns, max(rows, 1), self._side)
        self._pixels = [self._pixel(colour) for colour in _OWN_COLOURS + _TAG_COLOURS]
        self._labels = [None] * OWNERS
        self._busy = False
        # Whether what an interrupt has left out is still to be drawn.
        self._stale = False

    def _rows(self):
        """Return how many lines of text the screen has."""
        return self.screen.height // (fb.FONT_HEIGHT * self._scale)

    def _legend_columns(self):
        return max(self.screen.width // (_LABEL * fb.FONT_WIDTH * self._scale), 1)

    def _legend_rows(self):
        return (OWNERS - 2) // self._legend_columns() + 1

    def _pixel(self, colour):
        return self.screen.rgb(colour >> 16, colour >> 8 & 0xFF, colour & 0xFF)

    def open(self):
        """Take the screens from the text, and draw everything."""
        self.screen.open()
        self.draw()

    def close(self):
        """Give the screens back to the text.  Twice does no harm."""
        self.screen.close()

    def __enter__(self):
        try:
            self.open()
        except BaseException as error:
            self.close()
            raise error
        return self

    def __exit__(self, kind, value, traceback):
        self.close()

    def position(self, pfn):
        """Return the (x, y, width, height) of the cell that shows the frame `pfn`, or None."""
        for number, line in enumerate(self.cells.lines):
            if not line.hole and 0 <= pfn - line.start < self.cells.columns * self.cells.frames:
                x, y = self._at(number, (pfn - line.start) // self.cells.frames)
                return x, y, self._side, self._side
        return None

    def _at(self, number, column):
        return self._left + column * (self._side + 1), self._top + number * (self._side + 1)

    def draw(self):
        """Draw everything anew.  Returns as `refresh`.  Cost: a step per pixel."""
        return self._alone(self._draw)

    def refresh(self):
        """Draw what has changed.  Returns how many cells have; 0 inside another call of these.

        A timer may call this, too.  Cost: a step per block and cell, in viper; a call per line,
        owner and changed cell.
        """
        return self._alone(self._refresh)

    def _alone(self, work):
        """Return `work()`, or 0 where this interrupts itself."""
        mine = False
        try:
            with critical():
                mine = not self._busy
                self._busy = True
            if not mine:
                return 0
            stale = self._stale
            self._stale = True
            changes = self._draw() if stale else work()
            self._stale = False
            return changes
        finally:
            with critical():
                if mine:
                    self._busy = False

    def _draw(self):
        self.cells.arrange()
        self.cells.redo()
        self.screen.fill(self._pixel(_PAPER))
        title = "Memory: a cell is {}, a line {}".format(
            human_size(self.cells.frames << PAGE_SHIFT),
            human_size(self.cells.frames * self.cells.columns << PAGE_SHIFT),
        )
        self._text(title, 0, 0)
        self._draw_addresses()
        for owner in range(OWNERS):
            self._labels[owner] = None
        return self._update()

    def _refresh(self):
        if self.cells.arrange():
            return self._draw()
        return self._update()

    def _update(self):
        self.cells.forget()
        changes = 0
        for number in range(len(self.cells.lines)):
            count = self.cells.update(number)
            for i in range(count):
                self._draw_cell(number, self.cells.changed[i])
            changes += count
        self._draw_legend()
        return changes

    def _draw_addresses(self):
        free = 0
        for number, line in enumerate(self.cells.lines):
            x, y = self._at(number, 0)
            if line.hole:
                width = self.cells.columns * (self._side + 1) - 1
                self.screen.hline(x, y + self._side // 2, width, self._pixel(_WORDS))
            elif y >= free:
                self._text(phys_text(line.start << PAGE_SHIFT), 0, y)
                free = y + self._line_height

    def _draw_cell(self, number, column):
        state = self.cells.state(number, column)
        owner = state >> OWNER_SHIFT
        level = state & LEVEL_MASK
        x, y = self._at(number, column)
        side = self._side
        if owner != NO_RAM and level < side:
            self.screen.fill_rect(x, y, side, side - level, self._pixels[OWNER_FREE])
        self.screen.fill_rect(x, y + side - level, side, level, self._pixels[owner])

    def _draw_legend(self):
        for owner in range(OWNER_FREE, OWNERS):
            label = ""
            if self.cells.totals[owner]:
                size = human_size(self.cells.totals[owner] << PAGE_SHIFT)
                label = "{:<8} {:>9}".format(self.cells.name(owner), size)
            if label != self._labels[owner]:
                row, column = divmod(owner - OWNER_FREE, self._legend_columns())
                x = column * _LABEL * fb.FONT_WIDTH * self._scale
                y = self._legend + row * self._line_height
                square = fb.FONT_WIDTH * self._scale
                colour = self._pixels[owner] if label else self._pixel(_PAPER)
                self.screen.fill_rect(x, y + square // 2, square, square, colour)
                self._text("{:<18}".format(label), x + 2 * square, y)
                self._labels[owner] = label

    def _text(self, text, x, y):
        self.screen.text(text, x, y, self._pixel(_WORDS), self._pixel(_PAPER), self._scale)


def show(manager=PFM, seconds=None):
    """Show memory, live, until a key is pressed, or for so many seconds.

    Raises NotInitialisedError, fb.NoScreenError, MemoryError.
    """
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    start_ms = time.ticks_ms()
    with Picture(manager) as picture:
        while not poll.poll(_PERIOD_MS):
            picture.refresh()
            if (
                seconds is not None
                and time.ticks_diff(time.ticks_ms(), start_ms) >= seconds * 1000
            ):
                return
        # A key may send several characters.
        while poll.poll(0):
            sys.stdin.read(1)
