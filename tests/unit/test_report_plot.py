"""pfm/report/plot.py: curves in characters and as SVG."""

from array import array

from ktap import equal

from pfm.report import plot

ONE_PATH = "drawing does not use a manager"


def _text(*curves):
    return list(plot.text("title", curves, str))


def test_curve_in_characters():
    lines = _text(("up", array("I", range(16))))
    equal((lines[0], len(lines)), ("title", 18))
    equal(lines[1], "        15 |" + " " * 15 + "1")
    equal(lines[16], "         0 |1")
    equal(lines[17], "1 up  * several")


def test_where_curves_meet():
    lines = _text(("a", [0, 3]), ("b", [3, 3]))
    equal(lines[1], "         3 |2*")
    equal(lines[16], "         0 |1")


def test_long_curve_shows_its_first_and_last_value():
    lines = _text(("a", [5] + [0] * 999 + [5]))
    equal(len(lines[1]), 12 + 64)
    equal(lines[1], "         5 |1" + " " * 62 + "1")


def test_flat_at_zero_and_a_single_value():
    equal(_text(("a", [0, 0]))[16], "         0 |11")
    equal(_text(("a", [7]))[1], "         7 |1")


def test_picture():
    lines = list(plot.svg("a < b & c", (("x", [0, 5, 10]), ("y", [10])), str, "begin", "end"))
    text = "\n".join(lines)
    assert "a &lt; b &amp; c" in text
    assert 'points="48.0,272.0 320.0,160.0 592.0,48.0"' in text, text
    assert 'points="48.0,48.0"' in text
    assert ">begin<" in text and ">end<" in text
    equal(text.count("<text"), text.count("</text>"))


class _Screen:
    """What was drawn, in place of `fb.Screen`; a pixel is (red, green, blue)."""

    width = 496
    height = 296

    def __init__(self):
        self.lines = []
        self.texts = []
        self.filled = None

    def rgb(self, *parts):
        return parts

    def fill(self, pixel):
        self.filled = pixel

    def text(self, text, x, y, pixel):
        self.texts.append((text, x, y, pixel))

    def hline(self, x, y, width, pixel):
        self.lines.append((x, y, x + width, y, pixel))

    def vline(self, x, y, height, pixel):
        self.lines.append((x, y, x, y + height, pixel))

    def line(self, *line):
        self.lines.append(line)


def test_on_a_screen():
    screen = _Screen()
    plot.draw(screen, "title", (("x", [0, 5, 10]), ("y", [10])), str)
    equal(screen.filled, (255, 255, 255))
    blue = (0, 0x72, 0xB2)
    ink = (0, 0, 0)
    # The axes, and the curve that has more than one value.
    equal(
        screen.lines,
        [
            (48, 48, 48, 248, ink),
            (48, 248, 448, 248, ink),
            (48, 248, 248, 148, blue),
            (248, 148, 448, 48, blue),
        ],
    )
    equal([text for text, _, _, _ in screen.texts], ["title", "10", "0", "x", "y"])
    equal(screen.texts[3], ("x", 48, 280, blue))
    for _, _, y, _ in screen.texts:
        assert 0 <= y <= screen.height - 16, y
