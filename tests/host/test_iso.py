"""The bootable image."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import boots
import fetch
import iso
import limine
import pytest
import qemu


@pytest.fixture(scope="module")
def release():
    if not shutil.which("xorriso"):
        pytest.skip("xorriso: not installed")
    try:
        return limine.releases()[0]
    except limine.NotFound as e:
        pytest.skip(str(e))


@pytest.fixture
def kernel(tmp_path):
    path = tmp_path / "kernel.elf"
    path.write_bytes(b"\x7fELF" + bytes(range(256)) * 64)
    return path


def test_same_inputs_give_the_same_bytes(release, kernel, tmp_path):
    hashes = set()
    for name in ("first", "second"):
        iso.make_iso(tmp_path / f"{name}.iso", release, iso.CONFIGURATION.read_text(), kernel)
        hashes.add(fetch.sha256_file(tmp_path / f"{name}.iso"))
        # ISO 9660 and the file systems inside keep whole seconds, FAT two of them.
        time.sleep(2.1)
        kernel.touch()
    assert len(hashes) == 1


def test_image_holds_what_each_firmware_looks_for(release, kernel, tmp_path):
    image = tmp_path / "pfm.iso"
    iso.make_iso(image, release, iso.CONFIGURATION.read_text(), kernel)
    found = subprocess.run(
        ["xorriso", "-indev", str(image), "-find", "/", "-type", "f"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert {line.strip("'") for line in found.splitlines()} >= {
        "/EFI/BOOT/BOOTX64.EFI",
        "/boot/kernel.elf",
        "/boot/limine/limine-bios.sys",
        "/boot/limine/limine.conf",
    }
    # The boot signature of a disk's first sector.
    assert image.read_bytes()[510:512] == b"\x55\xaa"


@pytest.mark.parametrize("way", [p for p in boots.parametrize() if p.id.startswith("limine")])
def test_image_boots_from_a_disk(way):
    boot = replace(way.with_cmdline("selftest=no-such-test"), medium="disk")
    with qemu.Machine(boot, timeout=300, silence=120) as machine:
        assert b"KTAP version 1" in machine.read_all()


def test_kernel_that_is_missing_is_named(release, tmp_path):
    with pytest.raises(iso.IsoFailed, match=r"none\.elf"):
        iso.make_iso(tmp_path / "pfm.iso", release, "", tmp_path / "none.elf")
    assert list(tmp_path.iterdir()) == []


def test_unattended_takes_the_first_entry_at_once():
    given = iso.CONFIGURATION.read_text()
    lines = iso.unattended(iso.with_cmdline(given, r"selftest=\1 debug")).splitlines()
    assert "timeout: 0" in lines
    assert [line.strip() for line in lines if "cmdline:" in line] == [
        r"cmdline: selftest=\1 debug",
        "cmdline: selftest",
    ]
    assert len(lines) == len(given.splitlines())


def test_program_is_in_the_image(release, tmp_path):
    program = tmp_path / "program"
    program.mkdir()
    image = tmp_path / "pfm.iso"

    def make():
        return subprocess.run(
            [sys.executable, str(qemu.ROOT / "boot" / "iso.py"), str(image)],
            env={**os.environ, "APP": str(program)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    refused = make()
    assert refused.stderr == f"APP={program}: has no main.py, which is what runs\n"
    assert refused.returncode == 1 and not image.exists()
    (program / "main.py").touch()
    made = make()
    assert made.returncode == 0, made.stderr
    assert b"module_path: boot():/boot/app.romfs" in image.read_bytes()
