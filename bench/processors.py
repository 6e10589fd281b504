"""Rows of two processors at once: bench/processorrows.py on the target, and the host's own two.

The host's are plain loops in two threads (peers/threads.c), measured in the same way right
before and after each work: what they do of twice the work of one is all that a machine on two
virtual processors could reach at that time.
"""

import ctypes
import time
from pathlib import Path

import goals
import qemu

# As on the target: the least of so many bursts, each of about this length.
REPETITIONS = 30
BURST_NS = 8_000_000
# Rounds that a length is measured with.
TRIAL_ROUNDS = 1 << 22

# Rows that meet with a busy host are measured anew, as long as there is time.
SECONDS = 45

# Seconds that the machine may take or be silent.
TIMEOUT = 600
SILENCE = 60

CMDLINE = "processors=2 heap=64M"
QEMUFLAGS = "-smp 2 -accel tcg,thread=multi"
PROMPT = b">>> "
IMPORT = b"from bench.processorrows import measure\r"


class Host:
    """The host's two processors."""

    def __init__(self, peers):
        self._burst = ctypes.CDLL(peers).threads_burst
        self._burst.argtypes = (ctypes.c_size_t, ctypes.c_size_t)
        self._burst.restype = ctypes.c_size_t
        least = min(self._nanoseconds(1, TRIAL_ROUNDS) for _ in range(REPETITIONS))
        self._rounds = TRIAL_ROUNDS * BURST_NS // least

    def _nanoseconds(self, threads, rounds):
        spent = self._burst(threads, rounds)
        if not spent:
            raise OSError(f"threads_burst: no thread, {threads} wanted")
        return spent

    def parallel(self):
        """Return what two threads do in the time that one takes for its part."""
        samples = {1: [], 2: []}
        for _ in range(REPETITIONS):
            for threads, spent in samples.items():
                spent.append(self._nanoseconds(threads, self._rounds))
        return 2 * min(samples[1]) / min(samples[2])


def _ask(machine, line):
    """Return the output of a line at the prompt."""
    machine.write(line)
    return machine.read_until(PROMPT).decode("ascii", "replace")


def _measure(machine, work, parse):
    output = _ask(machine, f"measure({work!r})\r".encode())
    found = parse(output)
    if not found:
        raise SystemExit(output)
    return found


def _idleness(rows_of_work):
    return min(rows_of_work[0]["host"])


def rows(kernel, peers, parse):
    """Return the rows of a machine with two processors, and of the host beside them."""
    host = Host(peers)
    boot = qemu.Boot(cmdline=CMDLINE, kernel=Path(kernel), qemuflags=QEMUFLAGS)
    with qemu.Machine(boot, TIMEOUT, silence=SILENCE) as machine:
        machine.read_until(PROMPT)
        _ask(machine, IMPORT)
        end = time.monotonic() + SECONDS
        found = {}
        waiting = list(goals.works(goals.PROCESSORS))
        before = host.parallel()
        while waiting:
            work = waiting.pop(0)
            measured = _measure(machine, work, parse)
            after = host.parallel()
            for row in measured:
                row["host"] = (before, after)
            before = after
            found[work] = max(found.get(work, measured), measured, key=_idleness)
            if goals.host_is_busy(measured[0]) and time.monotonic() < end:
                waiting.append(work)
    return [row for measured in found.values() for row in measured]
