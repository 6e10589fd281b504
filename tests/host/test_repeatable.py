"""Two builds of the same sources, in folders of different names, give the same bytes."""

import os
import shutil
import subprocess
from pathlib import Path

import iso
import limine
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FONT = ROOT / "build" / "third_party" / "spleen-8x16.hex"
MPY_CROSS = ROOT / "build" / "mpy-cross" / "mpy-cross"

# Seconds for one build, of which this test has nothing but the machine's two cores.
TIMEOUT = 600


def checkout(folder):
    """Copy what is tracked here, or not ignored, as a clone would have it."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listing.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def make(folder, source, *arguments):
    command = ["make", "-j2", *arguments, f"MICROPY_DIR={source}", f"MICROPY_MPYCROSS={MPY_CROSS}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """Two checkouts, each with its kernel and its stand-in loader built."""
    source = os.environ.get("MICROPY_DIR")
    if not source:
        pytest.skip("MICROPY_DIR: not set, run `make test`")
    if not (ROOT / ".git").exists():
        pytest.skip("git: this is no checkout")
    folders = []
    for name in ("one", "another-and-longer"):
        folder = tmp_path_factory.mktemp("repeatable") / name
        checkout(folder)
        folders.append(folder)
    for folder in folders:
        make(folder, source, "-C", "kernel", f"BUILD={folder}/build/kernel", f"FONT={FONT}")
        make(folder, source, "-C", "boot/direct", f"BUILD={folder}/build/direct")
    return folders


@pytest.mark.parametrize("name", ["kernel/kernel.elf", "direct/direct.elf"])
def test_images_are_the_same(builds, name):
    one, another = ((folder / "build" / name).read_bytes() for folder in builds)
    assert len(one) > 10000
    assert one == another


def test_iso_is_the_same(builds):
    if not shutil.which("xorriso"):
        pytest.skip("xorriso: not installed")
    try:
        release = limine.releases()[0]
    except limine.NotFound as e:
        pytest.skip(str(e))
    images = []
    for folder in builds:
        image = folder / "build" / "pfm.iso"
        configuration = (folder / "limine.conf").read_text()
        iso.make_iso(image, release, configuration, folder / "build" / "kernel" / "kernel.elf")
        images.append(image.read_bytes())
    assert images[0] == images[1]
