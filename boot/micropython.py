#!/usr/bin/env python3
"""Get MicroPython's source: micropython.py DIRECTORY

DIRECTORY becomes a verified copy of the pinned release: the one already there, else Debian's
source package through apt, else upstream's git tag. A file next to it, DIRECTORY.sha256, holds
the hash by which a later run verifies it.
"""

import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import fetch
import pins


def from_debian(destination):
    """Unpack Debian's source package. Raises fetch.Unavailable, fetch.WrongHash."""
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix="apt-") as scratch:
        version = pins.MICROPYTHON_DEBIAN_VERSION
        fetch.apt_source(f"micropython={version}", pins.MICROPYTHON_DEBIAN_SUITE, scratch)
        tarball = Path(scratch, pins.MICROPYTHON_TARBALL)
        fetch.verify(tarball.name, pins.MICROPYTHON_TARBALL_SHA256, fetch.sha256_file(tarball))
        with tarfile.open(tarball) as archive:
            # Debian 12's Python 3.11.2 has no filters yet; the hash has been verified.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(Path(scratch, "tree"))
        (top,) = Path(scratch, "tree").iterdir()
        top.rename(destination)


def from_git(destination):
    """Check out upstream's tag. Raises fetch.Unavailable, fetch.WrongHash."""
    fetch.git_checkout(
        pins.MICROPYTHON_GIT, pins.MICROPYTHON_TAG, pins.MICROPYTHON_COMMIT, destination
    )


def get(destination):
    """Make destination the verified source.

    Raises fetch.WrongHash if a copy was changed, and fetch.Unavailable, with the reasons, if
    no source can be reached."""
    destination = Path(destination).absolute()
    record = Path(f"{destination}.sha256")
    if destination.is_dir() and record.exists():
        expected = record.read_text().strip()
        fetch.verify(str(destination), expected, fetch.sha256_tree(destination))
        return
    # A tree without its record is left from an interrupted run.
    shutil.rmtree(destination, ignore_errors=True)
    destination.parent.mkdir(parents=True, exist_ok=True)
    reasons = []
    for source, name in ((from_debian, "Debian source package"), (from_git, "git tag")):
        try:
            source(destination)
            break
        except fetch.Unavailable as e:
            reasons.append(f"{name}: {e}")
    else:
        raise fetch.Unavailable("; ".join(reasons))
    record.write_text(fetch.sha256_tree(destination) + "\n")
    print(f"MicroPython {pins.MICROPYTHON_VERSION}: {name}, verified")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        get(sys.argv[1])
    except fetch.WrongHash as e:
        sys.exit(f"micropython: {e}")
    except fetch.Unavailable as e:
        sys.exit(
            f"micropython: no source of {pins.MICROPYTHON_VERSION} can be reached ({e}); "
            "unpack a release anywhere and set MICROPY_DIR to it"
        )


if __name__ == "__main__":
    main()
