"""Builds and boots the probe kernel, probe.c, and reads what it tells."""

import struct
import subprocess
from collections import defaultdict
from pathlib import Path

from qemu import ROOT, STAND_IN, Boot, Ending, Machine

SOURCE = Path(__file__).parent
CFLAGS = (
    "-std=gnu11 -O1 -Wall -Wextra -Werror -ffreestanding -mcmodel=kernel -mno-red-zone"
    " -mgeneral-regs-only -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none"
    " -fno-asynchronous-unwind-tables"
).split()
LDFLAGS = (
    "-nostdlib -static -no-pie -Wl,-z,max-page-size=0x1000 -Wl,--no-warn-rwx-segments"
    " -Wl,--build-id=none"
).split()

# Seconds a boot may take before it counts as hung.
WATCHDOG = 60

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
PAGE = 0x1000
HHDM = 0xFFFF800000000000
# Where the probe is linked.
BASE_VIRT = 0xFFFFFFFF80001000

# Types of the memory map.
USABLE, RESERVED, ACPI, NVS, BAD, LOADER, KERNEL, FRAMEBUFFER, MAPPED = range(9)


def build(output, *macros, offset=0x1000):
    """Compile the probe with these macros ("REVISION=6"), linked offset above -2 GiB."""
    subprocess.run(
        ["gcc", *CFLAGS, "-I", ROOT / "boot", *(f"-D{m}" for m in macros), *LDFLAGS]
        + [f"-Wl,--defsym=PROBE_OFFSET={offset}", f"-Wl,-T,{SOURCE / 'probe.ld'}"]
        + ["-o", output, SOURCE / "probe.c"],
        check=True,
    )
    return output


class Facts:
    """What the probe printed: each name's lines, as lists of words."""

    def __init__(self, text, ending):
        self.text = text
        self.ending = ending
        self.lines = defaultdict(list)
        for line in text.splitlines():
            name, _, rest = line.partition(" ")
            self.lines[name].append(rest)

    def number(self, name):
        """The single value of a fact that has one line."""
        (line,) = self.lines[name]
        return int(line, 16)

    def line(self, name):
        (line,) = self.lines[name]
        return line

    def numbers(self, name):
        """Every line of this name, as tuples of its values."""
        return [tuple(int(word, 16) for word in line.split()) for line in self.lines[name]]

    @property
    def regions(self):
        """The memory map: (base, length, type)."""
        return self.numbers("region")

    def type_of(self, phys):
        """Type of the only region that holds this address."""
        (kind,) = {t for base, length, t in self.regions if base <= phys < base + length}
        return kind


def boot(kernel, options="", cmdline="", memory="128M", qemuflags="", extra=()):
    """Boot a kernel by the stand-in loader; its Facts."""
    assert STAND_IN.exists(), f"{STAND_IN} is missing: make direct"
    machine = Boot(
        memory=memory, cmdline=cmdline, options=options, qemuflags=qemuflags, kernel=kernel
    )
    with Machine(machine, timeout=WATCHDOG, extra=extra) as running:
        text = running.read_all().decode(errors="replace").replace("\r\n", "\n")
        return Facts(text, running.wait())


def booted(kernel, *args, **options):
    facts = boot(kernel, *args, **options)
    assert facts.ending == Ending.OK, facts.text
    assert facts.text.endswith("\ndone\n")
    return facts


def refused(kernel, line, *args, **options):
    facts = boot(kernel, *args, **options)
    assert facts.text == f"direct: {line}\n"
    assert facts.ending == Ending.LOADER


def promised(regions, revision=6):
    """What the protocol promises of every memory map."""
    assert [base for base, _, _ in regions] == sorted(base for base, _, _ in regions)
    end_before = 0
    for base, length, kind in regions:
        assert length > 0
        assert base >= end_before
        end_before = base + length
        if kind in (USABLE, LOADER):
            assert base % PAGE == length % PAGE == 0
        if kind == USABLE and revision < 3:
            assert base >= PAGE


def served(entries):
    return ",".join(f"{base:#x}+{length:#x}:{kind}" for base, length, kind in entries)


# Offsets in an ELF64 file header and in a program header.
ELF_CLASS, ELF_TYPE, ELF_MACHINE = (4, "<B"), (16, "<H"), (18, "<H")
ELF_ENTRY, ELF_PHOFF, ELF_PHNUM = (24, "<Q"), (32, "<Q"), (56, "<H")
PH_OFFSET, PH_VIRT, PH_FILE_SIZE, PH_MEMORY_SIZE = (8, "<Q"), (16, "<Q"), (32, "<Q"), (40, "<Q")
PH_SIZE = 56


def patch(kernel, output, field, value, segment=None):
    """A copy of the ELF file with one field of its header, or of a segment's, changed."""
    data = bytearray(kernel.read_bytes())
    at, form = field
    if segment is not None:
        phoff, word = ELF_PHOFF
        (start,) = struct.unpack_from(word, data, phoff)
        at += start + segment * PH_SIZE
    struct.pack_into(form, data, at, value)
    output.write_bytes(data)
    return output
