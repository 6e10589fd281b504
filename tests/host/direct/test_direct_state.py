"""What the stand-in loader hands over: processor, memory, responses."""

import re
import time

import probe_kernel
import pytest
from probe_kernel import (
    ACPI,
    BASE_VIRT,
    FRAMEBUFFER,
    GIB,
    HHDM,
    KERNEL,
    KIB,
    LOADER,
    MAPPED,
    MIB,
    NVS,
    PAGE,
    USABLE,
    booted,
    promised,
)

# The second word of a base revision tag that the loader left alone.
TAG_MAGIC = 0x6A7B384944536BDC


def test_registers_at_entry(plain):
    assert plain.numbers("register") == [(0,)] * 15
    assert plain.number("rflags") == 0x2
    assert plain.number("return") == 0
    assert plain.number("rsp") % 16 == 8
    assert (plain.number("cs"), plain.number("ds"), plain.number("ss")) == (0x28, 0x30, 0x30)
    assert (plain.number("fs_base"), plain.number("gs_base")) == (0, 0)


def test_control_registers_at_entry(plain):
    assert plain.number("cr0") == 0x80010011  # PG, WP, ET, PE
    assert plain.number("cr4") == 0x20  # PAE
    assert plain.number("efer") == 0xD00  # NXE, LMA, LME
    assert plain.number("pat") & 0xFFFFFFFFFFFF == 0x010500070406


def test_descriptor_tables_at_entry(plain):
    accessed = 1 << 40
    assert [d & ~accessed for (d,) in plain.numbers("descriptor")] == [
        0,
        0x00009A000000FFFF,
        0x00009200_0000FFFF,
        0x00CF9A000000FFFF,
        0x00CF92000000FFFF,
        0x00209A0000000000,
        0x0000920000000000,
    ]
    assert (plain.number("idtr_base"), plain.number("idtr_limit")) == (0, 0)
    assert plain.number("ldtr") == 0
    assert plain.number("pic") == 0xFFFF


def test_own_state_is_reclaimable(plain):
    for name in ("rsp", "gdtr_base", "memmap_response", "memmap_entries", "memmap_entry"):
        assert plain.type_of(plain.number(name) - HHDM) == LOADER, name
    assert plain.type_of(plain.number("cr3")) == LOADER
    assert plain.type_of(plain.number("rsp") - HHDM - 64 * KIB + 8) == LOADER


def test_responses(plain, newest):
    assert plain.line("loader") == "pfm-direct"
    assert plain.line("version")
    assert plain.line("cmdline") == "selftest=x  heap=1M"
    assert plain.number("firmware") == 0
    assert plain.number("paging_mode") == 0
    assert plain.number("hhdm") == HHDM
    assert plain.number("stack_size") == 1
    assert plain.number("outside") == 0
    assert plain.number("virtual_base") == BASE_VIRT
    assert plain.type_of(plain.number("physical_base")) == KERNEL


def test_executable_file(plain, newest):
    place, path, arguments = re.match(r"([^/]*)(.*?)\|(.*?)\|", plain.line("file")).groups()
    address, size = (int(word, 16) for word in place.split())
    assert size == newest.stat().st_size
    assert (path, arguments) == (str(newest), "selftest=x  heap=1M")
    assert address % PAGE == 0
    assert plain.type_of(address - HHDM) == KERNEL
    assert plain.line("file").endswith("| 0x0 0x464c457f")


def test_modules(newest):
    text = newest.parent / "text"
    text.write_text("module text")
    files = f"{newest} words,{text} one  two,{newest}"
    facts = booted(newest, extra=("-initrd", files))
    first, second = facts.lines["module"]
    assert re.fullmatch(rf"0x\w+000 0xb {text}\|one  two\| 0x0 0x75646f6d", first)
    assert second.endswith("|| 0x0 0x464c457f")


def test_date_at_boot(newest):
    facts = booted(newest, qemuflags="-rtc base=2028-02-29T23:59:30")
    assert 0 <= facts.number("date") - 1835481570 < probe_kernel.WATCHDOG
    facts = booted(newest, qemuflags="-rtc base=utc")
    assert abs(facts.number("date") - time.time()) < probe_kernel.WATCHDOG


def test_segments_have_their_permissions(plain):
    def rights(name):
        virt, phys, rights, page = plain.line(name).split()
        assert int(page, 16) == PAGE
        assert int(phys, 16) == int(virt, 16) // PAGE * PAGE - BASE_VIRT + plain.number(
            "physical_base"
        )
        return rights

    assert rights("text") == "r-x-"
    assert rights("rodata") == "r---"
    assert rights("data") == "rw--"
    assert rights("bss") == "rw--"
    assert rights("native") == "rwx-"
    assert plain.line("above").endswith("---")
    assert plain.line("below").endswith("---")
    assert plain.line("null").endswith("---")
    assert plain.number("bss_set") == 0


def ram(regions):
    return sum(length for _, length, kind in regions if kind in (USABLE, LOADER, KERNEL))


@pytest.mark.parametrize(
    "memory, qemuflags",
    [
        ("32M", ""),
        ("32M", "-M pc"),
        ("6G", ""),
        ("6G", "-M pc"),
        ("1G", "-M q35,max-ram-below-4g=512M"),
        ("1G", "-cpu qemu64"),
        ("1G", "-cpu qemu64,-nx"),
        ("512M", "-smp 4"),
        ("512M", "-machine acpi=off"),
        ("64G", ""),
        ("1T", ""),
    ],
)
def test_machines(newest, memory, qemuflags):
    facts = booted(newest, memory=memory, qemuflags=qemuflags)
    promised(facts.regions)
    size = int(memory[:-1]) << {"M": 20, "G": 30, "T": 40}[memory[-1]]
    # The firmware keeps less than a mebibyte, and some video memory on some boards.
    assert size - MIB < ram(facts.regions) <= size
    assert facts.lines["acpi_unmapped"] == []
    assert bool(facts.lines["acpi"]) == ("acpi=off" not in qemuflags)


def test_large_pages_only_where_the_processor_has_them(newest):
    def pages(qemuflags):
        facts = booted(newest, memory="6G", qemuflags=qemuflags)
        return {int(line.split()[-1], 16) for line in facts.lines["last"] if "---" not in line}

    assert GIB in pages("")
    assert max(pages("-cpu qemu64")) == 2 * MIB


@pytest.mark.parametrize("asked", range(1, 8))
@pytest.mark.parametrize("cap", range(1, 7))
def test_base_revision(probe, asked, cap):
    facts = booted(probe(f"REVISION={asked}"), f"revision={cap}")
    force = min(asked, cap)
    assert facts.number("revision") == (0 if asked <= cap else asked)
    assert facts.number("in_force") == (force if cap >= 3 else TAG_MAGIC)
    assert (facts.number("rsdp") < HHDM) == (force == 3)
    promised(facts.regions, force)
    assert (MAPPED in {kind for _, _, kind in facts.regions}) == (force >= 4)


def test_base_revision_tag_ignored(newest):
    facts = booted(newest, "revision=none")
    assert facts.number("revision") == 6
    assert facts.number("in_force") == TAG_MAGIC


@pytest.mark.parametrize("revision", range(1, 7))
def test_hhdm_coverage(probe, revision):
    facts = booted(
        probe(f"REVISION={revision}"),
        "mark=5G+4K:acpi,5243000K+4K:nvs,5244000K+4K:bad,5245000K+4K:framebuffer,40M+6K:bad",
        memory="6G",
    )
    always = {USABLE, LOADER, KERNEL, FRAMEBUFFER}
    mapped = always if revision == 3 else always | {ACPI, NVS, MAPPED}
    kinds = {base: kind for base, _, kind in facts.regions}
    checked = set()
    for line in facts.lines["first"]:
        virt, phys, *rest = line.split()
        base = int(virt, 16) - HHDM
        at = base // PAGE * PAGE
        low = revision < 3 and base < 4 * GIB
        # The loader maps what its own map has as well as what it serves: marked RAM stays mapped.
        from_ram = base >= 4 * GIB and base < 7 * GIB or base == 40 * MIB
        if low or from_ram or kinds[base] in mapped:
            combines = "c" if kinds[base] == FRAMEBUFFER else "-"
            assert (int(phys, 16), rest[0]) == (at, "rwx" + combines)
        else:
            assert phys == "---", line
        checked.add(kinds[base])
    assert checked >= {USABLE, 1, ACPI, NVS, FRAMEBUFFER, LOADER, KERNEL}


def test_hhdm_covers_a_served_map(newest):
    facts = booted(newest, "add=300G+8K:usable,301G+4K:reserved,302G+0x800:acpi")
    lines = {line.split()[0]: line.split()[1:] for line in facts.lines["first"]}
    assert lines[hex(HHDM + 300 * GIB)] == [hex(300 * GIB), "rwx-", "0x1000"]
    assert lines[hex(HHDM + 301 * GIB)] == ["---"]
    assert lines[hex(HHDM + 302 * GIB)] == [hex(302 * GIB), "rwx-", "0x1000"]


def test_without_markers_the_whole_image_counts(probe):
    facts = booted(probe("REVISION=6", "NO_MARKERS"))
    assert facts.number("outside") != 0


def test_entry_point_and_stack_size(probe):
    facts = booted(probe("REVISION=6", "OTHER_ENTRY", "STACK_SIZE=0x200000"))
    assert facts.number("entry") == 1
    top = facts.number("rsp") + 8 - HHDM
    assert top % PAGE == 0
    assert facts.type_of(top - 2 * MIB) == facts.type_of(top - 1) == LOADER
