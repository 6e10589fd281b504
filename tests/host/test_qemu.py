"""The host's side of a machine: QEMU's options, its exit status, and that it is never left behind."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import qemu

RUN = str(qemu.ROOT / "boot" / "run.py")
# Seconds for a process that was killed to be gone.
ENDING_TIMEOUT = 20


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64", 64 << 20),
        ("512M", 512 << 20),
        ("6G", 6 << 30),
        ("1T", 1 << 40),
        ("size=2g,slots=1", 2 << 30),
        ("lots", None),
    ],
)
def test_parse_size(text, size):
    assert qemu.parse_size(text) == size


def _options(**changes):
    return qemu.command(replace(qemu.Boot(), **changes), "null")


def test_qemuflags_replace_the_defaults_they_name():
    options = _options(memory="1G", qemuflags="-m 64M -cpu qemu64 -accel kvm -M pc -smp 2")
    for name, value in (("-m", "64M"), ("-cpu", "qemu64"), ("-accel", "kvm"), ("-M", "pc")):
        assert [options[i + 1] for i, o in enumerate(options) if o == name] == [value]
    assert "-machine" not in options
    assert options[options.index("-smp") + 1] == "2"


def test_big_memory_is_not_reserved_and_addressable():
    options = _options(qemuflags="-m 1T")
    assert f"memory-backend-ram,id=ram,size={1 << 40},reserve=off" in options
    assert "max,phys-bits=42" in options
    assert "max" in _options(memory="64G")
    assert not any("memory-backend" in option for option in _options(memory="4G"))


def test_commas_in_the_command_line_stay_in_it():
    options = _options(cmdline="selftest=a,b")
    assert options[options.index("-initrd") + 1].endswith("kernel.elf selftest=a,,b")


def test_stand_in_loader_is_for_bios():
    with pytest.raises(ValueError, match="under BIOS only"):
        _options(firmware="uefi")


@pytest.mark.parametrize(
    ("script", "ending"),
    [
        ("exit 0", qemu.Ending.RESET),
        ("exit 1", qemu.Ending.OK),
        ("exit 3", qemu.Ending.FAIL),
        ("exit 5", qemu.Ending.PANIC),
        ("exit 7", qemu.Ending.FAULT),
        ("exit 9", qemu.Ending.LOADER),
        ("exit 11", qemu.Ending.QEMU_FAILED),
        ("kill -ABRT $$", qemu.Ending.QEMU_FAILED),
        ("echo 'qemu-system-x86_64: cannot set up' >&2; exit 1", qemu.Ending.QEMU_FAILED),
        ("echo 'qemu-system-x86_64: warning: odd' >&2; exit 1", qemu.Ending.OK),
    ],
)
def test_endings(script, ending):
    with qemu.Process(["sh", "-c", script]) as process:
        assert process.wait(timeout=ENDING_TIMEOUT) == ending


def test_watchdog_ends_a_machine_that_does_not():
    with qemu.Process(["sleep", "600"], timeout=0.2) as process:
        assert process.wait(timeout=ENDING_TIMEOUT) == qemu.Ending.TIMED_OUT
        assert process.popen.returncode == -signal.SIGKILL


def test_wait_bounds_a_machine_that_hangs_at_its_end():
    with qemu.Process(["sleep", "600"]) as process:
        assert process.wait(timeout=0.2) == qemu.Ending.TIMED_OUT


def test_machine_without_output_is_silent(stand_in):
    boot = replace(stand_in.with_cmdline(""), qemuflags="-S")
    with qemu.Machine(boot, timeout=ENDING_TIMEOUT, silence=0.2) as machine:
        with pytest.raises(qemu.MachineSilent, match=r"no output from the machine for 0.2 s"):
            machine.read_until(b">>> ")


def test_machine_that_does_not_start_has_ended():
    boot = replace(qemu.Boot(), qemuflags="-no-such-option")
    with qemu.Machine(boot, timeout=ENDING_TIMEOUT) as machine:
        with pytest.raises(qemu.MachineEnded) as error:
            machine.read_until(b">>> ")
        assert error.value.ending == qemu.Ending.QEMU_FAILED
        assert "no-such-option" in machine.complaint()


def _children(pid):
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _program(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except FileNotFoundError:
        return ""


def _gone(pid):
    """Whether the process has ended; a zombie that nobody collects has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _eventually(condition):
    deadline = time.monotonic() + ENDING_TIMEOUT
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {ENDING_TIMEOUT} s")


@pytest.mark.parametrize("victim", ["runner", "parent"])
def test_no_qemu_is_left_when_what_started_it_is_killed(victim, stand_in):
    # A stopped machine never ends by itself. `true` keeps the shell as the runner's parent.
    command = [sys.executable, RUN, "--loader=direct", "--micropython=none"]
    script = " ".join(["exec 3<&0;", *command, "<&3; true"])
    environment = {**os.environ, "QEMUFLAGS": "-S", "MEMORY": "64M", "TIMEOUT": "100"}
    shell = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, env=environment)
    try:
        runner = _eventually(lambda: _children(shell.pid))[0]
        machine = _eventually(
            lambda: [p for p in _children(runner) if "qemu-system" in _program(p)]
        )[0]
        os.kill(runner if victim == "runner" else shell.pid, signal.SIGKILL)
        _eventually(lambda: _gone(machine) and _gone(runner))
    finally:
        shell.kill()
        shell.wait()
        shell.stdin.close()
