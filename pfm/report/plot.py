"""Curves over a common axis, drawn in characters, as SVG, and on a screen."""

# The drawing in characters: with its scale of ten columns and a border it fits 79 by 24.
_COLUMNS = 64
_ROWS = 16
_SCALE = 10

# The picture, in its own units; colours that stay apart for the colour-blind.
# Source: Okabe and Ito, "Color Universal Design", 2008.
_WIDTH = 640
_HEIGHT = 320
_MARGIN = 48
_COLOURS = (0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x000000)
_PAPER = 0xFFFFFF
_INK = 0x000000

# On a screen: the height of a line of text, and between the names of two curves, in pixels.
_LINE = 16
_NAMES = 110


def _bounds(curves):
    """Return the greatest value of all curves, 1 if none is positive."""
    return max([max(values) for _, values in curves if len(values)] + [0]) or 1


def text(title, curves, say):
    """Yield the lines of a drawing of `curves`, (name, values from 0 up) of equal length.

    `say(value)` returns the text of a value on the scale.  A curve is drawn with its number,
    and where several meet, with `*`.
    """
    top = _bounds(curves)
    count = max([len(values) for _, values in curves])
    columns = min(count, _COLUMNS)
    rows = [bytearray(b" " * columns) for _ in range(_ROWS)]
    for number, (_, values) in enumerate(curves, 1):
        mark = ord(str(number))
        for column in range(columns):
            # The last column shows the last value.
            value = values[column * (count - 1) // (columns - 1) if columns > 1 else count - 1]
            row = rows[_ROWS - 1 - int(value * (_ROWS - 1) / top + 0.5)]
            row[column] = mark if row[column] in (ord(" "), mark) else ord("*")
    yield title
    for at, row in enumerate(rows):
        scale = say(top) if at == 0 else say(0) if at == _ROWS - 1 else ""
        yield "{:>{}} |{}".format(scale, _SCALE, row.decode()).rstrip()
    yield (
        "  ".join(["{} {}".format(number, name) for number, (name, _) in enumerate(curves, 1)])
        + "  * several"
    )


def svg(title, curves, say, start="", end=""):
    """Yield the lines of an SVG picture of the same; `start` and `end` mark the axis."""
    top = _bounds(curves)
    bottom = _HEIGHT - _MARGIN
    right = _WIDTH - _MARGIN
    yield (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" '
        'font-family="sans-serif" font-size="12">'.format(_WIDTH, _HEIGHT)
    )
    yield '<rect width="100%" height="100%" fill="#ffffff"/>'
    yield _label(_MARGIN, 20, title)
    yield '<path d="M{0} {1}V{2}H{3}" fill="none" stroke="#000000"/>'.format(
        _MARGIN, _MARGIN, bottom, right
    )
    yield _label(4, _MARGIN - 6, say(top))
    yield _label(4, bottom, say(0))
    yield _label(_MARGIN, bottom + 18, start)
    yield _label(right, bottom + 18, end, "end")
    for at, (name, values) in enumerate(curves):
        colour = "#{:06x}".format(_COLOURS[at % len(_COLOURS)])
        step = (right - _MARGIN) / max(1, len(values) - 1)
        points = " ".join(
            [
                "{:.1f},{:.1f}".format(
                    _MARGIN + x * step, bottom - (bottom - _MARGIN) * value / top
                )
                for x, value in enumerate(values)
            ]
        )
        yield '<polyline points="{}" fill="none" stroke="{}"/>'.format(points, colour)
        yield _label(_MARGIN + 110 * at, _HEIGHT - 8, name, "start", colour)
    yield "</svg>"


def draw(screen, title, curves, say):
    """Draw the same on all of `screen`, which has the attributes and calls of `fb.Screen`.

    Cost: a call for each pixel of the curves.
    """

    def pixel(colour):
        return screen.rgb(colour >> 16, colour >> 8 & 0xFF, colour & 0xFF)

    top = _bounds(curves)
    bottom = screen.height - _MARGIN
    width = screen.width - 2 * _MARGIN
    ink = pixel(_INK)
    screen.fill(pixel(_PAPER))
    screen.text(title, _MARGIN, 0, ink)
    screen.text(say(top), 0, _MARGIN - _LINE - 2, ink)
    screen.text(say(0), 0, bottom + 2, ink)
    screen.vline(_MARGIN, _MARGIN, bottom - _MARGIN, ink)
    screen.hline(_MARGIN, bottom, width, ink)
    for at, (name, values) in enumerate(curves):
        colour = pixel(_COLOURS[at % len(_COLOURS)])
        before = None
        for i, value in enumerate(values):
            x = _MARGIN + i * width // max(1, len(values) - 1)
            y = bottom - (bottom - _MARGIN) * value // top
            if before:
                screen.line(*before, x, y, colour)
            before = (x, y)
        screen.text(name, _MARGIN + _NAMES * at, screen.height - _LINE, colour)


def _label(x, y, words, anchor="start", colour="#000000"):
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;")):
        words = words.replace(plain, escaped)
    return '<text x="{}" y="{}" text-anchor="{}" fill="{}">{}</text>'.format(
        x, y, anchor, colour, words
    )
