"""What a soft reset ends, and what it leaves."""

import pytest
from prompt import at_prompt

# A timer that counts in a byte that the kernel keeps over soft resets.
COUNTING = """
import kernel, machine, time
def count(_):
    kernel.state[-1] = kernel.state[-1] + 1 & 0x7F
timer = machine.Timer(period=1, callback=count)
start = kernel.state[-1]
while kernel.state[-1] == start:
    time.sleep_ms(1)
"""


@pytest.fixture
def prompt(stand_in, micropython):
    """A machine at its prompt, with a word of the environment on its command line."""
    with at_prompt(stand_in.with_cmdline("HOME=/old X=a=b HOME=/lib"), micropython) as prompt:
        yield prompt


def test_timers_end(prompt):
    prompt.run(COUNTING)
    prompt.soft_reset()
    prompt.run("import kernel, time\nstart = kernel.state[-1]\ntime.sleep_ms(50)")
    assert prompt.value("kernel.state[-1] - start") == 0
    prompt.run("kernel.state[-1] = 0")


def test_environment_is_the_command_line_again(prompt):
    find = "[__import__('os').getenv(name, 0) for name in ('HOME', 'X', 'HOM', 'NEW', '')]"
    assert prompt.value(find) == ["/lib", "a=b", 0, 0, 0]
    prompt.run("import os; os.putenv('NEW', 'n'); os.putenv('HOME', 'h'); os.unsetenv('X')")
    assert prompt.value(find) == ["h", 0, 0, "n", 0]
    prompt.soft_reset()
    prompt.run("from pfm import PFM; PFM.reclaim()")
    assert prompt.value(find) == ["/lib", "a=b", 0, 0, 0]
