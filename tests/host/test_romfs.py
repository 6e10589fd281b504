"""Images of one's own program: the bytes that upstream's own tool makes, and folders that cannot be one."""

import os
import shutil

import app
import pytest
import romfs
from mpremote.romfs import VfsRomWriter


@pytest.fixture
def folder(tmp_path):
    """A program with a package and some data."""
    path = tmp_path / "program"
    (path / "package").mkdir(parents=True)
    (path / "main.py").write_text("import package\n")
    (path / "package" / "__init__.py").write_text("value = 1\n")
    (path / "data").write_bytes(bytes(range(256)) * 100)
    (path / "empty").touch()
    return path


def _upstream(writer, folder):
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            writer.opendir(path.name)
            _upstream(writer, path)
            writer.closedir()
        else:
            writer.mkfile(path.name, path.read_bytes())


@pytest.mark.parametrize("size", [0, 1, 2, 300])
def test_image_is_that_of_upstreams_tool(folder, size):
    (folder / "more").write_bytes(bytes(size))
    writer = VfsRomWriter()
    _upstream(writer, folder)
    image = romfs.image(folder)
    assert image == writer.finalise()
    assert image.startswith(b"\xd2\xcd1") and len(image) % 2 == 0


def test_what_is_left_out(folder):
    before = romfs.image(folder)
    (folder / "package" / "__pycache__").mkdir()
    (folder / ".git").mkdir()
    (folder / ".hidden").touch()
    assert romfs.image(folder) == before


def test_links_are_followed(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (folder / "package").rename(tmp_path / "elsewhere")
    (folder / "package").symlink_to(tmp_path / "elsewhere")
    assert romfs.image(folder) == romfs.image(copy)


def _loop(folder):
    (folder / "package" / "up").symlink_to(folder)


def _self(folder):
    (folder / "self").symlink_to(folder / "self")


def _dangling(folder):
    (folder / "dangling").symlink_to("nowhere")


def _pipe(folder):
    os.mkfifo(folder / "pipe")


def _name(folder):
    (folder / os.fsdecode(b"\xff.py")).touch()


BAD = [
    (_loop, "package/up: a link to a folder that it is in"),
    (_self, "self: neither a file nor a folder"),
    (_dangling, "dangling: neither a file nor a folder"),
    (_pipe, "pipe: neither a file nor a folder"),
    (_name, "the name is not UTF-8"),
]


@pytest.mark.parametrize(("spoil", "complaint"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_bad_content(folder, tmp_path, spoil, complaint):
    spoil(folder)
    with pytest.raises(app.BadApp) as raised:
        app.pack(folder, tmp_path)
    message = str(raised.value)
    assert complaint in message and "\n" not in message
    assert not (tmp_path / app.NAME).exists()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("nowhere", "no such folder"), ("main.py", "not a folder"), ("package", "has no main.py")],
)
def test_bad_folder(folder, tmp_path, name, complaint):
    with pytest.raises(app.BadApp, match=complaint):
        app.pack(folder / name, tmp_path)
