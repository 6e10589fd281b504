"""Orders for the heap and the RAM disk that the machine has no memory for: what there is, and a line that says so."""

import re
from dataclasses import replace

import pytest
from prompt import at_prompt

MIB = 1 << 20
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

# Memory, command line, the notes on the heap and on the disk, and the least sizes of them in MiB.
ORDERS = (
    ("256M", "heap=300M", " (300 MiB asked for)", "", 192, 4),
    ("256M", "heap=100G", " (100 GiB asked for)", "", 192, 4),
    ("256M", "disk=100G", "", " (100 GiB asked for)", 100, 64),
    ("256M", "debug heap=1T disk=1T", " (1 TiB asked for)", " (1 TiB asked for)", 192, 8),
    ("64M", "heap=60M", " (60 MiB asked for)", "", 32, 1),
    ("64M", "heap=20M disk=16M", "", "", 20, 16),
    ("32M", "heap=100G", " (100 GiB asked for)", "", 8, 1),
    ("32M", "disk=100G", "", " (100 GiB asked for)", 8, 2),
    ("32M", "heap=100G disk=100G", " (100 GiB asked for)", " (100 GiB asked for)", 8, 1),
    (
        "32M",
        "heap=99999999T disk=99999999T",
        " (95.4 EiB asked for)",
        " (95.4 EiB asked for)",
        8,
        1,
    ),
    # More than the range of 512 GiB that is set aside for the heap has room for.
    ("600G", "heap=520G", " (520 GiB asked for)", "", 512 << 10, 64),
)
# What is left at least, in MiB.
LEFT = 5

# The heap can be filled: what is behind it is mapped, and nobody else's.
USE = """
from pfm import PFM
heap = bytearray(HEAP_MIB << 20)
for number in range(HEAP_MIB):
    heap[number << 20] = number & 0xFF
assert all(heap[number << 20] == number & 0xFF for number in range(HEAP_MIB))
del heap
PFM.check()
with open("/kept", "w") as file:
    file.write("kept" * 1000)
"""
AFTER = """
from pfm import PFM
PFM.check()
PFM.free(PFM.alloc_contiguous(256))
with open("/kept") as file:
    assert file.read() == "kept" * 1000
"""


def _size(report, name, note):
    match = re.search(rf"\n{name} +([\d.]+) (\w+)(, at /)?{re.escape(note)}\n", report)
    assert match, report
    return float(match[1]) * UNITS[match[2]]


@pytest.mark.parametrize(
    "memory, cmdline, heap_note, disk_note, heap, disk",
    ORDERS,
    ids=[f"{order[0]}-{order[1]}".replace(" ", "-") for order in ORDERS],
)
def test_order(stand_in, micropython, memory, cmdline, heap_note, disk_note, heap, disk):
    boot = replace(stand_in.with_cmdline(f"{cmdline} verbose"), memory=memory)
    with at_prompt(boot, micropython) as prompt:
        report = prompt.report.replace("\r", "")
        assert "Traceback" not in report
        assert _size(report, "Python heap", heap_note) >= heap * MIB
        assert _size(report, "RAM disk", disk_note) >= disk * MIB
        assert prompt.value("sum(__import__('pfm').PFM.count_free())") >= LEFT * MIB // 4096
        assert prompt.run(f"HEAP_MIB = {min(heap, 192) * 7 // 8}\n{USE}") == ""
        for _ in range(2):
            prompt.soft_reset()
            assert prompt.run(AFTER) == ""
