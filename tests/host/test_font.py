"""boot/font.py: the screen's font from either source, the same to the last bit, or one line that says why not."""

import gzip
import struct
from pathlib import Path

import fetch
import font
import pins
import pytest
import qemu

FONT = qemu.ROOT / "build" / "third_party" / "spleen-8x16.hex"


@pytest.fixture
def glyphs():
    if not FONT.exists():
        pytest.skip("build/third_party/spleen-8x16.hex: not there, run `make`")
    return font.read_hex(FONT)


def _bdf(glyphs):
    lines = ["STARTFONT 2.1", "FONT test"]
    for code, bitmap in glyphs.items():
        rows = [f"{row:02X}" for row in bitmap]
        lines += [f"STARTCHAR {code:04X}", f"ENCODING {code}", "BITMAP", *rows, "ENDCHAR"]
    return "\n".join([*lines, "ENDFONT", ""])


def _pcf(glyphs, order="<", padding=4):
    """A font of two tables, encodings and bitmaps, with rows of so many bytes."""
    low_bits = {1: 0, 2: 1, 4: 2}[padding] | 1 << 3
    form = low_bits | (1 << 2 if order == ">" else 0)
    rows = [b"".join(bytes([row]).ljust(padding, b"\0") for row in glyphs[c]) for c in glyphs]
    offsets = [i * font.HEIGHT * padding for i in range(len(rows))]
    data = b"".join(rows)
    bitmaps = struct.pack("<I", form) + struct.pack(f"{order}I{len(rows)}I", len(rows), *offsets)
    bitmaps += struct.pack(f"{order}4I", *[len(data)] * 4) + data
    index = {code: i for i, code in enumerate(glyphs)}
    last = max(glyphs) >> 8
    found = [index.get(code, font.PCF_NO_GLYPH) for code in range((last + 1) << 8)]
    encodings = struct.pack("<I", form) + struct.pack(f"{order}5H", 0, 255, 0, last, 0)
    encodings += struct.pack(f"{order}{len(found)}H", *found)
    start = 8 + 2 * 16
    header = font.PCF_MAGIC + struct.pack("<I", 2)
    header += struct.pack("<4I", font.PCF_ENCODINGS, form, len(encodings), start)
    header += struct.pack("<4I", font.PCF_BITMAPS, form, len(bitmaps), start + len(encodings))
    return header + encodings + bitmaps


def _no_apt(*_):
    raise fetch.Unavailable("apt knows no Debian mirror")


def _no_git(*_):
    raise fetch.Unavailable("git: no such host")


def _package(glyphs, **options):
    """What `fetch.apt_package` does for a package with this font."""

    def download(package, suite, directory):
        assert (package, suite) == ("fonts-spleen=1.9.1-1", "bookworm")
        path = Path(directory, "tree", font.PCF)
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(_pcf(glyphs, **options)))

    return download


@pytest.mark.parametrize("options", [{}, {"order": ">", "padding": 1}], ids=["little", "big"])
def test_debian_package(glyphs, tmp_path, monkeypatch, options):
    monkeypatch.setattr(fetch, "apt_package", _package(glyphs, **options))
    font.get(tmp_path / "font.hex")
    assert (tmp_path / "font.hex").read_bytes() == FONT.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["font.hex"]


def test_git_where_there_is_no_apt(glyphs, tmp_path, monkeypatch):
    def checkout(url, tag, commit, destination):
        assert commit == pins.SPLEEN_COMMIT
        destination.mkdir()
        (destination / font.BDF).write_text(_bdf(glyphs))

    monkeypatch.setattr(fetch, "apt_package", _no_apt)
    monkeypatch.setattr(fetch, "git_checkout", checkout)
    font.get(tmp_path / "font.hex")
    assert (tmp_path / "font.hex").read_bytes() == FONT.read_bytes()


def test_another_font_is_refused(glyphs, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "apt_package", _package({**glyphs, 0x41: bytes(16)}))
    with pytest.raises(fetch.WrongHash, match=pins.SPLEEN_SHA256):
        font.get(tmp_path / "font.hex")
    assert list(tmp_path.iterdir()) == []


def test_a_changed_copy_is_refused(tmp_path):
    (tmp_path / "font.hex").write_text("0020:00\n")
    with pytest.raises(fetch.WrongHash, match=pins.SPLEEN_SHA256):
        font.get(tmp_path / "font.hex")


def test_no_source_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "apt_package", _no_apt)
    monkeypatch.setattr(fetch, "git_checkout", _no_git)
    path = str(tmp_path / "font.hex")
    monkeypatch.setattr("sys.argv", ["font.py", path])
    with pytest.raises(SystemExit) as stop:
        font.main()
    assert stop.value.code == (
        "font: no source of Spleen 1.9.1 can be reached (Debian package: apt knows no Debian mirror; "
        f"git tag: git: no such host); copy {path} from another build"
    )


def test_latin_and_box_drawing(glyphs):
    assert {
        *range(0x20, 0x7F),
        *range(0xA0, 0x180),
        *range(0x2500, 0x25A0),
        0x20AC,
    } <= glyphs.keys()
    assert {len(bitmap) for bitmap in glyphs.values()} == {16}
