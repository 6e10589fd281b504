"""What takes a machine of a certain size: reclaim and soft reset, a large Python heap, a random trace.

PFM_TARGET_TRACE_OPERATIONS and PFM_TARGET_TRACE_SEED set how long the trace on
the kernel is and which.
"""

import os
from dataclasses import replace

import boots
import collect
import ktap_report
import pytest
import qemu
from prompt import at_prompt

# A frame model of bytes on the machine itself: what the trace costs grows with memory.
TRACE_MEMORY = "64M"
TRACE_OPERATIONS = int(os.environ.get("PFM_TARGET_TRACE_OPERATIONS") or 3000)
TRACE_SEED = int(os.environ.get("PFM_TARGET_TRACE_SEED") or 1)
# Seconds an operation may take, generously.
TRACE_OPERATION_SECONDS = 0.05

SELF_TESTS = "import selftest; print(selftest.run(), 'failed')"

# Nobody else has frames in what `reclaim` made usable: all of each range can be had.
RECLAIM = """
from pfm import PFM
from pfm.memmap import protocol
loader = [r for r in PFM.regions if r.type == protocol.BOOTLOADER_RECLAIMABLE]
wanted = sum([r.end - r.start for r in loader])
given = PFM.reclaim()
assert given[0] == wanted > 0, (given, wanted)
assert PFM.reclaim() == (0, 0)
PFM.check()
before = PFM.count_free()
for region in loader:
    assert PFM.alloc_at(region.start, region.end - region.start) == region.start
PFM.check()
for region in loader:
    PFM.free(region.start)
PFM.drain()
assert PFM.count_free() == before
PFM.check()
"""

# 6 GiB have a hole below 4 GiB and RAM above it.
WAYS_6G = [w for w in boots.all_ways() if w.missing or w.boot.memory == "6G"]


def _sized(way, memory, cmdline=""):
    return replace(way.with_cmdline(cmdline), memory=memory)


@pytest.mark.parametrize("way", [pytest.param(w, id=w.name, marks=w.marks) for w in WAYS_6G])
def test_loader_memory_is_reclaimed(way, micropython):
    with at_prompt(way.with_cmdline("verbose"), micropython) as prompt:
        assert "\nNORMAL " in prompt.report and "\nA character is " in prompt.report
        assert prompt.run(RECLAIM) == ""
        assert prompt.run(SELF_TESTS).endswith("\n0 failed\n")
        prompt.soft_reset()
        assert prompt.value("__import__('pfm').PFM.reclaim()") == [0, 0]
        assert prompt.run(SELF_TESTS).endswith("\n0 failed\n")
        prompt.run("from pfm import PFM; PFM.check()")


def test_a_gibibyte_of_python_objects(stand_in, micropython):
    with at_prompt(_sized(stand_in, "4G"), micropython) as prompt:
        prompt.run(
            "import gc\n"
            "blocks = [bytearray(16 << 20) for _ in range(64)]\n"
            "for number, block in enumerate(blocks): block[0] = block[-1] = number\n"
            "gc.collect()\n"
            "assert gc.mem_alloc() > 1 << 30, gc.mem_alloc()\n"
            "assert [b[0] + b[-1] for b in blocks] == list(range(0, 128, 2))\n"
        )


def test_heap_of_a_given_size(stand_in, micropython):
    with at_prompt(_sized(stand_in, "1G", "heap=256M verbose"), micropython) as prompt:
        assert "\nPython heap  256 MiB\n" in prompt.report.replace("\r", "")
        prompt.run("a = bytearray(200 << 20)")
        assert "MemoryError" in prompt.try_run("b = bytearray(200 << 20)")[1]
        assert prompt.value("len(a)") == 200 << 20


def test_random_trace(stand_in, micropython):
    timeout = collect.BOOT_TIMEOUT + TRACE_OPERATION_SECONDS * TRACE_OPERATIONS
    boot = _sized(stand_in, TRACE_MEMORY)
    with at_prompt(boot, micropython, timeout, silence=timeout) as prompt:
        prompt.run("import trace; from pfm import PFM")
        refused = int(prompt.run(f"print(trace.Trace(PFM, {TRACE_SEED}).run({TRACE_OPERATIONS}))"))
        assert refused > TRACE_OPERATIONS // 100


# One of the stand-in loader's, and each release of Limine's under BIOS.
WAYS_PLAIN = [
    w
    for w in boots.all_ways()
    if w.missing or (w.boot.firmware == "bios" and w.name == w.boot.name)
]

NO_PROTECTION = "the processor has no execute protection (NX): any page can be executed"
# The tests that need it, and what they say instead.
SKIPPED = {"test_data_cannot_be_executed": "this processor has no execute protection (NX)"}


def _without_protection(way, cmdline):
    boot = way.with_cmdline(cmdline)
    # QEMU takes the last of two.
    return replace(boot, qemuflags=f"{boot.qemuflags} -cpu max,-nx")


@pytest.mark.parametrize("way", [pytest.param(w, id=w.name, marks=w.marks) for w in WAYS_PLAIN])
def test_processor_without_execute_protection(way):
    boot = _without_protection(way, "selftest")
    with qemu.Machine(boot, collect.BOOT_TIMEOUT, silence=collect.SILENCE) as machine:
        output = machine.read_all().decode(errors="replace")
        assert machine.wait(collect.SILENCE) is qemu.Ending.OK, output
    assert [
        line for line in output.splitlines() if "NX" in line and not line.startswith("ok ")
    ] == [f"pfm: {NO_PROTECTION}"]
    results = ktap_report.parse(output).results
    skipped = {r.test: r.skipped for r in results if r.test in SKIPPED}
    assert skipped == SKIPPED


def test_soft_reset_without_execute_protection(stand_in, micropython):
    with at_prompt(_without_protection(stand_in, ""), micropython) as prompt:
        assert NO_PROTECTION in prompt.report
        prompt.soft_reset()
        assert prompt.value("__import__('pfm').PFM.space.protects") is False
        assert prompt.run(SELF_TESTS).endswith("\n0 failed\n")
