#!/usr/bin/env python3
"""Get the screen's font, Spleen 8x16: font.py FILE

FILE is the verified one already there, else made from Debian's package through apt, else from
upstream's git tag. It has a line for each character, "CODE:BITMAP" in hexadecimal, as GNU
Unifont's .hex files: 16 rows of 8 pixels, the leftmost pixel in the highest bit.
"""

import gzip
import struct
import sys
import tempfile
from pathlib import Path

import fetch
import pins

WIDTH, HEIGHT = 8, 16

# In Debian's package.
PCF = "usr/share/fonts/X11/misc/spleen-8x16.pcf.gz"
# In upstream's git.
BDF = "spleen-8x16.bdf"

# X11's portable compiled format ("The X11 PCF font file format", as in libXfont's pcf.h): tables,
# and bits of a table's format.
PCF_MAGIC = b"\1fcp"
PCF_BITMAPS = 1 << 3
PCF_ENCODINGS = 1 << 5
PCF_ROW_PADDING = 3
PCF_BIG_ENDIAN = 1 << 2
PCF_LEFT_IN_HIGH_BIT = 1 << 3
PCF_NO_GLYPH = 0xFFFF


def read_pcf(data):
    """Return the bitmap, 16 bytes, of each character's code."""
    if data[:4] != PCF_MAGIC:
        raise ValueError("not a PCF font")
    (count,) = struct.unpack_from("<I", data, 4)
    tables = {}
    for i in range(count):
        kind, form, _, at = struct.unpack_from("<4I", data, 8 + 16 * i)
        tables[kind] = (form, ">" if form & PCF_BIG_ENDIAN else "<", at + 4)

    form, order, at = tables[PCF_BITMAPS]
    if not form & PCF_LEFT_IN_HIGH_BIT:
        raise ValueError("a PCF font with the leftmost pixel in the lowest bit")
    row_size = 1 << (form & PCF_ROW_PADDING)
    (glyphs,) = struct.unpack_from(f"{order}I", data, at)
    offsets = struct.unpack_from(f"{order}{glyphs}I", data, at + 4)
    bitmaps = at + 4 + 4 * glyphs + 4 * 4

    _, order, at = tables[PCF_ENCODINGS]
    low, high, first, last, _ = struct.unpack_from(f"{order}5H", data, at)
    codes = [row << 8 | cell for row in range(first, last + 1) for cell in range(low, high + 1)]
    found = struct.unpack_from(f"{order}{len(codes)}H", data, at + 10)
    font = {}
    for code, glyph in zip(codes, found, strict=True):
        if glyph != PCF_NO_GLYPH:
            start = bitmaps + offsets[glyph]
            font[code] = data[start : start + HEIGHT * row_size : row_size]
    return font


def read_bdf(text):
    """Return the bitmap, 16 bytes, of each character's code, as `read_pcf`."""
    lines = iter(text.splitlines())
    font = {}
    for line in lines:
        word, _, value = line.partition(" ")
        if word == "ENCODING":
            code = int(value)
        elif word == "BITMAP":
            font[code] = bytes(int(next(lines), 16) for _ in range(HEIGHT))
    return font


def read_hex(path):
    """Return the bitmap, 16 bytes, of each character's code, in the file that `get` made."""
    rows = (line.split(":") for line in Path(path).read_text().splitlines())
    return {int(code, 16): bytes.fromhex(bitmap) for code, bitmap in rows}


def from_debian(scratch):
    version = f"fonts-spleen={pins.SPLEEN_DEBIAN_VERSION}"
    fetch.apt_package(version, pins.SPLEEN_DEBIAN_SUITE, scratch)
    return read_pcf(gzip.decompress(Path(scratch, "tree", PCF).read_bytes()))


def from_git(scratch):
    tree = Path(scratch, "git")
    fetch.git_checkout(pins.SPLEEN_GIT, pins.SPLEEN_TAG, pins.SPLEEN_COMMIT, tree)
    return read_bdf(Path(tree, BDF).read_text())


def get(path):
    """Make the file the verified font.

    Raises fetch.WrongHash if it is not what was pinned, and fetch.Unavailable, with the reasons,
    if no source can be reached."""
    path = Path(path)
    if path.exists():
        fetch.verify(str(path), pins.SPLEEN_SHA256, fetch.sha256_file(path))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    reasons = []
    for source, name in ((from_debian, "Debian package"), (from_git, "git tag")):
        try:
            with tempfile.TemporaryDirectory(dir=path.parent, prefix="font-") as scratch:
                font = source(scratch)
                made = Path(scratch, path.name)
                made.write_text(
                    "".join(f"{c:04X}:{font[c].hex().upper()}\n" for c in sorted(font))
                )
                fetch.verify(f"{name} of the font", pins.SPLEEN_SHA256, fetch.sha256_file(made))
                made.rename(path)
            break
        except fetch.Unavailable as e:
            reasons.append(f"{name}: {e}")
    else:
        raise fetch.Unavailable("; ".join(reasons))
    print(f"Spleen {pins.SPLEEN_VERSION}: {name}, verified")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        get(sys.argv[1])
    except fetch.Unavailable as e:
        sys.exit(
            f"font: no source of Spleen {pins.SPLEEN_VERSION} can be reached ({e}); "
            f"copy {sys.argv[1]} from another build"
        )
    except fetch.WrongHash as e:
        sys.exit(f"font: {e}")


if __name__ == "__main__":
    main()
