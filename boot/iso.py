#!/usr/bin/env python3
"""Make the bootable image: iso.py IMAGE

With APP in the environment the program in that folder is in it and runs. The image boots from CD and, if the release has its installer, from disk, under BIOS and UEFI.
The same inputs give the same bytes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import app
import fetch
import limine

ROOT = Path(__file__).resolve().parent.parent
KERNEL = ROOT / "build" / "kernel" / "kernel.elf"
CONFIGURATION = ROOT / "limine.conf"

# The dates in the image unless SOURCE_DATE_EPOCH is set.
DEFAULT_EPOCH = "0"
# Seconds for xorriso or the installer; each takes well under one.
TOOL_TIMEOUT = 120

# The disk signature in a master boot record, and ours: the installer writes a random one, but
# the same inputs must give the same image.
MBR_SIGNATURE_OFFSET = 0x1B8
MBR_SIGNATURE = b"pfm\0"

# El Torito: how many 512-byte sectors of the boot image the BIOS loads.
BOOT_LOAD_SECTORS = 4


class IsoFailed(Exception):
    """A tool failed or a file is missing; the message is what the tool said."""


def unattended(configuration):
    """Return the configuration with the menu skipped."""
    return re.sub(r"(?m)^timeout:.*$", "timeout: 0", configuration, count=1)


def with_cmdline(configuration, cmdline):
    """Return the configuration with this command line in its first entry."""
    return re.sub(
        r"(?m)^(\s+cmdline:).*$", lambda found: f"{found[1]} {cmdline}", configuration, count=1
    )


def with_app(configuration):
    """Return the configuration with the image of one's own program loaded by its first entry."""
    return re.sub(
        r"(?m)^(\s+)(kernel_path:.*)$",
        rf"\1\2\n\1module_path: boot():/boot/{app.NAME}",
        configuration,
        count=1,
    )


def _run(command):
    environment = {**os.environ, "LC_ALL": "C"}
    environment.setdefault("SOURCE_DATE_EPOCH", DEFAULT_EPOCH)
    try:
        subprocess.run(
            command,
            check=True,
            timeout=TOOL_TIMEOUT,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except FileNotFoundError as e:
        raise IsoFailed(f"{command[0]} is not installed") from e
    except subprocess.CalledProcessError as e:
        raise IsoFailed(f"{command[0]} failed:\n{e.stdout}") from e


def installer(release, directory):
    """Return Limine's program that makes an image bootable from a BIOS disk, or None.

    A distribution has it installed, a binary release contains it as one C file."""
    source = release.directory / "limine.c"
    if source.exists():
        program = Path(directory, "limine")
        _run(["gcc", "-O1", "-w", f"-I{release.directory}", "-o", str(program), str(source)])
        return str(program)
    return shutil.which("limine")


def make_iso(image, release, configuration, kernel=KERNEL, disk=True, program=None):
    """Write the image for one Limine release; disk=False leaves out booting from BIOS disks.

    That saves half a second. program is an image that app.pack made. Raises IsoFailed."""
    if program:
        configuration = with_app(configuration)
    image = Path(image)
    image.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=image.parent, prefix="iso-") as scratch:
        tree = Path(scratch, "tree")
        boot = tree / "boot" / "limine"
        boot.mkdir(parents=True)
        (tree / "EFI" / "BOOT").mkdir(parents=True)
        try:
            shutil.copy(kernel, tree / "boot" / "kernel.elf")
            if program:
                shutil.copy(program, tree / "boot" / app.NAME)
            for name in ("limine-bios.sys", "limine-bios-cd.bin", "limine-uefi-cd.bin"):
                shutil.copy(release.directory / name, boot)
            shutil.copy(release.directory / "BOOTX64.EFI", tree / "EFI" / "BOOT")
        except OSError as e:
            raise IsoFailed(str(e)) from e
        (boot / "limine.conf").write_text(configuration)
        epoch = int(os.environ.get("SOURCE_DATE_EPOCH", DEFAULT_EPOCH))
        for path in [tree, *tree.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
            os.utime(path, (epoch, epoch))
        result = Path(scratch, "image.iso")
        # fmt: off
        _run([
            "xorriso", "-as", "mkisofs", "-quiet", "-R", "-r", "-J", "-V", "PFM",
            "-b", "boot/limine/limine-bios-cd.bin", "-no-emul-boot",
            "-boot-load-size", str(BOOT_LOAD_SECTORS), "-boot-info-table",
            "--efi-boot", "boot/limine/limine-uefi-cd.bin", "-efi-boot-part",
            "--efi-boot-image", "--protective-msdos-label",
            "-o", str(result), str(tree),
        ])
        # fmt: on
        program = installer(release, scratch) if disk else None
        if program:
            _run([program, "bios-install", str(result)])
            with open(result, "r+b") as f:
                f.seek(MBR_SIGNATURE_OFFSET)
                f.write(MBR_SIGNATURE)
        result.replace(image)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        release = limine.releases()[0]
        with app.packed(os.environ.get("APP"), ROOT / "build") as program:
            make_iso(sys.argv[1], release, CONFIGURATION.read_text(), program=program)
    except (limine.NotFound, limine.Incomplete, fetch.WrongHash, app.BadApp) as e:
        sys.exit(str(e))
    except IsoFailed as e:
        sys.exit(f"iso: {e}")
    print(f"{sys.argv[1]}: boots by Limine {release.version}")


if __name__ == "__main__":
    main()
