#!/usr/bin/env python3
"""Find Limine's binary releases, or fetch the pinned one: limine.py prints what it finds.

Searched in this order: LIMINE_DIR (several folders, separated by colons), the distribution's
/usr/share/limine, the verified copy fetched before, the upstream binary release by git. With
LIMINE_DIR=none nothing is searched or fetched.
"""

import os
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import fetch
import pins

DISTRIBUTION_DIR = Path("/usr/share/limine")
FETCHED_DIR = Path(__file__).resolve().parent.parent / "build" / "third_party" / "limine"
# The value of LIMINE_DIR for doing without Limine; a folder of that name is "./none".
NONE = "none"
# Seconds after a failed download before the next try.
RETRY_AFTER = 3600

HOW_TO_GET = (
    f"set LIMINE_DIR to an unpacked Limine binary release ({pins.LIMINE_VERSION} or later), "
    "or install your distribution's limine package"
)


class NotFound(Exception):
    """There is no Limine; says why and how to get it."""

    def __init__(self, reason):
        super().__init__(f"limine: not found ({reason}); {HOW_TO_GET}")


class Incomplete(Exception):
    """A folder in LIMINE_DIR lacks files; says which."""

    def __init__(self, directory, missing):
        super().__init__(f"limine: LIMINE_DIR: {directory} has no {', '.join(missing)}")


@dataclass(frozen=True)
class Release:
    """An unpacked binary release of Limine."""

    directory: Path

    @property
    def version(self):
        """The release's number, "8.2.0", from its BIOS stage."""
        stage = (self.directory / "limine-bios.sys").read_bytes()
        match = re.search(rb"Limine (\d+\.\d+\.\d+)", stage)
        return match[1].decode() if match else "unknown"


def missing_files(directory):
    return [name for name in pins.LIMINE_FILES_SHA256 if not Path(directory, name).is_file()]


def verify(directory):
    """Raise fetch.WrongHash unless the files are those of the pinned release."""
    for name, expected in pins.LIMINE_FILES_SHA256.items():
        path = Path(directory, name)
        fetch.verify(str(path), expected, fetch.sha256_file(path))


def fetch_release():
    """Return the pinned release, below build/; downloads it if necessary.

    Raises NotFound and, if it is not what was pinned, fetch.WrongHash. A failed download is
    not tried again for RETRY_AFTER seconds."""
    failure = FETCHED_DIR.with_suffix(".unavailable")
    if FETCHED_DIR.is_dir():
        verify(FETCHED_DIR)
        return Release(FETCHED_DIR)
    if failure.exists() and time.time() - failure.stat().st_mtime < RETRY_AFTER:
        raise NotFound(failure.read_text())
    FETCHED_DIR.parent.mkdir(parents=True, exist_ok=True)
    try:
        fetch.git_checkout(pins.LIMINE_GIT, pins.LIMINE_TAG, pins.LIMINE_COMMIT, FETCHED_DIR)
    except fetch.Unavailable as e:
        failure.write_text(str(e))
        raise NotFound(str(e)) from e
    try:
        verify(FETCHED_DIR)
    except fetch.WrongHash:
        shutil.rmtree(FETCHED_DIR)
        raise
    failure.unlink(missing_ok=True)
    return Release(FETCHED_DIR)


def releases():
    """Return every Limine release to boot with, the preferred one first.

    Raises NotFound, Incomplete or fetch.WrongHash."""
    where = os.environ.get("LIMINE_DIR", "")
    if where == NONE:
        raise NotFound(f"LIMINE_DIR={NONE}")
    given = [Path(name) for name in where.split(":") if name]
    for directory in given:
        missing = missing_files(directory)
        if missing:
            raise Incomplete(directory, missing)
    if given:
        return [Release(directory.resolve()) for directory in given]
    if not missing_files(DISTRIBUTION_DIR):
        return [Release(DISTRIBUTION_DIR)]
    return [fetch_release()]


def main():
    try:
        for release in releases():
            print(f"Limine {release.version}: {release.directory}")
    except NotFound as e:
        print(f"{e}; the stand-in loader boots the kernel instead")
    except (Incomplete, fetch.WrongHash) as e:
        sys.exit(str(e))


if __name__ == "__main__":
    main()
