"""The prompt after running out of heap: it goes on, a thousand times over."""

from dataclasses import replace

import boots
import pytest
import qemu
import repl

MEMORY = "64M"
# Seconds for the machine, and without a byte from it.
TIMEOUT = 600
SILENCE = 60

TIMES = 1000

# Ways to fill the heap; each ends with pieces so small that hardly a byte is left.
FILL = """\
def fill(pieces):
    kept = []
    for size in 1 << 18, 1 << 14, 1 << 10, 1 << 6, 1:
        try:
            while True:
                kept.append(pieces(size))
        except MemoryError:
            pass
    while True:
        kept = [kept, pieces(1)]

def double(data):
    while True:
        data = data + data
"""
# To fill it to the last byte takes long, so every so many times.
FILLING = ("fill(bytearray)", "fill(lambda size: [None] * size)", "fill(lambda size: 'x' * size)")
DOUBLING = ("double(b'x')", "double([0])", "double('x')")
FILL_EVERY = 25


# On the kernel as on the unix port: tests/unit/test_exhausted_heap.py.
SWEEP = """\
import calls, exhausted
from pfm import PFM
calls.mark(PFM)
for call in calls.CALLS:
    print(exhausted.sweep(PFM, call, (0, 1, 2, 3, 4, 5, 6, 8, 12, 30, 100, 1000, 10000)), call.name)
"""
# Reports take memory, so the heap was really full.
FAILURES_MIN = 20


@pytest.fixture
def small_heap():
    """A machine at its prompt, with little heap to fill."""
    way = boots.all_ways()[0]
    if way.missing:
        pytest.skip(way.missing)
    boot = replace(way.with_cmdline("heap=1M"), memory=MEMORY)
    with qemu.Machine(boot, TIMEOUT, silence=SILENCE) as machine:
        machine.read_until(b"\n" + repl.PROMPT)
        yield machine


def test_prompt_recovers_from_a_full_heap(small_heap, micropython):
    prompt = repl.Repl(small_heap, micropython)
    assert prompt.run(FILL) == (b"", b"")
    for n in range(TIMES):
        statements = DOUBLING if n % FILL_EVERY else FILLING
        statement = statements[n % len(statements)]
        output, traceback = prompt.run(statement)
        assert output == b"" and b"\r\nMemoryError: " in traceback, (n, statement, traceback)
        assert prompt.run(f"print({n} + 1)") == (f"{n + 1}\r\n".encode(), b"")
    assert prompt.run("import gc; gc.collect(); print(len(bytearray(1 << 20)))")[1] == b""


def test_each_call_at_each_point_of_exhaustion(small_heap, micropython):
    output, traceback = repl.Repl(small_heap, micropython).run(SWEEP)
    assert traceback == b""
    failures = [int(line.split()[0]) for line in output.splitlines()]
    assert sum(failures) > FAILURES_MIN, output
