"""`run=MODULE` on the kernel's command line: what the module's `run()` does is how the machine ends."""

import pytest
import qemu

WATCHDOG = 120

# Module, how the last line on the serial port begins, how the machine ends.
MODULES = [
    ("tests.target.greeting", "greetings", "OK"),
    ("no_such_module", "ImportError: no module named 'no_such_module'", "FAIL"),
    ("owners", "AttributeError: 'module' object has no attribute 'run'", "FAIL"),
    ("ktap", "TypeError: ", "FAIL"),
]


@pytest.mark.parametrize(("module", "line", "ending"), MODULES)
def test_run(stand_in, module, line, ending):
    boot = stand_in.with_cmdline(f"run={module}")
    with qemu.Machine(boot, WATCHDOG, silence=WATCHDOG) as machine:
        said = machine.read_all().decode(errors="replace").replace("\r", "")
        assert machine.wait(WATCHDOG).name == ending, said
    assert said.rstrip("\n").rpartition("\n")[2].startswith(line)
