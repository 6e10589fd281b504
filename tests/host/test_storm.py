"""Ctrl-C at random moments over every public call, and soft resets as things are: nothing is left half done.

PFM_STORM_INTERRUPTS and PFM_STORM_SEED set how many there are and which.
"""

import os
import random
import time
from dataclasses import replace

import pytest
from prompt import at_prompt

MEMORY = "64M"
INTERRUPTS = int(os.environ.get("PFM_STORM_INTERRUPTS") or 1000)
# Boots to interrupt `PFM.reclaim()` on, which a machine does once.
RECLAIMS = int(os.environ.get("PFM_STORM_RECLAIMS") or 4)
SEED = int(os.environ.get("PFM_STORM_SEED") or 0) or random.randrange(1, 1 << 30)

# Interrupts between two soft resets, and seconds from one to the next.
BETWEEN_RESETS = (10, 60)
PAUSE_MAX = 0.02
# Seconds an interrupt may take, generously.
INTERRUPT_TIMEOUT = 1

START = """\
import sys
from tests.target.storm import Storm
storm = Storm()
"""
# What every soft reset must bring back.
LOOK = """\
import os
from pfm import PFM, processor
PFM.check()
assert processor.guards(PFM._cpu) == 0
assert "kept.txt" in os.listdir("/"), os.listdir("/")
"""


def _storm(prompt, chance, interrupts, reset):
    """One storm of so many interrupts; with reset, the last is a soft reset."""
    machine = prompt.machine
    prompt.send(f"{START}storm.run({interrupts}, {reset})")
    machine.read_until(b"storm\r\n")
    for _ in range(interrupts):
        time.sleep(chance.random() * PAUSE_MAX)
        machine.write(b"\x03")
        line = machine.read_until(b"\n")
        assert line.startswith((b"whole ", b"reset ")), (SEED, line + _rest(machine))
    if reset:
        machine.read_until(b"soft reboot")
        prompt.restart()
    else:
        prompt.finish()


def _rest(machine):
    try:
        return machine.read_until(b"\x04>")
    except Exception as error:
        return str(error).encode()


def test_storm_of_interrupts(stand_in, micropython):
    print(f"PFM_STORM_SEED={SEED}")
    chance = random.Random(SEED)
    boot = replace(stand_in.with_cmdline("heap=8M"), memory=MEMORY)
    with at_prompt(boot, micropython, 300 + INTERRUPT_TIMEOUT * INTERRUPTS) as prompt:
        prompt.run("open('/kept.txt', 'w').close()")
        left = INTERRUPTS
        while left:
            count = min(left, chance.randint(*BETWEEN_RESETS))
            _storm(prompt, chance, count, chance.random() < 0.8)
            assert prompt.run(LOOK) == ""
            left -= count


RECLAIM = """\
from pfm import PFM
from pfm.memmap import protocol

def left():
    return sum([r.end - r.start for r in PFM.regions if r.type == protocol.BOOTLOADER_RECLAIMABLE])

def managed():
    return PFM.meminfo().total.managed

wanted = left()
before = managed()
assert wanted
try:
    print("reclaiming")
    while True:
        PFM.reclaim()
except KeyboardInterrupt:
    pass
PFM.check()
# All of it or none.
assert (left(), managed()) in ((wanted, before), (0, before + wanted)), (left(), managed())
PFM.reclaim()
assert (left(), managed()) == (0, before + wanted)
PFM.check()
print("whole")
"""


@pytest.mark.parametrize("turn", range(RECLAIMS))
def test_interrupted_reclaim(stand_in, micropython, turn):
    """The real one, which moves the loader's responses too: at once or a little later."""
    chance = random.Random(SEED + turn)
    with at_prompt(replace(stand_in.with_cmdline(""), memory=MEMORY), micropython) as prompt:
        prompt.send(RECLAIM)
        prompt.machine.read_until(b"reclaiming\r\n")
        time.sleep(chance.random() * PAUSE_MAX / 4)
        prompt.machine.write(b"\x03")
        line = prompt.machine.read_until(b"\n")
        assert line == b"whole\r\n", (SEED + turn, line + _rest(prompt.machine))
        prompt.finish()
        prompt.soft_reset()
        assert prompt.run("from pfm import PFM; assert PFM.reclaim() == (0, 0); PFM.check()") == ""
