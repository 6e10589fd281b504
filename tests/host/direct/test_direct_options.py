"""The options on the stand-in loader's command line that make it boot oddly."""

import re

import probe_kernel
import pytest
from probe_kernel import (
    FRAMEBUFFER,
    GIB,
    HHDM,
    KERNEL,
    LOADER,
    MIB,
    NVS,
    PAGE,
    TIB,
    USABLE,
    booted,
    promised,
    refused,
    served,
)
from qemu import Ending


def test_served_map_is_exactly_as_given(newest):
    entries = [
        (0x123, 0x456, LOADER),
        (100 * MIB, 1 * MIB, USABLE),
        (1 * MIB, 0, USABLE),
        (1 * MIB + 5, 3 * MIB, KERNEL),
        (2**64 - PAGE, 2 * PAGE, 1),
        (2**52, 2**40, USABLE),
        (2**64 - 1, 2**64 - 1, 2**64 - 1),
    ]
    text = ",".join(f"{base:#x}+{length}:{kind}" for base, length, kind in entries)
    facts = booted(newest, f"memmap={text}")
    assert facts.regions == entries


def test_no_entry(newest):
    facts = booted(newest, "memmap=none omit=executable_file")
    assert (facts.number("memmap"), facts.regions) == (0, [])


def test_type_names_and_suffixes(newest):
    names = "usable reserved acpi nvs bad loader kernel framebuffer mapped".split()
    given = enumerate(zip(names, "KMGTKMGTK", strict=True), 1)
    text = ",".join(f"{n}{suffix}+4K:{name}" for n, (name, suffix) in given)
    facts = booted(newest, f"memmap={text}")
    shifts = [10, 20, 30, 40] * 2 + [10]
    assert facts.regions == [(n + 1 << s, PAGE, n) for n, s in enumerate(shifts)]


def test_1024_entries(newest):
    entries = [((i * 7919 % 1024) << 24, PAGE + i, i % 9) for i in range(1024)]
    facts = booted(newest, f"memmap={served(entries[:500])} memmap={served(entries[500:])}")
    assert facts.regions == entries


def test_1025_entries(newest):
    entries = [(i << 20, PAGE, USABLE) for i in range(1025)]
    refused(newest, "memmap: more than 1024 entries", f"memmap={served(entries)}")


def test_too_many_with_the_machine_s_own(newest):
    entries = [(i << 20, PAGE, USABLE) for i in range(1024)]
    facts = probe_kernel.boot(newest, f"add={served(entries)}")
    pattern = r"direct: the served memory map has 10\d\d entries, more than 1024\n"
    assert re.fullmatch(pattern, facts.text)
    assert facts.ending == Ending.LOADER


def test_mark_splits_the_map(newest, plain):
    facts = booted(
        newest, "mark=64M+1234:bad mark=65M+8K:1000,65M+4K:nvs", cmdline="selftest=x  heap=1M"
    )
    (whole,) = [r for r in plain.regions if r[0] < 64 * MIB and r[0] + r[1] > 66 * MIB]
    at = plain.regions.index(whole)
    assert facts.regions == [
        *plain.regions[:at],
        (whole[0], 64 * MIB - whole[0], USABLE),
        (64 * MIB, 1234, 4),
        (64 * MIB + 1234, MIB - 1234, USABLE),
        (65 * MIB, PAGE, NVS),
        (65 * MIB + PAGE, PAGE, 1000),
        (65 * MIB + 2 * PAGE, whole[0] + whole[1] - 65 * MIB - 2 * PAGE, USABLE),
        *plain.regions[at + 1 :],
    ]


def test_add_and_shuffle(newest, plain):
    def shuffled(options):
        return booted(newest, options, cmdline="selftest=x  heap=1M").regions

    entries = [(0, 0, USABLE), (5 * TIB, GIB, USABLE)]
    assert shuffled(f"add={served(entries)}") == plain.regions + entries
    mixed = shuffled(f"add={served(entries)} shuffle=3")
    assert mixed != plain.regions + entries
    assert sorted(mixed) == sorted(plain.regions + entries)
    assert shuffled("shuffle=3") == shuffled("shuffle=3")
    assert shuffled("shuffle=3") != shuffled("shuffle=4")


# Each feature and the fact that the probe then does not tell.
FEATURES = {
    "bootloader_info": "loader",
    "executable_cmdline": "cmdline",
    "firmware_type": "firmware",
    "paging_mode": "paging_mode",
    "rsdp": "rsdp",
    "date_at_boot": "date",
    "executable_address": "physical_base",
    "executable_file": "file",
    "memmap": "memmap",
    "hhdm": "hhdm",
}


@pytest.mark.parametrize("name", FEATURES)
def test_omit(newest, plain, name):
    facts = booted(newest, f"omit={name}")
    missing = plain.lines.keys() - facts.lines.keys()
    assert FEATURES[name] in missing
    if name not in ("hhdm", "memmap"):
        assert missing <= {FEATURES[name], "version", "virtual_base", "acpi"}


def test_omit_several(probe):
    facts = booted(
        probe("REVISION=6", "OTHER_ENTRY", "STACK_SIZE=0x200000"),
        "omit=stack_size,entry_point omit=rsdp,framebuffer,module",
    )
    assert facts.number("stack_size") == 0
    assert facts.number("entry") == 0
    assert facts.lines["rsdp"] == []


MASKS = {16: (0x50B, 0x605, 0x500), 24: (0x810, 0x808, 0x800), 32: (0x810, 0x808, 0x800)}


@pytest.mark.parametrize("mode", ["", "640x480x16", "1024x768x24", "2560x1600x32"])
def test_framebuffer(newest, mode):
    width, height, bits = (int(word) for word in (mode or "1280x800x32").split("x"))
    facts = booted(newest, f"framebuffer={mode}" if mode else "")
    ((address, *fields),) = facts.numbers("framebuffer")
    pitch = width * bits // 8
    assert fields == [width, height, pitch, bits, 1, *MASKS[bits]]
    size = (pitch * height + PAGE - 1) // PAGE * PAGE
    assert (address - HHDM, size, FRAMEBUFFER) in facts.regions


def test_framebuffers(newest):
    facts = booted(
        newest, "garble=width:7,address:0,bpp:0x1234", qemuflags="-device secondary-vga"
    )
    garbled, other = facts.numbers("framebuffer")
    assert garbled == (0, 7, *other[2:4], 0x1234, *other[5:])
    assert sum(kind == FRAMEBUFFER for _, _, kind in facts.regions) == 2
    for options, qemuflags in (("framebuffer=none", ""), ("", "-vga none"), ("", "-vga cirrus")):
        facts = booted(newest, options, qemuflags=qemuflags)
        assert facts.numbers("framebuffer") == []
        assert FRAMEBUFFER not in {kind for _, _, kind in facts.regions}


@pytest.mark.parametrize("option, byte", [("junk", 0xDB), ("junk=0", 0), ("junk=0x5a", 0x5A)])
def test_junk(probe, option, byte):
    facts = booted(probe("REVISION=6", "JUNK"), option)
    usable = [region for region in facts.regions if region[2] == USABLE]
    assert facts.numbers("junk") == [(byte * 0x0101010101010101, 1)] * len(usable)


def test_placement_at_addresses(newest):
    facts = booted(newest, "kernel=0x2345000 modules=33M state=0x1001000")
    assert facts.number("physical_base") == 0x2345000
    assert int(facts.line("file").split()[0], 16) == HHDM + 33 * MIB
    assert 0x1001000 <= facts.number("cr3") < 0x1101000
    promised(facts.regions)
    assert facts.type_of(0x2345000) == facts.type_of(33 * MIB) == KERNEL
    assert facts.type_of(0x1100FFF) == LOADER
    assert facts.type_of(0x2344FFF) == facts.type_of(0x1101000) == USABLE


def test_placement_in_low_memory(newest):
    facts = booted(newest, "kernel=0x1000 junk")
    assert facts.number("physical_base") == 0x1000
    assert facts.number("bss_set") == 0


def test_placement_at_the_top(newest):
    facts = booted(newest, "kernel=top modules=top", memory="6G")
    promised(facts.regions)
    top = max(base + length for base, length, kind in facts.regions if kind in (USABLE, KERNEL))
    assert top > 4 * GIB
    assert facts.type_of(top - 1) == KERNEL
    assert facts.number("physical_base") > 4 * GIB
    assert facts.line("file").endswith("0x464c457f")
    assert facts.number("bss_set") == 0
