"""A processor that never answers: the one that waits for it ends the machine with a report.

The bound is 20 s of the machine's time, which QEMU counts by instructions here (-icount): a
processor that spins comes to the end of it at once.
"""

import pytest
import qemu
from prompt import at_prompt
from test_exceptions import MACHINE_CODE

# 256 ns an instruction: 20 s are 80 million of them.
SLOW = "-smp 2 -icount shift=8"
SILENCE = 120

START = """
import _thread, critical, gc, machine, micropython, time
started = bytearray(1)

@micropython.viper
def spin():
    while True:
        pass

def hang():
    critical.mask()
    started[0] = 1
    spin()

def start(function):
    _thread.start_new_thread(function, ())
    # With -icount QEMU gives the other processor no time while this one does not halt.
    while not started[0]:
        time.sleep_ms(1)
"""

# The non-maskable interrupt gets the gate of spurious ones, which returns at once: the machine
# code is mov rax, address; sidt [rax]; ret.
IGNORE_NMI = (
    MACHINE_CODE
    + """
import uctypes
idtr = bytearray(10)
execute("48b8" + uctypes.addressof(idtr).to_bytes(8, "little").hex() + "0f0108c3")
idt = int.from_bytes(idtr[2:], "little")
for byte in range(16):
    machine.mem8[idt + 2 * 16 + byte] = machine.mem8[idt + 255 * 16 + byte]
"""
)


@pytest.fixture
def two(micropython):
    boot = qemu.Boot(cmdline="processors=2 heap=16M", qemuflags=SLOW)
    with at_prompt(boot, micropython, silence=SILENCE) as prompt:
        prompt.run(START)
        yield prompt


@pytest.mark.parametrize("wait", ["gc.collect()", "machine.soft_reset()"])
def test_interrupts_are_off_for_ever(two, wait):
    two.run("start(hang)")
    two.send(wait)
    text = two.machine.read_until(b"in hang\r\n")
    assert b"fault: vector 2 (non-maskable interrupt)" in text
    assert b"on processor 2 of 2" in text
    assert two.machine.wait(SILENCE) == qemu.Ending.FAULT


def test_interrupts_are_off_and_the_report_does_not_come(two):
    two.run(IGNORE_NMI + "start(hang)")
    two.send("gc.collect()")
    two.machine.read_until(b"panic: processor 2 has not answered for 40 s\r\n")
    assert two.machine.wait(SILENCE) == qemu.Ending.PANIC
