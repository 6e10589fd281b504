"""The heap exhausted: the prompt goes on, hundreds of times over, and a call raises MemoryError or succeeds.

PFM_SOAK=N fills the heap N times as often, and tries each call with more sizes of it.
"""

import os
from dataclasses import replace

import boots
import pytest
import qemu
import repl

MEMORY = "64M"

SOAK = int(os.environ.get("PFM_SOAK") or 1)
# Seconds for the machine, and without a byte from it.
TIMEOUT = 600 * SOAK
SILENCE = 60

TIMES = 200 * SOAK

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
# What writes nothing has nothing to leave behind.
SIZES = "(0, 10000) if call.reads else exhausted.COARSE" if SOAK == 1 else "exhausted.BLOCKS"
SWEEP = f"""\
import calls, exhausted
from pfm import PFM
calls.mark(PFM)
for call in calls.CALLS:
    if exhausted.sweep(PFM, call, {SIZES}):
        print(call.name)
"""
# A guard is an object of a few blocks, so the heap was full to the last one.
REFUSED = "get"


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
    assert REFUSED in output.decode().splitlines()
