"""Random operations on 2 and 4 processors at once, alone and under Ctrl-C and soft resets at random moments.

PFM_PROCESSOR_TRACE_OPERATIONS and PFM_PROCESSOR_TRACE_SEED set how many there are, on all
machines together, and which; PFM_PROCESSOR_STORM_INTERRUPTS how often each is interrupted.
A seed makes the same operations again, but not the same order of those of different processors.
"""

import os
import random
import time
from dataclasses import replace

import collect
import pytest
import qemu
from prompt import Raised, at_prompt
from test_processors import FOUR

MEMORY = "64M"
# With each machine's share of the operations: more processors than the host has cost time.
PROCESSORS = {2: 0.8, 4: 0.2}
OPERATIONS = int(os.environ.get("PFM_PROCESSOR_TRACE_OPERATIONS") or 50000)
INTERRUPTS = int(os.environ.get("PFM_PROCESSOR_STORM_INTERRUPTS") or 16)
SEED = int(os.environ.get("PFM_PROCESSOR_TRACE_SEED") or 0) or random.randrange(1, 1 << 30)

# Seconds that an operation and an interrupt may take, generously.
OPERATION_SECONDS = 0.1
INTERRUPT_SECONDS = 30

# Interrupts between two soft resets, and the longest time from one to the next.
BETWEEN_RESETS = (1, 8)
PAUSE_MAX = 0.2

# What every soft reset must bring back.
LOOK = """\
import machine, owners
from pfm import PFM, processor
PFM.check()
assert processor.guards(PFM._cpu) == 0
# Page tables stay.
print(machine.cpus(), sum(PFM.count_free()) + PFM.owners().frames(owners.TABLES))
"""


def _boot(processors):
    flags = f"-smp {processors} -accel tcg,thread=multi"
    cmdline = f"processors={processors} heap=8M"
    return replace(qemu.Boot(**FOUR), cmdline=cmdline, memory=MEMORY, qemuflags=flags)


@pytest.mark.parametrize("processors", PROCESSORS)
def test_random_trace_on_all_processors(micropython, processors):
    print(f"PFM_PROCESSOR_TRACE_SEED={SEED}")
    operations = int(OPERATIONS * PROCESSORS[processors])
    timeout = collect.BOOT_TIMEOUT + OPERATION_SECONDS * operations
    with at_prompt(_boot(processors), micropython, timeout, silence=timeout) as prompt:
        prompt.run("from tests.target.traces.run import Traces")
        refused = int(prompt.run(f"print(Traces({SEED}).run({operations}))"))
    assert refused > operations // 100


def _storm(prompt, chance, interrupts, reset):
    """Interrupt a trace so many times; with reset, the last is a soft reset."""
    machine = prompt.machine
    seed = chance.randrange(1, 1 << 30)
    prompt.send(
        f"from tests.target.traces.run import Traces\nTraces({seed}).storm({interrupts}, {reset})"
    )
    for _ in range(interrupts):
        line = _line(machine)
        assert line.startswith((b"storm", b"whole ")), (SEED, seed, line + _rest(prompt))
        time.sleep(chance.random() * PAUSE_MAX)
        machine.write(b"\x03")
    if reset:
        machine.read_until(b"soft reboot")
        prompt.restart()
    else:
        prompt.finish()


def _line(machine):
    return machine.read_until(b"\n").lstrip(b"OK")


def _rest(prompt):
    try:
        prompt.finish()
    except Raised as error:
        return str(error).encode()
    except Exception as error:
        return repr(error).encode()
    return b""


@pytest.mark.parametrize("processors", PROCESSORS)
def test_interrupts_and_soft_resets_while_others_run(micropython, processors):
    print(f"PFM_PROCESSOR_TRACE_SEED={SEED}")
    chance = random.Random(SEED + processors)
    timeout = collect.BOOT_TIMEOUT + INTERRUPT_SECONDS * INTERRUPTS
    with at_prompt(_boot(processors), micropython, timeout, silence=timeout) as prompt:
        # What the first start alone allocates is gone after a soft reset.
        prompt.soft_reset()
        first = prompt.run(LOOK)
        assert first.startswith(f"{processors} ")
        left = INTERRUPTS
        while left:
            count = min(left, chance.randint(*BETWEEN_RESETS))
            reset = chance.random() < 0.7
            _storm(prompt, chance, count, reset)
            found = prompt.run(LOOK)
            assert found == first or not reset, (SEED, found, first)
            left -= count


# Native code is in no jump of bytecode, so these end wherever they are.
CALLS = """\
import _thread, micropython, time
from pfm import PFM
turns = bytearray(3)

@micropython.native
def blocks(number):
    while True:
        PFM.free(PFM.alloc(3))
        PFM.unref(PFM.alloc(4, None, False, 0, True))
        turns[number] = 1

@micropython.native
def runs(number):
    while True:
        PFM.free(PFM.alloc_contiguous(7))
        turns[number] = 1

@micropython.native
def many(number):
    while True:
        PFM.mfree(PFM.malloc(20000))
        PFM.free_many(PFM.alloc_many(50))
        turns[number] = 1

for number, calls in enumerate((blocks, runs, many)):
    _thread.start_new_thread(calls, (number,))
while sum(turns) < 3:
    time.sleep_ms(1)
"""


def test_threads_that_are_ended_inside_calls_leave_all_frames(micropython):
    with at_prompt(_boot(4), micropython) as prompt:
        first = prompt.run(LOOK)
        for _ in range(4):
            prompt.run(CALLS)
            prompt.soft_reset()
            assert prompt.run(LOOK) == first
