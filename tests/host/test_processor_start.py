"""How processors start: in both modes of the local APIC, with any ID, without one, 64 of them.

And which are found: what the MADT lists, also where it is garbled.
"""

import functools
import subprocess

import collect
import pytest
import qemu
from prompt import at_prompt

THREADS = "-accel tcg,thread=multi"

# Two processors, far apart: sockets of 65 cores take 7 bits of an ID, so that the core in the
# third has the ID 256.  Only x2APIC mode can address it.
WIDE_ID = (
    f"{THREADS} -smp 1,maxcpus=195,sockets=3,cores=65,threads=1"
    " -device max-x86_64-cpu,socket-id=2,core-id=0,thread-id=0"
)

# Each thread fills frames and objects with its number while the main thread collects.
SIXTY_FOUR = """
import _thread, gc, machine, time
from array import array
from pfm import PFM

ROUNDS = 20
count = machine.cpus()
ready, ended = bytearray(count), bytearray(count)
sums = array("q", [0] * count)
go = bytearray(1)

def work(number):
    ready[number] = machine.cpu()
    while not go[0]:
        time.sleep_ms(100)
    kept = []
    for i in range(ROUNDS):
        pfn = PFM.alloc(i % 3)
        virt = PFM.as_virt(pfn << 12)
        machine.mem64[virt] = number
        kept.append((pfn, virt, [number, i] * 10, str(i)))
        if i % 5 == 4:
            for pfn, virt, items, text in kept:
                if machine.mem64[virt] == number and items == [number, int(text)] * 10:
                    sums[number] += items[1]
                PFM.free(pfn)
            kept = []
    ended[number] = 1

gc.collect()
PFM.drain()
free = sum(PFM.count_free())
for number in range(1, count):
    _thread.start_new_thread(work, (number,))
while ready.count(b"\\0") > 1:
    time.sleep_ms(100)
numbers = sorted(ready)
go[0] = 1
collections = 0
while ended.count(b"\\0") > 1:
    gc.collect()
    collections += 1
    # Else the others would stand still most of the time.
    time.sleep_ms(50)
"""


# A MADT of processors that are there, disabled, and listed twice; the ID of the first is 0.
LISTED = """
import acpi, processors, struct, uctypes

def local_apic(apic_id, flags=1):
    return bytearray(struct.pack("<BBBBI", 0, 8, 0, apic_id, flags))

def local_x2apic(apic_id):
    return bytearray(struct.pack("<BBHIII", 9, 16, 0, apic_id, 1, 0))

structures = [local_apic(0), local_apic(200), local_apic(7, 0), local_apic(200)]
defect = None

def madt():
    for data in structures:
        yield data[0], uctypes.addressof(data), len(data)
    if defect:
        raise defect

def summary(found):
    return [found.total, found.count, found.notes]

acpi.madt = madt
"""


@functools.cache
def _x2apic_missing():
    """Why QEMU's processors have no x2APIC mode, None if they have it."""
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,+x2apic,enforce"]
    result = subprocess.run(
        [*command, "-nodefaults", "-display", "none", "-S", "-monitor", "stdio"],
        input="quit\n",
        capture_output=True,
        text=True,
        timeout=collect.SILENCE,
    )
    return None if result.returncode == 0 else "x2APIC: " + result.stderr.splitlines()[0]


@pytest.fixture
def x2apic():
    if _x2apic_missing():
        pytest.skip(_x2apic_missing())


def _self_test(flags, cpu="max"):
    boot = qemu.Boot(cmdline="selftest=test_threads", qemuflags=f"{flags} -cpu {cpu}")
    run = collect.run_machine(boot)
    run.assert_all_passed()
    return run.output


def test_apic_id_of_more_than_8_bits(x2apic):
    assert "\nProcessors: 2 of 2," in _self_test(WIDE_ID)


def test_xapic_mode_where_there_is_no_other(x2apic):
    """Without x2APIC in QEMU all other tests run in this mode."""
    assert "\nProcessors: 2 of 2," in _self_test(f"{THREADS} -smp 2", cpu="max,-x2apic")


@pytest.mark.parametrize("cmdline", ["", "processors=4"])
def test_one_processor_without_a_local_apic(micropython, cmdline):
    boot = qemu.Boot(cmdline=cmdline, qemuflags="-cpu max,-apic")
    with at_prompt(boot, micropython) as prompt:
        said = "\nProcessors: no local APIC to start others by" in prompt.report
        assert said == bool(cmdline)
        assert prompt.value("__import__('machine').cpus()") == 1


def test_one_processor_without_acpi(micropython):
    boot = qemu.Boot(qemuflags=f"{THREADS} -smp 2 -machine pc,acpi=off")
    with at_prompt(boot, micropython) as prompt:
        assert "Processors" not in prompt.report
        assert prompt.value("__import__('machine').cpus()") == 1


def test_small_machine_keeps_most_of_its_memory(micropython):
    boot = qemu.Boot(memory="32M", qemuflags=f"{THREADS} -smp 32")
    with at_prompt(boot, micropython) as prompt:
        count = prompt.value("__import__('machine').cpus()")
        assert 1 < count < 32
        assert f"\nProcessors: {count} of 32," in prompt.report
        assert "\nProcessors: more would leave too little memory;" in prompt.report
        assert prompt.value("0 < PFM.owners().frames('proc') * 16 <= PFM.count_present()")


def test_what_is_found_and_what_does_not_answer(micropython):
    boot = qemu.Boot(cmdline="processors=1", qemuflags="-cpu max,-x2apic")
    with at_prompt(boot, micropython) as prompt:
        prompt.run(LISTED)
        # Not those that are disabled, and each once.
        assert prompt.value("summary(processors.Processors())") == [2, 2, []]
        assert prompt.value("summary(processors.Processors(1))") == [1, 1, []]
        prompt.run("defect = acpi.ACPIError(0x1000, 'a structure of 1 bytes')")
        # What came before the defect.
        assert prompt.value("summary(processors.Processors())") == [2, 2, []]
        why = "p0x00000001000: a structure of 1 bytes"
        assert prompt.value("summary(processors.Processors(4))") == [2, 2, [why]]
        prompt.run("structures.append(local_x2apic(256)); defect = None")
        prompt.run("found = processors.Processors(3)")
        prompt.run("PFM.drain(); free = PFM.count_free(); found.start(PFM); PFM.drain()")
        notes = ["cannot be addressed: APIC ID 256", "no answer: APIC ID 200"]
        assert prompt.value("summary(found)") == [3, 3, notes]
        assert prompt.value("__import__('machine').cpus()") == 1
        assert prompt.value("PFM.count_free() == free")
        prompt.run("PFM.check()")


def test_64_processors_work_at_once_and_are_collected_with(micropython):
    boot = qemu.Boot(cmdline="heap=16M", qemuflags=f"-smp 65 {THREADS}")
    with at_prompt(boot, micropython) as prompt:
        assert "\nProcessors: 64 of 65," in prompt.report
        prompt.run(SIXTY_FOUR)
        assert prompt.value("numbers") == [0, *range(2, 65)]
        assert prompt.value("collections") > 0
        assert prompt.value("list(sums)") == [0] + 63 * [sum(range(20))]
        prompt.run("while not __import__('critical').alone(): pass")
        prompt.run("PFM.drain(); PFM.check()")
        assert prompt.value("sum(PFM.count_free()) - free") == 0
