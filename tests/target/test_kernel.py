"""The kernel's own modules, and the language on the target."""

import os
import select
import sys
import time
from array import array

import cpu
import kernel
import limine
import machine
import micropython
import uctypes
from ktap import equal, raises


def test_required_responses_are_there():
    for name in ("hhdm", "memmap", "bootloader_info", "executable_address", "executable_file"):
        assert limine.response(name), name
    raises(ValueError, limine.response, "nonsense")
    assert 0 <= limine.base_revision() <= 6


def test_atomic_exchange():
    word = bytearray(4)
    virt = uctypes.addressof(word)
    equal(cpu.xchg32(virt, 5), 0)
    equal(cpu.cmpxchg32(virt, 4, 9), 5)
    equal(cpu.cmpxchg32(virt, 5, 9), 5)
    equal(cpu.xchg32(virt, 0xFFFFFFFF), 9)
    equal(cpu.xchg32(virt, 0), 0xFFFFFFFF)
    pair = array("Q", (0,))
    cpu.store64(uctypes.addressof(pair), -2, 0xFEDCBA98)
    equal(pair[0], 0xFEDCBA98FFFFFFFE)
    raises(ValueError, cpu.store64, uctypes.addressof(pair) + 4, 0, 0)


def test_interrupt_flag():
    state = machine.disable_irq()
    machine.enable_irq(state)
    equal(machine.disable_irq(), state)
    machine.enable_irq(state)


def test_clocks_advance():
    start, ticks, stamp = time.ticks_us(), time.ticks_cpu(), cpu.rdtsc()
    time.sleep_ms(20)
    assert time.ticks_diff(time.ticks_us(), start) >= 20000
    assert time.ticks_diff(time.ticks_cpu(), ticks) != 0
    assert cpu.rdtsc() > stamp


def test_viper_on_the_target():
    @micropython.viper
    def double(x: int) -> int:
        return x + x

    @micropython.native
    def add(a, b):
        return a + b

    equal(double(21), 42)
    equal(add("a", "b"), "ab")


def test_numbers():
    equal(2**100 % 1000007, pow(2, 100, 1000007))
    # Not as constants: upstream's mpy-tool.py freezes them with 16 digits.
    one, two = 1.0, 2.0
    assert one + two**-52 != one and one + two**-53 == one


def test_random_bytes():
    equal(len(os.urandom(17)), 17)
    assert os.urandom(17) != os.urandom(17)
    raises(ValueError, os.urandom, -1)


def test_wild_access_names_the_address():
    virt = 0x1234567000
    error = raises(kernel.AccessFault, lambda: machine.mem32[virt])
    assert "1234567000" in str(error), str(error)


def test_wild_access_from_viper():
    @micropython.viper
    def peek(virt: int) -> int:
        return ptr32(virt)[0]

    for virt in (0x1234567000, 0x1234_5678_9ABC_0000):
        raises(kernel.AccessFault, peek, virt)


def test_endless_recursion_is_an_error():
    def deeper():
        return deeper()

    for _ in range(3):
        raises(RuntimeError, deeper)


def test_console_can_be_polled():
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN | select.POLLOUT)
    assert [event for _, event in poll.poll(0) if event & select.POLLOUT]


def test_viper_division_by_zero():
    @micropython.viper
    def divide(a: int, b: int) -> int:
        return a // b

    equal(divide(7, 2), 3)
    raises(ZeroDivisionError, divide, 1, 0)
    equal(divide(-7, 7), -1)
