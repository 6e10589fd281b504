# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the kernel adds to the modules `machine` and `os`."""

import gc
import os
import time

import cpu
import machine
import uctypes
from ktap import equal, raises

from pfm.lock import critical

# Milliseconds until a timer that does not come has failed.
_LATE_MS = 5000


def _wait_for(condition):
    """Sleep until the condition holds, but not for ever."""
    start = time.ticks_ms()
    while not condition() and time.ticks_diff(time.ticks_ms(), start) < _LATE_MS:
        time.sleep_ms(1)
    assert condition()


def test_mem64():
    memory = bytearray(16)
    virt = uctypes.addressof(memory) + 7 & ~7
    for value in (0, 1, 2**63, 2**64 - 1):
        machine.mem64[virt] = value
        equal(machine.mem64[virt], value)
    machine.mem64[virt] = -2
    equal(machine.mem64[virt], 2**64 - 2)
    equal((machine.mem32[virt], machine.mem32[virt + 4]), (2**32 - 2, 2**32 - 1))
    for offset in range(1, 8):
        raises(ValueError, lambda offset=offset: machine.mem64[virt + offset])
    equal(str(machine.mem64), "<64-bit memory>")


def test_rtc():
    rtc = machine.RTC()
    before = rtc.datetime()
    try:
        rtc.datetime((2031, 12, 31, 0, 23, 59, 58, 250000))
        seconds = time.time()
        equal(time.gmtime(seconds)[:5], (2031, 12, 31, 23, 59))
        year, month, day, weekday, hours, minutes, _, us = machine.RTC(0).datetime()
        assert (year, month, day, weekday, hours, minutes) in (
            (2031, 12, 31, 2, 23, 59),
            (2032, 1, 1, 3, 0, 0),
        )
        equal(us, 0)
        # The year of the century, in the clock's memory, in BCD.
        cpu.outb(0x70, 9)
        equal(cpu.inb(0x71), 0x31 if year == 2031 else 0x32)
    finally:
        rtc.datetime(before)
    equal(time.gmtime()[:3], before[:3])


def test_rtc_takes_real_dates_only():
    rtc = machine.RTC()
    before = time.time()
    rtc.datetime((2024, 2, 29, 0, 12, 0, 0, 0))
    rtc.datetime(time.gmtime(before)[:3] + (0,) + time.gmtime(before)[3:6] + (0,))
    for wrong in (
        (1999, 12, 31, 0, 0, 0, 0, 0),
        (2100, 1, 1, 0, 0, 0, 0, 0),
        (2023, 2, 29, 0, 0, 0, 0, 0),
        (2024, 13, 1, 0, 0, 0, 0, 0),
        (2024, 0, 1, 0, 0, 0, 0, 0),
        (2024, 257, 1, 0, 0, 0, 0, 0),
        (2024, 1, 0, 0, 0, 0, 0, 0),
        (2024, 1, 1, 0, 24, 0, 0, 0),
        (2024, 1, 1, 0, -1, 0, 0, 0),
        (2024, 1, 1, 0, 0, 60, 0, 0),
        (2024, 1, 1, 0, 0, 0, 60, 0),
        (2024, 1, 1, 0, 0, 0, 0, 1000000),
    ):
        error = raises(ValueError, rtc.datetime, wrong)
        equal(str(error), "no date and time from 2000 to 2099: {}".format(wrong))
    raises(ValueError, rtc.datetime, (2024, 1, 1))
    raises(TypeError, rtc.datetime, 5)
    raises(ValueError, machine.RTC, 1)
    equal(time.gmtime()[:3], time.gmtime(before)[:3])


def test_periodic_timer_comes_until_it_is_stopped():
    calls = []
    timer = machine.Timer(period=2, callback=calls.append)
    _wait_for(lambda: len(calls) >= 5)
    timer.deinit()
    # The calls that wait already, of which each turn of a wait makes one.
    time.sleep_ms(20)
    count = len(calls)
    time.sleep_ms(20)
    equal(len(calls), count)
    assert calls[0] is timer


def test_timer_comes_once_and_again_when_it_is_started_again():
    calls = []
    timer = machine.Timer(-1)
    for count in (1, 2):
        timer.init(mode=machine.Timer.ONE_SHOT, period=2, callback=calls.append)
        _wait_for(lambda count=count: len(calls) == count)
        time.sleep_ms(20)
        equal(len(calls), count)


def test_timer_interrupts_a_loop_of_bytecode():
    calls = []
    machine.Timer(mode=machine.Timer.ONE_SHOT, period=2, callback=calls.append)
    start = time.ticks_ms()
    while not calls and time.ticks_diff(time.ticks_ms(), start) < _LATE_MS:
        pass
    equal(len(calls), 1)


def test_timer_waits_for_the_end_of_a_critical_section():
    calls = []
    with critical():
        machine.Timer(mode=machine.Timer.ONE_SHOT, period=1, callback=calls.append)
        start = time.ticks_ms()
        while time.ticks_diff(time.ticks_ms(), start) < 20:
            pass
        equal(calls, [])
    _wait_for(lambda: len(calls) == 1)


def test_timer_that_nobody_holds_survives_a_collection():
    calls = []
    machine.Timer(period=2, callback=calls.append)
    gc.collect()
    calls.clear()
    _wait_for(lambda: calls)
    calls[0].deinit()


def test_timers_come_in_their_order():
    order = []
    # When each is due: not before the first, not after the second.
    due = {}
    for period in (9, 3, 6):
        early = time.ticks_ms() + period
        machine.Timer(
            mode=machine.Timer.ONE_SHOT,
            period=period,
            callback=lambda _, period=period: order.append(period),
        )
        due[period] = (early, time.ticks_ms() + period)
    _wait_for(lambda: len(order) == 3)
    equal(sorted(order), [3, 6, 9])
    for place in (0, 1):
        equal(due[order[place]][0] <= due[order[place + 1]][1], True)


def test_timer_without_a_rate():
    raises(ZeroDivisionError, lambda: machine.Timer(period=1, tick_hz=0))


def test_environment():
    equal(os.getenv("PFM_TEST"), None)
    equal(os.getenv("PFM_TEST", "default"), "default")
    os.putenv("PFM_TEST", "value")
    equal(os.getenv("PFM_TEST", "default"), "value")
    os.unsetenv("PFM_TEST")
    equal(os.getenv("PFM_TEST", "default"), "default")
    os.unsetenv("PFM_TEST")
    raises(TypeError, os.getenv, 1)
    raises(TypeError, os.putenv, "PFM_TEST", 1)
