"""Several processors: what one does while the others run threads, from the prompt and at its end."""

from dataclasses import replace

import pytest
import qemu
from prompt import at_prompt
from test_exceptions import MACHINE_CODE

FOUR = {"cmdline": "heap=16M", "qemuflags": "-smp 4 -accel tcg,thread=multi"}

# Endless, in bytecode, in the allocator of objects, and in code that no jump of bytecode is in.
LOOPS = """
import _thread, gc, machine, micropython, time
turns = bytearray(4)

def count(number):
    while True:
        turns[number] = turns[number] + 1 & 255

def allocate(number):
    while True:
        turns[number] = len([number] * 10) + turns[number] & 255

@micropython.viper
def never(number: int):
    while True:
        pass

for number, loop in enumerate((count, allocate, never)):
    _thread.start_new_thread(loop, (number,))
"""

SETTLE = """
before = bytes(turns)
while not (turns[0] != before[0] and turns[1] != before[1]):
    time.sleep_ms(1)
"""


# Seconds without a byte from a machine.
SILENCE = 60


@pytest.fixture
def four(micropython):
    with at_prompt(qemu.Boot(**FOUR), micropython, silence=SILENCE) as prompt:
        yield prompt


def _all_free(prompt):
    assert prompt.value("(machine.cpus(), machine.cpu())") == [4, 1]
    prompt.run("from pfm import PFM; PFM.check()")


def test_others_are_collected_with_and_end_with_a_soft_reset(four):
    assert "\nProcessors: 4 of 4, used by _thread" in four.report
    four.run(LOOPS + SETTLE)
    four.run("for _ in range(10): gc.collect()")
    four.run(SETTLE)
    with pytest.raises(Exception, match="no processor is free"):
        four.run("_thread.start_new_thread(count, (3,))")
    # Without Ctrl-C, which the raw prompt takes for itself.
    four.soft_reset()
    # All are free again, and counted so, each time.
    for _ in range(3):
        four.run("import machine")
        _all_free(four)
        four.run(LOOPS + SETTLE)
        four.soft_reset()


def test_section_ends_with_the_thread_that_is_in_it(four):
    four.run(
        """
import _thread, machine, time
step = bytearray(2)

def leave():
    machine.disable_irq()
    step[0] = 1

def stay():
    machine.disable_irq()
    step[0] = 2
    while True:
        pass

def wait():
    step[1] = 1
    machine.disable_irq()
    step[1] = 2

_thread.start_new_thread(leave, ())
while step[0] != 1:
    pass
machine.enable_irq(machine.disable_irq())
_thread.start_new_thread(stay, ())
while step[0] != 2:
    pass
_thread.start_new_thread(wait, ())
while step[1] != 1:
    pass
"""
    )
    four.soft_reset()
    four.run("import machine")
    _all_free(four)
    four.run("machine.enable_irq(machine.disable_irq())")


def test_ctrl_c_interrupts_the_main_thread_alone(four):
    four.run(LOOPS + SETTLE)
    four.send("print('waits')\nlock = _thread.allocate_lock()\nlock.acquire()\nlock.acquire()")
    four.machine.read_until(b"waits")
    four.machine.write(b"\x03")
    with pytest.raises(Exception, match="KeyboardInterrupt"):
        four.finish()
    four.run(SETTLE)
    four.soft_reset()


def test_ctrl_c_ends_a_wait_for_a_container(four):
    """Another processor sorts it, by keys in code that gives the lock up nowhere."""
    four.run(
        """
import _thread, micropython
shared = [1, 2]
sorts = bytearray(1)

@micropython.viper
def key(item):
    ptr8(sorts)[0] = 1
    while True:
        pass

_thread.start_new_thread(shared.sort, (), {"key": key})
while not sorts[0]:
    pass
"""
    )
    four.send("print('waits')\nshared.append(3)")
    four.machine.read_until(b"waits")
    four.machine.write(b"\x03")
    with pytest.raises(Exception, match="KeyboardInterrupt"):
        four.finish()
    assert four.value("len(shared)") == 2
    four.soft_reset()


def test_frames_that_threads_held_are_free_after_a_soft_reset(four):
    four.run(
        """
import _thread, machine, time
from pfm import PFM
held = bytearray(3)

def work(number):
    frames = [PFM.alloc(order) for order in range(6)]
    with PFM.get(frames[0]):
        held[number] = 1
        while True:
            PFM.free(PFM.alloc(3))

for number in range(3):
    _thread.start_new_thread(work, (number,))

while sum(held) < 3:
    time.sleep_ms(1)
"""
    )
    four.soft_reset()
    four.run("import machine")
    _all_free(four)


def test_bad_access_is_an_exception_on_its_processor(four):
    output, _ = four.try_run(
        """
import _thread, machine, time
done = bytearray(1)

def touch():
    try:
        machine.mem8[8]
    finally:
        done[0] = machine.cpu()

_thread.start_new_thread(touch, ())
while not done[0]:
    time.sleep_ms(1)

def recurse():
    recurse()

def deep():
    done[0] = 0
    try:
        recurse()
    except RuntimeError:
        done[0] = machine.cpu()

while True:
    try:
        _thread.start_new_thread(deep, ())
        break
    except OSError:
        pass

time.sleep_ms(50)
while not done[0]:
    time.sleep_ms(1)
"""
    )
    assert "AccessFault: (14, 'read of v0x0000000000000008: page not mapped', 8)" in output
    assert "Unhandled exception in thread" in output


def test_fault_report_names_the_processor(micropython):
    source = (
        MACHINE_CODE
        + """
import _thread

def fault():
    # ud2
    execute("0f0b")

def busy():
    while True:
        pass

_thread.start_new_thread(busy, ())
_thread.start_new_thread(fault, ())
while True:
    pass
"""
    )
    boot = qemu.Boot(**FOUR)
    with at_prompt(boot, micropython) as prompt:
        prompt.send(source)
        text = prompt.machine.read_until(b"in fault\r\n")
        assert b"on processor 3 of 4" in text
        assert prompt.machine.wait(60) == qemu.Ending.FAULT


def test_processor_that_is_not_there_is_left_out(micropython):
    boot = replace(qemu.Boot(**FOUR), cmdline="processors=all", qemuflags="-smp 2,maxcpus=4")
    with at_prompt(boot, micropython) as prompt:
        assert "\nProcessors: 2 of 2," in prompt.report


def test_fewer_processors_run_if_asked(micropython):
    boot = replace(qemu.Boot(**FOUR), cmdline="processors=3 verbose")
    with at_prompt(boot, micropython) as prompt:
        assert "\nProcessors   3 of 4\r" in prompt.report
        assert prompt.value("__import__('machine').cpus()") == 3


def test_one_processor_if_asked(micropython):
    boot = replace(qemu.Boot(**FOUR), cmdline="processors=1")
    with at_prompt(boot, micropython) as prompt:
        assert "Processors" not in prompt.report
        assert prompt.value("__import__('machine').cpus()") == 1
        with pytest.raises(Exception, match="no processor is free"):
            prompt.run("import _thread; _thread.start_new_thread(print, ())")
