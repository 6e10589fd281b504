"""Odd boots: what the loader sends is wrong, missing or strange, and the kernel says so or copes.

Each boot ends in one exact line and exit code, or in the frame counts that
frame_model.py works out from the map alone.
"""

import json
from dataclasses import replace

import frame_model as model
import pytest
import qemu
from frame_model import ACPI, BAD, FRAMEBUFFER, KERNEL, LOADER, MAPPED, NVS, RESERVED, USABLE
from prompt import at_prompt

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PAGE = 1 << 12
MEMORY = "128M"
WATCHDOG = 120

# Where the loader is told to put what must not be handed out, and a map that says so.
PLACES = "kernel=8M modules=16M state=125M"
SAFE = [(MIB, 23 * MIB, KERNEL), (125 * MIB, MIB, LOADER)]
POOL = (24 * MIB, 101 * MIB, USABLE)

FACTS = """
import json, limine
from pfm import PFM, PageFlags
from pfm.memmap import regions
array = PFM.array.start_phys >> 12, PFM.array.end_phys >> 12
managed = [zone.managed for zone in PFM.meminfo().zones]
PFM.check()
print(json.dumps([regions.read(limine.response("memmap")), PFM.min(), PFM.max(),
    PFM.count_present(), managed, array]))
"""
PROBE = """
print(json.dumps([(PFM.present(pfn), PFM.check_flags(pfn, PageFlags.RESERVED)) for pfn in {}]))
"""


def _served(entries):
    return ",".join(f"{base:#x}+{length:#x}:{kind}" for base, length, kind in entries)


# More would not fit into one line of the raw prompt's memory.
PROBES_MAX = 2000


def _edges(found, low, high):
    """Frames on both sides of each stretch's edges, within bounds."""
    near = {pfn + step for first, end, _ in found for pfn in (first, end) for step in (-1, 0)}
    return sorted(pfn for pfn in near | {low, high} if low <= pfn <= high)[:PROBES_MAX]


def _agrees(prompt, expected_entries=None):
    """Compare the machine with the model, on the map that it says it read."""
    entries, low, high, present, managed, array = json.loads(prompt.run(FACTS))
    if expected_entries is not None:
        assert [tuple(entry) for entry in entries] == expected_entries
    wanted = model.counts(entries)
    assert (low, high, present) == (wanted.low, wanted.high, wanted.present)
    # The array takes frames at the top of a usable row.
    found = model.stretches(entries)
    assert any(f <= array[0] and array[1] == e for f, e, what in found if what.kind == USABLE)
    start = 0
    for zone, end in enumerate(model.ZONE_ENDS):
        own = max(0, min(end, array[1]) - max(start, array[0]))
        assert managed[zone] == wanted.usable[zone] - own, (zone, managed, wanted)
        start = end
    probes = _edges(found, low, high)
    answers = json.loads(prompt.run(PROBE.format(probes)))
    for pfn, answer in zip(probes, answers, strict=True):
        what = model.frame(entries, pfn)
        usable = what.kind == USABLE and not array[0] <= pfn < array[1]
        assert answer == [what.present, not usable], (pfn, what)


def _boot(stand_in, options, cmdline="", memory=MEMORY):
    return replace(stand_in.with_cmdline(cmdline), options=options, memory=memory)


# The loader's options, the kernel's command line, the exact last line, how it ends.
REFUSED = [
    ("omit=memmap", "", "panic: the loader gave no memmap response (base revision 6)", "PANIC"),
    ("omit=hhdm", "", "panic: the loader gave no hhdm response (base revision 6)", "PANIC"),
    (
        "omit=executable_address",
        "",
        "panic: the loader gave no executable_address response (base revision 6)",
        "PANIC",
    ),
    (
        "omit=memmap,hhdm revision=2",
        "selftest",
        "panic: the loader gave no hhdm response (base revision 2)",
        "PANIC",
    ),
    (
        "omit=memmap revision=none",
        "",
        "panic: the loader gave no memmap response (base revision 2)",
        "PANIC",
    ),
    ("memmap=none", "selftest", "NoMemoryMapError: the memory map has no entries", "FAIL"),
    ("memmap=none", "run=selftest", "NoMemoryMapError: the memory map has no entries", "FAIL"),
    (
        f"{PLACES} memmap={_served([(2**52, GIB, USABLE)])}",
        "selftest",
        "NoMemoryMapError: the memory map contains no RAM",
        "FAIL",
    ),
    (
        f"{PLACES} memmap={_served([(0, GIB, RESERVED), (GIB, GIB, FRAMEBUFFER)])}",
        "selftest",
        "NoMemoryMapError: the memory map contains no RAM",
        "FAIL",
    ),
    ("memmap=16M", "", "direct: memmap: '16M' is not base+length:type", "LOADER"),
    ("spam", "", "direct: unknown option 'spam'", "LOADER"),
    ("kernel=1M+1", "", "direct: kernel=1M+1: not a number", "LOADER"),
    (
        "state=4G",
        "",
        "direct: state=0x100000000: the 1024 KiB there are not usable memory below 4 GiB",
        "LOADER",
    ),
    (
        "memmap=" + _served([(i * PAGE, PAGE, USABLE) for i in range(1025)]),
        "",
        "direct: memmap: more than 1024 entries",
        "LOADER",
    ),
]


@pytest.mark.parametrize(
    ("options", "cmdline", "line", "ending"),
    [pytest.param(*row, id=f"{row[3]}-{number}") for number, row in enumerate(REFUSED)],
)
def test_boot_ends(stand_in, options, cmdline, line, ending):
    with qemu.Machine(_boot(stand_in, options, cmdline), WATCHDOG, silence=WATCHDOG) as machine:
        said = machine.read_all().decode(errors="replace").replace("\r", "")
        assert machine.wait(WATCHDOG).name == ending, said
    assert said.rstrip("\n").rpartition("\n")[2] == line


def test_no_room_for_the_array(stand_in):
    entries = [*SAFE, (28 * MIB, PAGE, USABLE), (32 * MIB, 8 * KIB + 5, USABLE)]
    boot = _boot(stand_in, f"{PLACES} memmap={_served(entries)}", "selftest")
    with qemu.Machine(boot, WATCHDOG, silence=WATCHDOG) as machine:
        said = machine.read_all().decode(errors="replace").replace("\r", "")
        assert machine.wait(WATCHDOG).name == "FAIL", said
    last = said.rstrip("\n").rpartition("\n")[2]
    assert last.startswith("NoRoomError: no usable region for ")
    assert last.endswith(" frames of metadata, the largest has 2")


FRAGMENTS = [
    (24 * MIB + i * 64 * KIB, 32 * KIB + 8 * (i % 7), (USABLE, ACPI, NVS, BAD)[i % 4])
    for i in range(1020)
]
# What a served map holds besides SAFE.
MAPS = {
    "plain": [POOL],
    "unsorted": [(64 * MIB, 61 * MIB, USABLE), (24 * MIB, 40 * MIB, USABLE)],
    "overlapping": [
        (24 * MIB, 72 * MIB, USABLE),
        (40 * MIB, 85 * MIB, USABLE),
        (50 * MIB, MIB, RESERVED),
        (60 * MIB, MIB, BAD),
        (60 * MIB + 512 * KIB, MIB, NVS),
        (70 * MIB, MIB, ACPI),
        (80 * MIB, 20 * KIB, LOADER),
    ],
    "unaligned": [
        (24 * MIB + 5, 32 * MIB, USABLE),
        (60 * MIB - 1, MIB + 2, USABLE),
        (80 * MIB + 0x800, 0x700, USABLE),
        (90 * MIB + 0x123, 3 * MIB, ACPI),
        (95 * MIB + 0x123, 0x10, RESERVED),
        (95 * MIB, MIB, USABLE),
    ],
    "zero-length": [POOL, (0, 0, USABLE), (30 * MIB, 0, BAD), (2**64 - 1, 0, RESERVED)],
    "duplicates": [POOL, POOL, POOL, (30 * MIB, MIB, RESERVED), (30 * MIB, MIB, RESERVED)],
    "past-52-bits": [
        POOL,
        (2**52, 2**40, USABLE),
        (2**52 - PAGE, 2 * PAGE, RESERVED),
        (2**64 - PAGE, 2 * PAGE, BAD),
        (2**64 - 1, 2**64 - 1, USABLE),
        (2**51, 2**63, FRAMEBUFFER),
    ],
    "past-16-TiB": [POOL, (2**44, GIB, USABLE), (2**46, 2**40, LOADER)],
    "unknown-types": [POOL, (28 * MIB, MIB, 9), (30 * MIB, MIB, 1000), (40 * MIB, 1, 2**64 - 1)],
    "devices": [POOL, (3 * GIB, 16 * MIB, FRAMEBUFFER), (0xFED00000, PAGE, MAPPED)],
    "hole-of-half-a-TiB": [POOL, (512 * GIB, 16 * MIB, NVS)],
    "frame-0": [POOL, (0, 0x9F000, USABLE)],
    "frame-0-partly": [POOL, (0x10, 0x9F000, USABLE)],
    "little": [(0x1000, 0x9E000, USABLE)] + [(30 * MIB, 6 * MIB, USABLE)],
    "1024-entries": [*FRAGMENTS, (90 * MIB, 30 * MIB, USABLE), (3 * GIB, PAGE, RESERVED)],
}


@pytest.mark.parametrize("name", MAPS)
def test_served_map(stand_in, micropython, name):
    entries = [*SAFE, *MAPS[name]]
    options = f"{PLACES} memmap={_served(entries)}"
    assert len(entries) <= model.ENTRIES_MAX
    with at_prompt(_boot(stand_in, options), micropython) as prompt:
        _agrees(prompt, entries)


# Options that leave the machine's own map in force, and the machine's memory.
ODD = [
    ("shuffle", MEMORY),
    ("shuffle=7 add=3G+1M:1,0+0:0", "6G"),
    ("junk", MEMORY),
    ("junk=0xff shuffle=2", "32M"),
    ("kernel=top modules=top", "6G"),
    ("kernel=top", "32M"),
    ("kernel=0x2345000 modules=45M state=0x1001000", MEMORY),
    ("mark=30M+1234:bad,64M+1M:reserved,65M+5K:acpi", MEMORY),
    ("mark=4G+100M:acpi,5G+1:bad,4G+200M:loader", "6G"),
    ("add=40M+4K:77,41M+1:8", MEMORY),
    ("omit=executable_file,executable_cmdline", MEMORY),
    ("omit=bootloader_info,firmware_type,rsdp,framebuffer,stack_size,date_at_boot", MEMORY),
    ("revision=1", MEMORY),
    ("revision=2", "6G"),
    ("revision=3", "6G"),
    ("revision=4", MEMORY),
    ("revision=5 shuffle", "64G"),
    ("revision=none", MEMORY),
]


@pytest.mark.parametrize(("options", "memory"), ODD, ids=[options for options, _ in ODD])
def test_odd_options(stand_in, micropython, options, memory):
    with at_prompt(_boot(stand_in, options, memory=memory), micropython) as prompt:
        _agrees(prompt)


@pytest.mark.parametrize(
    "options", ["junk shuffle", "kernel=top modules=top junk=0xff", "revision=1", "revision=none"]
)
def test_self_tests_on_an_odd_boot(stand_in, options):
    boot = _boot(stand_in, options, "selftest")
    with qemu.Machine(boot, 4 * WATCHDOG, silence=WATCHDOG) as machine:
        said = machine.read_all().decode(errors="replace").replace("\r", "")
        assert machine.wait(WATCHDOG).name == "OK", said
    assert "\nnot ok " not in said
