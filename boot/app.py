"""One's own program: a folder with a main.py, which travels beside the kernel as an image."""

import contextlib
import tempfile
from pathlib import Path

import romfs

# The module's file name, by which the kernel finds it (kernel/modules/appdisk.py).
NAME = "app.romfs"
MAIN = "main.py"


class BadApp(Exception):
    """APP names no program; says why."""


def pack(folder, target):
    """Write the image of the program in `folder` to the folder `target`; return its path.

    Raises BadApp."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadApp(f"APP={folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    if not (folder / MAIN).is_file():
        raise BadApp(f"APP={folder}: has no {MAIN}, which is what runs")
    try:
        image = romfs.image(folder)
    except romfs.BadFolder as e:
        raise BadApp(f"APP={folder}: {e}") from None
    path = Path(target, NAME)
    path.write_bytes(image)
    return path


@contextlib.contextmanager
def packed(folder, scratch):
    """Yield the path of an image of the program in `folder`, None if that is empty or None.

    It lies in a folder of its own in `scratch`, and is gone afterwards. Raises BadApp."""
    if not folder:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="app-", dir=scratch) as target:
        yield pack(folder, target)
