"""One call on all processors at once, for the tests of threads."""

import _thread
import time

import critical
import machine
from ktap import equal, skip

# How long all processors may take.
_TIMEOUT_MS = 120000


class Team:
    """Calls `work(number)` on all processors at once, with a number from 0 on for each."""

    def __init__(self, work):
        self._work = work
        self._count = machine.cpus()
        self._ended = bytearray(self._count)
        self.errors = []

    def _run(self, number):
        try:
            self._work(number)
        except Exception as error:
            self.errors.append(error)
        self._ended[number] = 1

    def run(self):
        if self._count == 1:
            skip("one processor runs: a machine with more starts them")
        started = time.ticks_ms()
        for number in range(1, self._count):
            self._start(number, started)
        self._run(0)
        while sum(self._ended) < self._count:
            assert time.ticks_diff(time.ticks_ms(), started) < _TIMEOUT_MS, bytes(self._ended)
            time.sleep_ms(1)
        while not critical.alone():
            pass
        equal(self.errors, [])

    def _start(self, number, started):
        while True:
            try:
                return _thread.start_new_thread(self._run, (number,))
            except OSError:
                # Left over from the test before, or not halted yet.
                assert time.ticks_diff(time.ticks_ms(), started) < _TIMEOUT_MS
