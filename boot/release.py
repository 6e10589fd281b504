#!/usr/bin/env python3
"""Determine which MicroPython release a source is: release.py DIRECTORY

Prints the variables that give MicroPython's build its version and date, as "NAME=value ...":
the same source gives the same values, wherever and whenever it is built. Exits with one line
if the source cannot be used.
"""

import os
import re
import sys
from pathlib import Path

import fetch
import pins

# The first release with everything that the kernel uses. Releases later than the latest one
# tested are accepted; another major number is another language.
OLDEST = (1, 25, 0)

VERSION_FILE = "py/mpconfig.h"
# The folders that the build uses. Upstream has more as submodules, which are empty in archives
# and not needed.
NEEDED = (
    "extmod",
    "lib/crypto-algorithms",
    "lib/libm_dbl",
    "lib/littlefs",
    "lib/oofatfs",
    "lib/re1.5",
    "lib/uzlib",
    "mpy-cross",
    "ports/unix",
    "py",
    "shared",
    "tools",
)


class Unsupported(Exception):
    """A folder that the kernel cannot be built from; says why."""


def missing_folders(directory):
    """Return the folders of NEEDED that are missing or empty."""
    folders = {name: Path(directory, name) for name in NEEDED}
    return [name for name, path in folders.items() if not path.is_dir() or not any(path.iterdir())]


def version(directory):
    """Return its number, a tuple of three, and whether it is a preview. Raises Unsupported."""
    try:
        text = Path(directory, VERSION_FILE).read_text()
    except OSError as e:
        raise Unsupported(f"no source of MicroPython: {e.strerror}: {VERSION_FILE}") from e
    found = dict(re.findall(r"(?m)^#define MICROPY_VERSION_([A-Z]+) +(\d+)$", text))
    try:
        *number, preview = (int(found[n]) for n in ("MAJOR", "MINOR", "MICRO", "PRERELEASE"))
    except KeyError as e:
        raise Unsupported(f"no release of MicroPython: {VERSION_FILE} has no {e}") from e
    return tuple(number), bool(preview)


def dated(directory):
    """Return the seconds since 1970 of the last change: from git if possible, else the archive.

    An archive gives its files the time of its commit."""
    if Path(directory, ".git").exists():
        try:
            return int(fetch.run(["git", "-C", str(directory), "log", "-1", "--format=%ct"]))
        except fetch.Unavailable:
            pass
    return int(Path(directory, VERSION_FILE).stat().st_mtime)


def variables(directory):
    """Return {name: value} for MicroPython's build; the environment takes precedence.

    Raises Unsupported."""
    number, preview = version(directory)
    text = ".".join(map(str, number))
    tag = f"v{text}-preview" if preview else f"v{text}"
    if number < OLDEST or number[0] != OLDEST[0]:
        oldest = ".".join(map(str, OLDEST))
        raise Unsupported(f"MicroPython {tag} is not supported: {oldest} and later 1.x are")
    missing = missing_folders(directory)
    if missing:
        raise Unsupported(f"MicroPython {tag} without {', '.join(missing)}: unpack it whole")
    pinned = tag == pins.MICROPYTHON_TAG
    found = {
        "MICROPY_GIT_TAG": tag,
        # Not used here; if it is missing, upstream's script asks this project's git.
        "MICROPY_GIT_HASH": pins.MICROPYTHON_COMMIT[:10] if pinned else "unknown",
        "SOURCE_DATE_EPOCH": pins.MICROPYTHON_DATE if pinned else str(dated(directory)),
    }
    return {name: os.environ.get(name) or value for name, value in found.items()}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        found = variables(sys.argv[1])
    except Unsupported as e:
        sys.exit(f"micropython: {sys.argv[1]}: {e}")
    print(*(f"{name}={value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
