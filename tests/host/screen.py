"""What a machine's screen shows, as characters: its picture matched against the font, cell by cell."""

import contextlib
import re
import time
from dataclasses import dataclass

import font
import prompt as prompts
import qemu
import qmp

FONT = qemu.ROOT / "build" / "third_party" / "spleen-8x16.hex"

# Seconds for something to appear, and for one machine.
TIMEOUT = 30
MACHINE_TIMEOUT = 120
# What a cell of no known character is read as.
UNKNOWN = "\0"
BLACK = bytes(3)
PPM = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")


@dataclass(frozen=True)
class Cell:
    """A character, and its colours as 3 bytes each."""

    character: str
    foreground: bytes
    background: bytes


class Reader:
    """Reads pictures; glyphs that have been seen are looked up."""

    def __init__(self):
        glyphs = font.read_hex(FONT)
        self._characters = {bitmap: chr(code) for code, bitmap in reversed(glyphs.items())}
        self._seen = {}

    def read(self, picture, scale):
        """The rows of cells of a picture in the PPM format."""
        header = PPM.match(picture)
        width, height = int(header[1]), int(header[2])
        pixels = memoryview(picture)[header.end() :]
        cell_width, cell_height = font.WIDTH * scale, font.HEIGHT * scale
        rows = []
        for top in range(0, height - cell_height + 1, cell_height):
            lines = [
                pixels[3 * width * y : 3 * width * (y + 1)] for y in range(top, top + cell_height)
            ]
            starts = range(0, 3 * (width - cell_width + 1), 3 * cell_width)
            cells = (b"".join([line[x : x + 3 * cell_width] for line in lines]) for x in starts)
            rows.append([self._cell(cell, scale) for cell in cells])
        return rows

    def _cell(self, block, scale):
        found = self._seen.get(block)
        if not found:
            found = self._seen[block] = self._match(block, scale)
        return found

    def _match(self, block, scale):
        pixels = [block[i : i + 3] for i in range(0, len(block), 3)]
        colours = sorted(set(pixels), key=lambda colour: colour != BLACK)
        if len(colours) == 1:
            return Cell(" ", colours[0], colours[0])
        if len(colours) == 2:
            for background, foreground in (colours, colours[::-1]):
                rows = [
                    pixels[i : i + font.WIDTH * scale]
                    for i in range(0, len(pixels), font.WIDTH * scale)
                ]
                bits = [[pixel == foreground for pixel in row] for row in rows]
                small = [row[::scale] for row in bits[::scale]]
                # Each pixel of the font is a square of pixels.
                if bits == [
                    [bit for bit in row for _ in range(scale)]
                    for row in small
                    for _ in range(scale)
                ]:
                    bitmap = bytes(sum(bit << 7 - i for i, bit in enumerate(row)) for row in small)
                    if bitmap in self._characters:
                        return Cell(self._characters[bitmap], foreground, background)
        return Cell(UNKNOWN, colours[-1], colours[0])


class Screen:
    """The screen of a machine whose monitor is at this path."""

    def __init__(self, path, scale=1):
        self._path = path
        self._reader = Reader()
        self.monitor = qmp.Monitor(path)
        self.scale = scale

    def picture(self, device=None):
        """The picture of the first display, or the one of this device, in the PPM format."""
        file = self._path.with_suffix(".ppm")
        self.monitor.screendump(file, format="ppm", device=device)
        return file.read_bytes()

    def cells(self, device=None):
        return self._reader.read(self.picture(device), self.scale)

    def text(self, device=None):
        """The rows, without blanks at their ends."""
        return ["".join(cell.character for cell in row).rstrip() for row in self.cells(device)]

    def until(self, condition, device=None):
        """Wait until `condition` holds of the text, which is returned.  Raises AssertionError."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            text = self.text(device)
            if condition(text):
                return text
            assert time.monotonic() < deadline, "\n".join(text)

    def until_shows(self, line, device=None):
        """Wait until a row begins with `line`, and return the text."""
        return self.until(lambda text: any(row.startswith(line) for row in text), device)

    def close(self):
        self.monitor.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def at_prompt(boot, micropython, directory, scale=1, extra=()):
    """A prompt and the screen that shows it; the monitor's socket is made in this folder."""
    path = directory / "qmp"
    options = [*qmp.listen(path), *extra]
    with prompts.at_prompt(boot, micropython, MACHINE_TIMEOUT, extra=options) as prompt:
        with Screen(path, scale) as screen:
            yield prompt, screen
