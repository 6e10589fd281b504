"""The ways to boot that this host has: each loader under each firmware."""

import functools
import os
from dataclasses import dataclass, replace

import limine
import pytest
import qemu

BUILD = qemu.ROOT / "build"

# Machines beside the one of MEMORY: the least that boots, RAM on both sides of
# the hole below 4 GiB, and more than the host has.
STAND_IN_MEMORIES = ("32M", "6G", "64G", "1T")
LIMINE_MEMORIES = ("6G",)


@dataclass(frozen=True)
class Way:
    """One way to boot; missing says why it is not there, or is None."""

    name: str
    boot: qemu.Boot | None = None
    missing: str | None = None

    @property
    def marks(self):
        return [pytest.mark.skip(reason=self.missing)] if self.missing else []

    def with_cmdline(self, cmdline):
        """The boot with this kernel command line."""
        image = BUILD / "test" / f"{self.name}-{os.getpid()}.iso"
        return replace(self.boot, cmdline=cmdline, image=image)


def _built(boot):
    for path in (boot.kernel, qemu.STAND_IN):
        if not path.exists():
            return f"{path.relative_to(qemu.ROOT)}: not built, run `make`"
    return None


@functools.cache
def all_ways():
    """Every way, the stand-in loader first. QEMUFLAGS and MEMORY apply to all."""
    common = qemu.Boot(
        memory=os.environ.get("MEMORY") or qemu.Boot.memory,
        qemuflags=os.environ.get("QEMUFLAGS", ""),
    )
    missing = _built(common)
    ways = [Way(common.name, common, missing), *_sizes(common, STAND_IN_MEMORIES, missing)]
    try:
        releases = limine.releases()
    except limine.NotFound as e:
        return [*ways, Way("limine-bios", None, str(e)), Way("limine-uefi", None, str(e))]
    for release in releases:
        for firmware in ("bios", "uefi"):
            boot = replace(common, loader=release, firmware=firmware)
            why = missing
            if firmware == "uefi" and not why:
                try:
                    qemu.firmware_files()
                except qemu.FirmwareMissing as e:
                    why = str(e)
            ways.append(Way(boot.name, boot, why))
            if firmware == "bios":
                ways += _sizes(boot, LIMINE_MEMORIES, why)
    return ways


def _sizes(boot, memories, missing):
    """The same way on machines of other sizes."""
    return [
        Way(f"{boot.name}-{memory}", replace(boot, memory=memory), missing) for memory in memories
    ]


def parametrize():
    """The ways as parameters of a fixture."""
    return [pytest.param(way, id=way.name, marks=way.marks) for way in all_ways()]
