"""Drawing on the screen, and the picture of memory: QEMU's picture of it next to what pfm says."""

import re
from dataclasses import replace

import font
import pytest
import screen as screens
from prompt import Raised

# The most by which a colour of 5 bits differs from the same of 8 bits.
ROUNDING = 8

FREE = (0x22, 0x33, 0x2B)
TITLE = "Memory: a cell is "

MODES = ("640x480x16", "800x600x24", "1280x800x32")

TAKE = """
size = 4 * picture.cells.frames
pfn = PFM.alloc_contiguous(size, size, tag="net")
"""


class Picture:
    """A picture of the screen in the PPM format."""

    def __init__(self, ppm):
        header = screens.PPM.match(ppm)
        self.width, self.height = int(header[1]), int(header[2])
        self._pixels = ppm[header.end() :]

    def colour(self, x, y):
        at = 3 * (y * self.width + x)
        return tuple(self._pixels[at : at + 3])


def _same(one, other):
    return all(abs(a - b) <= ROUNDING for a, b in zip(one, other, strict=True))


def _legend(text):
    """{name: (size, row, column)} of the picture's legend, in characters."""
    found = {}
    for number, row in enumerate(text):
        for label in re.finditer(r"(\w+) +([0-9.]+ [KMGT]iB)", row):
            found[label[1]] = (label[2], number, label.start())
    return found


def _square(picture, place):
    """The colour of the square before a name of the legend."""
    _, row, column = place
    return picture.colour((column - 2) * font.WIDTH + 2, row * font.HEIGHT + font.HEIGHT // 2)


def _cell(picture, position):
    """The colours at a cell's upper left and its lower right."""
    x, y, width, height = position
    return picture.colour(x, y), picture.colour(x + width - 1, y + height - 1)


@pytest.fixture(params=MODES)
def machine(request, stand_in, micropython, tmp_path):
    boot = replace(stand_in.with_cmdline(""), options=f"framebuffer={request.param}")
    with screens.at_prompt(boot, micropython, tmp_path) as (prompt, screen):
        yield prompt, screen


def test_pictures(machine):
    """One machine for each depth: what is drawn, what changes, and who gets the screen back."""
    prompt, screen = machine
    prompt.run("import fb, kernel, memorymap, pfm\nfrom pfm.units import human_size")
    _shows_memory(prompt, screen)
    _draws(prompt, screen)
    _gives_back(prompt, screen)
    prompt.run("kernel.screen_scale(2)\npicture = memorymap.Picture()\npicture.open()")
    # A small screen has no room for a legend of that size.
    screen.scale = 2 if prompt.value("picture.screen.width") >= 1280 else 1
    assert _legend(screen.text())["heap"][0] == _size(prompt, "PFM.owners().frames('heap')")


def _size(prompt, expression):
    return prompt.value(f"human_size({expression} << 12)")


def _shows_memory(prompt, screen):
    prompt.run("picture = memorymap.Picture()\npicture.open()")
    text = screen.text()
    assert text[0].startswith(TITLE + _size(prompt, "picture.cells.frames"))
    legend = _legend(text)
    assert legend["free"][0] == _size(prompt, "sum(PFM.count_free())")
    assert legend["heap"][0] == _size(prompt, "PFM.owners().frames('heap')")
    assert {"array", "kernel", "loader", "disk"} <= set(legend) and "net" not in legend
    picture = Picture(screen.picture())
    assert _same(_square(picture, legend["free"]), FREE)
    for owner in ("heap", "disk"):
        place = prompt.value(f"picture.position(next(iter(PFM.blocks(tag='{owner}'))).pfn + 64)")
        colour = _square(picture, legend[owner])
        assert _cell(picture, place) == (colour, colour)

    # Allocated: its four cells take a new colour, no others change.
    prompt.run(TAKE)
    places = [prompt.value(f"picture.position(pfn + size * {n} // 4)") for n in range(4)]
    assert all(_same(colour, FREE) for place in places for colour in _cell(picture, place))
    assert prompt.value("picture.refresh()") == 4
    taken = Picture(screen.picture())
    legend = _legend(screen.text())
    assert legend["net"][0] == _size(prompt, "size")
    assert legend["free"][0] == _size(prompt, "sum(PFM.count_free())")
    colour = _square(taken, legend["net"])
    assert not _same(colour, FREE)
    assert [_cell(taken, place) for place in places] == [(colour, colour)] * 4
    assert prompt.value("picture.refresh()") == 0

    # Freed but for one frame: its cell is filled from below.
    prompt.run("PFM.free(pfn)\nPFM.alloc_at(pfn, 1, tag='net')\npicture.refresh()")
    upper, lower = _cell(Picture(screen.picture()), places[0])
    assert _same(upper, FREE) and lower == colour
    prompt.run("PFM.free(pfn)\npicture.refresh()")
    assert "net" not in _legend(screen.text())
    assert all(_same(c, FREE) for c in _cell(Picture(screen.picture()), places[0]))

    # The loader's memory is given to the allocator, and a sandbox has a picture, too.
    prompt.run("PFM.reclaim()\npicture.refresh()")
    legend = _legend(screen.text())
    assert "loader" not in legend
    assert legend["free"][0] == _size(prompt, "sum(PFM.count_free())")
    prompt.run(
        "lab = pfm.sandbox(4)\nlab.alloc(3, tag='mine')\n"
        "inner = memorymap.Picture(lab)\ninner.open()"
    )
    legend = _legend(screen.text())
    assert legend["mine"][0] == "32 KiB" and "heap" not in legend
    prompt.run("lab.close(force=True)\ninner.close()\npicture.close()\nprint('\\nclosed')")
    screen.until_shows("closed")


DRAW = """
screen = fb.Screen()
screen.open()
white, red = screen.rgb(255, 255, 255), screen.rgb(255, 0, 0)
right, bottom = screen.width - 1, screen.height - 1
screen.fill_rect(-5, -5, 8, 8, white)
screen.fill_rect(right - 2, bottom - 2, 100, 100, red)
screen.fill_rect(20, 20, 0, 5, white)
screen.fill_rect(right + 1, 20, 5, 5, white)
screen.rect(100, 100, 20, 10, red)
screen.line(200, 100, 210, 105, white)
screen.line(-3, 150, 3, 150, white)
screen.text("fits", 160, 48, white, red, 1)
screen.text("cut", right - 15, 64, white)
screen.text("cut", right - 3, 80, white)
screen.text("cut", -8, 80, white)
screen.text("out", 0, bottom, white)
"""


def _draws(prompt, screen):
    prompt.run(DRAW)
    picture = Picture(screen.picture())
    right, bottom = picture.width - 1, picture.height - 1
    white, red, black = (255, 255, 255), (255, 0, 0), (0, 0, 0)
    assert [picture.colour(n, n) for n in (0, 2, 3)] == [white, white, black]
    assert [picture.colour(right - n, bottom - n) for n in (0, 2, 3)] == [red, red, black]
    assert [picture.colour(n, 20) for n in (0, 20)] == [black, black]
    assert [picture.colour(n, 109) for n in (99, 100, 119, 120)] == [black, red, red, black]
    assert picture.colour(101, 101) == black
    ends = [picture.colour(*at) for at in ((200, 100), (210, 105), (210, 100))]
    assert ends == [white, white, black]
    assert [picture.colour(n, 150) for n in (0, 3, 4)] == [white, white, black]
    cells = screen.cells()
    fits = cells[3][20:24]
    assert "".join(cell.character for cell in fits) == "fits"
    assert {(cell.foreground, cell.background) for cell in fits} == {(bytes(white), bytes(red))}
    assert "".join(cell.character for cell in cells[4][-3:]) == " cu"
    assert "".join(cell.character for cell in cells[5]).strip() == "ut"
    assert picture.colour(4, bottom) == black
    prompt.run("screen.close()\nscreen.close()\nprint('\\nback')")
    screen.until_shows("back")


LIVE = """
with memorymap.Picture() as picture:
    print("drawn")
    while True:
        picture.refresh()
"""


def _until_drawn(screen):
    screen.until(lambda text: text[0].startswith(TITLE))


def _gives_back(prompt, screen):
    """Whatever ends the program: an interrupt, an error, a key, the time."""
    prompt.send(LIVE)
    prompt.machine.read_until(b"drawn")
    _until_drawn(screen)
    prompt.machine.write(b"\x03")
    with pytest.raises(Raised, match="KeyboardInterrupt"):
        prompt.finish()
    prompt.run("print('\\ninterrupted')")
    screen.until_shows("interrupted")
    # It can still be used.
    prompt.run("picture.open()")
    assert _legend(screen.text())["free"][0] == _size(prompt, "sum(PFM.count_free())")
    assert prompt.value("sum(picture.cells.totals) - PFM.count_present()") == 0
    prompt.run("picture.close()")

    with pytest.raises(Raised, match="ZeroDivisionError"):
        prompt.run("with fb.Screen():\n    1 / 0")
    prompt.run("print('\\nraised')")
    screen.until_shows("raised")

    prompt.send("memorymap.show()\nprint('\\nkey')")
    _until_drawn(screen)
    screen.monitor.send_key("up")
    prompt.finish()
    screen.until_shows("key")

    prompt.run("memorymap.show(seconds=0)\nprint('\\ntime')")
    screen.until_shows("time")
