"""An area of Python's heap stays as long as anything in it is in use."""

import pytest
import qemu
from prompt import at_prompt

# The initial heap has 4 MiB, a float 32 bytes: the floats go on in a second area.
PROGRAM = """
import gc
floats = [None] * 150000

def fill():
    for i in range(len(floats)):
        floats[i] = i + 0.5

def first_of_second_area():
    for i in range(1, len(floats)):
        if id(floats[i]) >> 32 != id(floats[0]) >> 32:
            return floats[i]

# What is made while the initial heap is full lies in the second area, too: nothing is kept of that.
kept = used = None
gc.collect()
fill()
kept = first_of_second_area()
floats = None
gc.collect()
expected = str(kept)
used = [bytearray(b"3" * 1000) for _ in range(6000)]
print(str(kept) == expected, id(kept) >> 32 != id(gc) >> 32)
"""


@pytest.mark.parametrize("processors", [1, 2])
def test_first_object_of_an_area_keeps_it(micropython, processors):
    boot = qemu.Boot(
        cmdline=f"processors={processors} heap=32M",
        qemuflags=f"-smp {processors} -accel tcg,thread=multi",
    )
    with at_prompt(boot, micropython) as prompt:
        assert prompt.run(PROGRAM) == "True True\n"
