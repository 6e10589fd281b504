"""kernel/terminal.c and escapes.c, compiled for the host: against pyte, a terminal in Python, and by hand where pyte differs.

PFM_SOAK makes the random test so many times as long.
"""

import ctypes
import os
import subprocess

import pyte
import pytest
import qemu
from hypothesis import given, settings
from hypothesis import strategies as st

SOAK = int(os.environ.get("PFM_SOAK") or 1)

REPLACEMENT = "\ufffd"
NAMES = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
FOREGROUND, BACKGROUND = 7, 0


class Cell(ctypes.Structure):
    _fields_ = (
        ("character", ctypes.c_uint16),
        ("foreground", ctypes.c_uint8),
        ("background", ctypes.c_uint8),
    )


class Cursor(ctypes.Structure):
    _fields_ = (
        ("row", ctypes.c_uint),
        ("column", ctypes.c_uint),
        ("visible", ctypes.c_bool),
    )


class Terminal:
    """The kernel's terminal; there is one in the library."""

    def __init__(self, library, columns, rows):
        self._library = library
        self._columns, self._rows = columns, rows
        library.terminal_init(columns, rows)

    def write(self, text):
        data = text.encode() if isinstance(text, str) else text
        self._library.terminal_write(data, ctypes.c_size_t(len(data)))

    def cells(self, row):
        """The (character, foreground, background) of each cell of a row."""
        cells = self._library.terminal_row(row)
        found = [cells[column] for column in range(self._columns)]
        return [(chr(cell.character), cell.foreground, cell.background) for cell in found]

    def screen(self):
        return [self.cells(row) for row in range(self._rows)]

    def text(self):
        """The rows, without blanks at their ends and without blank rows at the end."""
        rows = ["".join(cell[0] for cell in row).rstrip() for row in self.screen()]
        return "\n".join(rows).rstrip("\n").split("\n")

    def cursor(self):
        cursor = self._library.terminal_cursor()
        return cursor.row, cursor.column, cursor.visible

    def changes(self):
        """The rows that may have changed since the last call."""
        first, end = ctypes.c_uint(), ctypes.c_uint()
        self._library.terminal_take_changes(ctypes.byref(first), ctypes.byref(end))
        return range(first.value, end.value)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("terminal") / "terminal.so"
    sources = [qemu.ROOT / "kernel" / name for name in ("terminal.c", "escapes.c")]
    strict = [
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsanitize=undefined",
        "-fsanitize-undefined-trap-on-error",
    ]
    command = ["gcc", "-std=gnu11", "-O1", "-shared", "-fPIC", *strict, "-o", path, *sources]
    subprocess.run(command, check=True, timeout=60)
    library = ctypes.CDLL(str(path))
    library.terminal_row.restype = ctypes.POINTER(Cell)
    library.terminal_cursor.restype = Cursor
    return library


def _colour(name, default):
    """The number of a colour as pyte names it."""
    if name == "default":
        return default
    plain = name.removeprefix("bright")
    return NAMES.index(plain) + (8 if plain != name else 0)


def _expected(char):
    """The cell that shows what a character of pyte shows."""
    foreground = _colour(char.fg, FOREGROUND)
    background = _colour(char.bg, BACKGROUND)
    if char.bold and foreground < 8:
        foreground += 8
    if char.reverse:
        foreground, background = background, foreground
    return char.data, foreground, background


# What terminals agree on, and pyte has.
NUMBERS = st.sampled_from(["", "0", "1", "2", "3", "7", "12", "30", "200"])
CURSOR = st.builds(lambda n, final: f"\x1b[{n}{final}", NUMBERS, st.sampled_from("ABCDEFGd"))
POSITION = st.builds(lambda row, column: f"\x1b[{row};{column}H", NUMBERS, NUMBERS)
ERASE = st.builds(
    lambda n, final: f"\x1b[{n}{final}",
    st.sampled_from(["", "0", "1", "2"]),
    st.sampled_from("JK"),
)
SHIFT = st.builds(lambda n, final: f"\x1b[{n}{final}", NUMBERS, st.sampled_from("@PXLM"))
RENDITIONS = [
    "",
    "0",
    "1",
    "22",
    "31",
    "37",
    "39",
    "44",
    "49",
    "91",
    "97",
    "102",
    "107",
    "4",
    "24",
    "33;45",
]
COLOUR = st.builds(lambda code: f"\x1b[{code}m", st.sampled_from(RENDITIONS))
TEXT = st.text(
    alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E)
    | st.sampled_from("äöüßÄ€─│┌┘█░"),
    max_size=30,
)
CONTROLS = st.sampled_from(["\r", "\n", "\r\n", "\b", "\t", "\a", "\v", "\f"])
ESCAPES = st.sampled_from(["\x1bD", "\x1bM", "\x1bc", "\x1b[?25l", "\x1b[?25h"])
WHOLE = st.sampled_from(
    ["\x1b]0;title\a", "\x1b]0;title\x1b\\", "\x1b(B", "\x1b[?2004h", "\x1b[?7l", "\x1b[?7h"]
)
PIECES = st.lists(
    st.one_of(TEXT, TEXT, CONTROLS, CURSOR, POSITION, ERASE, SHIFT, COLOUR, ESCAPES, WHOLE),
    max_size=40,
)
SIZES = st.tuples(st.integers(2, 20), st.integers(2, 8))


def _looks(screen):
    """What pyte has of cells: of a blank it has no reliable colours."""
    return [[(" ", None, None) if cell[0] == " " else cell for cell in row] for row in screen]


@settings(max_examples=200 * SOAK, deadline=None, derandomize=SOAK == 1, database=None)
@given(size=SIZES, pieces=PIECES)
def test_as_pyte(library, size, pieces):
    columns, rows = size
    terminal = Terminal(library, columns, rows)
    oracle = pyte.Screen(columns, rows)
    stream = pyte.Stream(oracle)
    for piece in pieces:
        terminal.write(piece)
        for row in range(rows):
            # pyte forgets to move rows that it has not made yet.
            oracle.buffer[row]
        stream.feed(piece)
    expected = [[_expected(oracle.buffer[y][x]) for x in range(columns)] for y in range(rows)]
    assert _looks(terminal.screen()) == _looks(expected)
    assert terminal.cursor() == (
        oracle.cursor.y,
        min(oracle.cursor.x, columns - 1),
        not oracle.cursor.hidden,
    )


@settings(max_examples=200 * SOAK, deadline=None, derandomize=SOAK == 1, database=None)
@given(size=SIZES, pieces=PIECES, margins=st.booleans(), data=st.data())
def test_changes_cover_what_changed(library, size, pieces, margins, data):
    """Nothing outside the rows said to have changed looks different, wherever the text was cut."""
    columns, rows = size
    terminal = Terminal(library, columns, rows)
    text = ("\x1b[2;3r" if margins else "").encode() + "".join(pieces).encode()
    cut = data.draw(st.integers(0, len(text)))
    terminal.write(text[:cut])
    before, cursor = terminal.screen(), terminal.cursor()
    terminal.changes()
    terminal.write(text[cut:])
    after, changes = terminal.screen(), terminal.changes()
    for row in range(rows):
        if row not in changes:
            assert before[row] == after[row]
    assert cursor[0] in changes and terminal.cursor()[0] in changes
    terminal = Terminal(library, columns, rows)
    terminal.write(text)
    assert terminal.screen() == after


@settings(max_examples=200 * SOAK, deadline=None, derandomize=SOAK == 1, database=None)
@given(size=SIZES, noise=st.binary(max_size=200), pieces=PIECES)
def test_noise_ends(library, size, noise, pieces):
    """Bytes of any kind leave a terminal that works again after CAN and a reset."""
    terminal = Terminal(library, *size)
    terminal.write(noise)
    terminal.write("".join(pieces))
    assert all(" " <= cell[0] != "\x7f" for row in terminal.screen() for cell in row)
    terminal.write(b"\x18\x18\x1bc>")
    assert terminal.text() == [">"]
    assert terminal.cursor() == (0, 1, True)


def _after(library, text, columns=8, rows=4):
    terminal = Terminal(library, columns, rows)
    terminal.write(text)
    return terminal


BY_HAND = {
    "wraps-late": ("12345678", ["12345678"], (0, 7)),
    "wraps": ("123456789", ["12345678", "9"], (1, 1)),
    "wrap-then-back": ("123456789\b\b", ["12345678", "9"], (1, 0)),
    "backspace-at-the-edge": ("12345678\b_", ["123456_8"], (0, 7)),
    "erase-at-the-edge-keeps-the-last": ("12345678\x1b[K", ["12345678"], (0, 7)),
    "new-line": ("ab\x1bEc", ["ab", "c"], (1, 1)),
    "scrolls": ("1\r\n2\r\n3\r\n4\r\n5", ["2", "3", "4", "5"], (3, 1)),
    "reverse-scrolls": ("1\r\n2\x1b[H\x1bM0", ["0", "1", "2"], (0, 1)),
    "saves": ("ab\x1b7\r\n\ncd\x1b8e", ["abe", "", "cd"], (0, 3)),
    "saves-by-csi": ("ab\x1b[s\r\n\ncd\x1b[ue", ["abe", "", "cd"], (0, 3)),
    "margins-scroll": ("1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\nx", ["1", "3", "x", "4"], (2, 1)),
    "margins-reverse": ("1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[2;1H\x1bMx", ["1", "x", "2", "4"], (1, 1)),
    "below-the-margins": ("\x1b[1;2r\x1b[4;1Ha\nb", ["", "", "", "ab"], (3, 2)),
    "down-from-below-the-margins": ("\x1b[1;2r\x1b[3;1H\x1b[9Bx", ["", "", "", "x"], (3, 1)),
    "margins-the-wrong-way": ("\x1b[3;2r\x1b[4;1Ha\r\nb", ["", "", "a", "b"], (3, 1)),
    "scroll-by-csi": ("1\r\n2\r\n3\x1b[S", ["2", "3"], (2, 1)),
    "scroll-down-by-csi": ("1\r\n2\r\n3\x1b[2T", ["", "", "1", "2"], (2, 1)),
    "lines-to-and-fro": ("1\r\n2\r\n3\x1b[A\x1b[L\x1b[B\x1b[9M", ["1"], (2, 0)),
    "title": ("a\x1b]2;no\x07b", ["ab"], (0, 2)),
    "title-cut-by-a-sequence": ("a\x1b]2;no\x1b[Hb", ["b"], (0, 1)),
    "title-by-st": ("a\x1b]2;no\x1b\\b", ["ab"], (0, 2)),
    "title-cut-short": ("a\x1b]2;no\x18b", ["ab"], (0, 2)),
    "device-control": ("a\x1bPq#0\x1b\\b", ["ab"], (0, 2)),
    "character-set": ("a\x1b(0b", ["ab"], (0, 2)),
    "control-in-a-sequence": ("abc\x1b[\r1Cx", ["axc"], (0, 2)),
    "sequence-in-a-sequence": ("abc\x1b[1\x1b[Hx", ["xbc"], (0, 1)),
    "intermediate": ("ab\x1b[1 qc", ["abc"], (0, 3)),
    "secondary": ("ab\x1b[>1;2mc", ["abc"], (0, 3)),
    "too-many-numbers": ("ab\x1b[" + "1;" * 40 + "Hc", ["abc"], (0, 3)),
    "huge-number": ("\x1b[99999999999999999999;3Hx", ["", "", "", "  x"], (3, 3)),
    "delete-and-bell": ("a\x7f\x07b\x00c", ["abc"], (0, 3)),
    "no-wrap": ("\x1b[?7l123456789", ["12345679"], (0, 7)),
    "utf-8": ("ä€", ["ä€"], (0, 2)),
    "not-in-the-plane": ("\U0001f600x", [REPLACEMENT + "x"], (0, 2)),
    "not-utf-8": (b"\xff\x80\xc3(\xe2\x82", [REPLACEMENT * 3 + "("], (0, 4)),
    "too-long-utf-8": (b"\xc0\xaf\xe0\x80\xaf\xed\xa0\x80", [REPLACEMENT * 4], (0, 4)),
    "cut-utf-8": (b"\xe2\x82\x1b[3Gx\xe2\n", [REPLACEMENT + " x" + REPLACEMENT], (1, 4)),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(library, name):
    text, rows, cursor = BY_HAND[name]
    terminal = _after(library, text)
    assert terminal.text() == rows
    assert terminal.cursor()[:2] == cursor


def _colours_of(library, text):
    """The colours of the character after this text."""
    return _after(library, text + "x").cells(0)[0][1:]


def test_colours(library):
    for text, colours in {
        "": (7, 0),
        "\x1b[31;42m": (1, 2),
        "\x1b[1;31m": (9, 0),
        "\x1b[1m": (15, 0),
        "\x1b[1;31;22m": (1, 0),
        "\x1b[96;107m": (14, 15),
        "\x1b[7m": (0, 7),
        "\x1b[7;31;44m": (4, 1),
        "\x1b[7;27m": (7, 0),
        "\x1b[38;5;208;48;5;17m": (208, 17),
        "\x1b[38;5;300m": (255, 0),
        "\x1b[38;2;255;135;0m": (16 + 36 * 5 + 6 * 2, 0),
        "\x1b[48;2;0;90;255;33m": (3, 16 + 6 * 1 + 5),
        "\x1b[31;38;5m": (1, 0),
        "\x1b[31;38m": (1, 0),
        "\x1b[31;44;39;49m": (7, 0),
        "\x1b[31m\x1b[m": (7, 0),
        "\x1b[31m\x1b[0m": (7, 0),
        "\x1b[;31m": (1, 0),
    }.items():
        assert _colours_of(library, text) == colours, text


def test_blanks_have_the_background(library):
    for erase in ("\x1b[2J", "\x1b[K", "\x1b[X", "\x1b[P", "\x1b[@"):
        assert (" ", 7, 4) in _after(library, "\x1b[44m" + erase).cells(0), erase
    # Reversed colours are those of text, and what scrolls in has none.
    assert _after(library, "\x1b[7m\x1b[K").cells(0)[0] == (" ", 7, 0)
    assert _after(library, "\x1b[44m\n\n\n\n").cells(3)[0] == (" ", 7, 0)
