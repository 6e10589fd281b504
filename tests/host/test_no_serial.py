"""A machine without a serial port boots all by itself, by Limine through its menu."""

import subprocess
from dataclasses import replace

import boots
import pytest
import qemu

# Seconds for the firmware, the menu's countdown and one self test.
TIMEOUT = 120

# Of each loader and firmware the machine of the usual size.
WAYS = [way for way in boots.parametrize() if way.id.endswith(("-bios", "-uefi"))]


@pytest.mark.parametrize("way", WAYS)
def test_boots_to_the_end(way):
    """How the machine ends tells that the kernel ran the test of its command line."""
    boot = replace(way.with_cmdline("selftest=test_kernel.test_interrupt_flag"), menu=True)
    argv = qemu.command(boot, chardev=None)
    with qemu.Process(argv, TIMEOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        assert machine.wait() == qemu.Ending.OK
