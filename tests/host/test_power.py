"""machine.poweroff() and machine.reset(), on machines with QEMU's exit device and without."""

from dataclasses import replace

import boots
import pytest
import qemu
import repl
from prompt import Prompt

# Seconds for one machine, and until it has ended.
TIMEOUT = 180
SILENCE = 60

# What UEFI firmware puts into ACPI-reclaimable memory can be reclaimed and overwritten.
RECLAIM = """
from pfm import PFM
from pfm.memmap import protocol
import acpi
ranges = [(r.start, r.end - r.start) for r in PFM.regions if r.type == protocol.ACPI_RECLAIMABLE]
before = [(t.signature, t.size) for t in acpi.tables()]
assert PFM.reclaim(acpi=True)[1] == sum([count for _, count in ranges])
for start, count in ranges:
    PFM.free(PFM.alloc_at(start, count, zero=True))
"""
TABLES_ARE_THERE = """
from pfm import PFM
import acpi
assert all([t.valid for t in acpi.tables()]), acpi.tables()
PFM.check()
"""


def _ways():
    """Return the stand-in loader on two boards, and the first way with UEFI firmware."""
    ways = boots.all_ways()
    uefi = [way for way in ways if "uefi" in way.name][:1]
    return [
        pytest.param(way, board, id=f"{way.name}-{board}", marks=way.marks)
        for way, board in [(ways[0], "q35"), (ways[0], "pc"), *[(way, "q35") for way in uefi]]
    ]


@pytest.fixture
def real(monkeypatch):
    """Makes machines as people have them: they restart when reset, and take no exit code."""
    command = qemu.command

    def without(*arguments):
        argv = command(*arguments)
        argv.remove("-no-reboot")
        at = argv.index(qemu.DEBUG_EXIT)
        del argv[at - 1 : at + 1]
        return argv

    monkeypatch.setattr(qemu, "command", without)


@pytest.mark.parametrize(("way", "board"), _ways())
def test_reset_restarts_and_poweroff_ends(real, way, board, micropython):
    boot = replace(way.with_cmdline(""), qemuflags=f"-machine {board}")
    with qemu.Machine(boot, TIMEOUT, SILENCE) as machine:
        prompt = Prompt(machine, micropython)
        prompt.run("x = 1")
        prompt.send("import machine; machine.reset()")
        prompt = Prompt(machine, micropython)
        assert "Booted by " in prompt.report
        assert prompt.value("__import__('machine').reset_cause()") == 1
        assert prompt.run(RECLAIM + TABLES_ARE_THERE + "assert before") == ""
        # The stand-in loader's firmware has its tables in reserved memory.
        assert prompt.value("ranges != []") is (boot.firmware == "uefi")
        prompt.soft_reset()
        assert prompt.run(TABLES_ARE_THERE) == ""
        prompt.send("import machine; machine.poweroff()")
        with pytest.raises(qemu.MachineEnded):
            machine.read_until(repl.PROMPT)
        # QEMU's own status, with no exit code of the machine's.
        assert machine.wait(SILENCE) is qemu.Ending.RESET


@pytest.mark.parametrize(
    ("call", "ending"),
    [("poweroff", qemu.Ending.OK), ("reset", qemu.Ending.RESET), ("deepsleep", qemu.Ending.RESET)],
)
def test_ending_of_an_automated_run(stand_in, micropython, call, ending):
    with qemu.Machine(stand_in.with_cmdline(""), TIMEOUT, SILENCE) as machine:
        prompt = Prompt(machine, micropython)
        prompt.send(f"print('last words'); __import__('machine').{call}()")
        assert b"last words" in machine.read_all()
        assert machine.wait(SILENCE) is ending


def test_machine_without_acpi(stand_in, micropython, real):
    boot = replace(stand_in.with_cmdline(""), qemuflags="-machine pc,acpi=off")
    with qemu.Machine(boot, TIMEOUT, SILENCE) as machine:
        prompt = Prompt(machine, micropython)
        output, traceback = prompt.try_run("import machine; machine.poweroff()")
        assert "ACPIError: " in traceback
        prompt.send("machine.reset()")
        prompt = Prompt(machine, micropython)
        assert prompt.value("1 + 1") == 2
