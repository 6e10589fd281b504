"""One's own program: a folder with a main.py, which travels beside the kernel as an image."""

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
    path = Path(target) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image)
    return path
