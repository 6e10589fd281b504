"""The tables of files name each file, and none that is not there: of pfm/ in docs/README.md, of kernel/ in its README.md."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Folders whose files have the names of upstream's, or of the C library's.
FOLDERS = {"libc/", "locked/"}


def _named(path, heading, end=None):
    """The names in the first columns of the tables from a heading on, up to another."""
    text = (ROOT / path).read_text().partition(heading)[2]
    if end:
        text = text.partition(end)[0]
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(.*?)`", cell)}


def test_files_of_the_package():
    folder = ROOT / "pfm"
    files = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if path.name not in ("__init__.py", "manifest.py")
    }
    named = _named("docs/README.md", "## The package, file by file", "`PageFrameManager` derives")
    assert named - {"fastpath/__init__.py"} == files


def _files(folder):
    """The files of a folder of kernel/; a header stands for itself where it has no .c file."""
    names = {path.name for path in folder.iterdir() if path.is_file()} - {"README.md"}
    return {name for name in names if name[:-2] + ".c" not in names or name[-2:] != ".h"}


def test_files_of_the_kernel():
    common = _named("kernel/README.md", "## What every port has", "## The processor")
    assert common == _files(ROOT / "kernel") | FOLDERS
    processor = _named("kernel/README.md", "## The processor")
    assert processor == _files(ROOT / "kernel" / "mcu" / "x86_64")
