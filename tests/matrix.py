#!/usr/bin/env python3
"""Run the self tests on many machines and write what came of it: matrix.py OUTPUT.md

Loaders and firmware as this host has them, boards, memory from 32 MiB to 1 TiB
in several layouts, processors by kind and number. Ends with status 0 when all that ran passed.
"""

import datetime
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "boot"), str(ROOT / "tests" / "host")]

import ktap_report  # noqa: E402
import limine  # noqa: E402
import pins  # noqa: E402
import qemu  # noqa: E402

# Seconds for one machine, and without a byte from it.
TIMEOUT = 900
SILENCE = 180

IMAGE = ROOT / "build" / "test" / "matrix.iso"

NUMA = (
    "-object memory-backend-ram,id=m0,size=2G,reserve=off"
    " -object memory-backend-ram,id=m1,size=4G,reserve=off"
    " -numa node,memdev=m0 -numa node,memdev=m1"
)


@dataclass(frozen=True)
class Layout:
    """A machine: its board, memory, and what else is said of it, as options of QEMU."""

    board: str
    memory: str
    note: str = ""
    flags: str = ""
    cmdline: str = "selftest"

    def boot(self, loader, firmware):
        return qemu.Boot(
            loader=loader,
            firmware=firmware,
            memory=self.memory,
            cmdline=self.cmdline,
            qemuflags=self.flags if "-M " in self.flags else f"-M {self.board} {self.flags}",
            image=IMAGE,
        )


SPLIT = Layout("q35", "6G", "RAM split at 512 MiB", "-M q35,max-ram-below-4g=512M")
SPLIT_PC = Layout("pc", "2G", "RAM split at 512 MiB", "-M pc,max-ram-below-4g=512M")
NUMA_6G = Layout("q35", "6G", "NUMA, 2 + 4 GiB", NUMA)
SMP = Layout("q35", "512M", "4 processors, 1 runs", "-smp 4", "selftest processors=1")
# All run Python; the other layouts have one.
PROCESSORS = [
    Layout(
        "q35",
        "512M",
        f"{number} processors run",
        f"-smp {number} -accel tcg,thread=multi",
    )
    for number in (2, 4, 8)
]
BASELINE = Layout("q35", "512M", "processor qemu64", "-cpu qemu64")

# On the stand-in loader, and on each release of Limine by firmware.
ON_STAND_IN = [
    *(Layout("q35", memory) for memory in ("32M", "512M", "6G", "64G", "1T")),
    *(Layout("pc", memory) for memory in ("32M", "6G")),
    SPLIT,
    SPLIT_PC,
    NUMA_6G,
    SMP,
    *PROCESSORS,
    BASELINE,
    *(
        Layout("q35", "512M", f"processor {name}", f"-cpu {name}")
        for name in ("core2duo", "Nehalem", "Haswell-noTSX", "EPYC", "Skylake-Server")
    ),
]
ON_EACH = {
    "bios": [Layout("q35", "64M"), Layout("pc", "6G"), SPLIT, SMP, *PROCESSORS, BASELINE],
    "uefi": [Layout("q35", "512M"), Layout("pc", "6G"), *PROCESSORS, BASELINE],
}
ON_FIRST = {
    "bios": [Layout("q35", "64G"), Layout("q35", "1T"), NUMA_6G],
    "uefi": [Layout("q35", "64G"), SPLIT, NUMA_6G, SMP],
}

HEAD = """\
# Where it was run

The kernel's self tests on machines of QEMU. Written by `make test-matrix`; do not edit. Run on
{date}: MicroPython {micropython}, {qemu}, loaders {loaders}.
{failed} of {count} failed.

| loader | firmware | board | memory | besides | frames present | init | passed | skipped | result |
|---|---|---|---|---|---|---|---|---|---|
"""


def rows():
    """(loader, firmware, Layout) of each machine, and why others are not here."""
    found = [(qemu.DIRECT, "bios", layout) for layout in ON_STAND_IN]
    missing = []
    firmware = ["bios"]
    try:
        qemu.firmware_files()
        firmware.append("uefi")
    except qemu.FirmwareMissing as e:
        missing.append(str(e))
    try:
        releases = limine.releases()
    except limine.NotFound as e:
        return found, [*missing, str(e)]
    for number, release in enumerate(releases):
        for kind in firmware:
            layouts = ON_EACH[kind] + (ON_FIRST[kind] if number == 0 else [])
            found += [(release, kind, layout) for layout in layouts]
    return found, missing


def loader_name(loader):
    return "stand-in" if loader == qemu.DIRECT else f"Limine {loader.version}"


def run(boot):
    """What the machine said, and how it ended or why it was ended."""
    with qemu.Machine(boot, TIMEOUT, silence=SILENCE) as machine:
        try:
            machine.read_all()
            ending = machine.wait(SILENCE).name
        except qemu.MachineSilent as e:
            ending = str(e)
        said = machine.transcript.decode(errors="replace").replace("\r", "")
        return said, ending, machine.complaint()


def row(loader, firmware, layout):
    """(cells of the table, whether all tests passed, what the machine said)."""
    said, ending, complaint = run(layout.boot(loader, firmware))
    report = ktap_report.parse(said)
    skipped = sum(result.skipped is not None for result in report.results)
    passed = sum(result.passed for result in report.results) - skipped
    frames = re.search(r"Frames .*: (\d+) present", said)
    init = re.search(r"Init +(\d+) us", said)
    good = ending == "OK" and not report.failed and not report.problems
    if good:
        result = "ok"
    elif report.failed:
        result = ", ".join(failed.test for failed in report.failed)
    else:
        result = ending
    cells = [
        loader_name(loader),
        firmware.upper(),
        layout.board,
        layout.memory,
        layout.note,
        frames[1] if frames else "",
        f"{int(init[1]) / 1000:.1f} ms" if init else "",
        str(passed),
        str(skipped),
        result,
    ]
    return cells, good, said + complaint


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    qemu.die_with_parent(os.getppid())
    machines, missing = rows()
    lines, failures, loaders = [], 0, []
    for loader, firmware, layout in machines:
        if loader_name(loader) not in loaders:
            loaders.append(loader_name(loader))
        started = time.monotonic()
        cells, good, said = row(loader, firmware, layout)
        failures += not good
        lines.append("| " + " | ".join(cells) + " |")
        print(f"{lines[-1]} {time.monotonic() - started:.1f} s", flush=True)
        if not good:
            print(said, file=sys.stderr, flush=True)
    for why in missing:
        print(f"not run: {why}")
    version = subprocess.check_output(["qemu-system-x86_64", "--version"], text=True)
    head = HEAD.format(
        date=datetime.date.today().isoformat(),
        micropython=pins.MICROPYTHON_VERSION,
        qemu=re.match(r"QEMU emulator version \S+", version)[0].replace(" emulator version", ""),
        loaders=", ".join(loaders),
        failed=failures or "None",
        count=len(lines),
    )
    tail = "".join(f"\nNot run: {why}\n" for why in missing)
    Path(sys.argv[1]).write_text(head + "\n".join(lines) + "\n" + tail)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
