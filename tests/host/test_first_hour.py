"""What a newcomer sees: the report at power on, the names at the prompt, help, and a line for each thing typed."""

import os
import re
from pathlib import Path

import boots
import pexpect
import prompt
import pytest
import qemu

ROWS = 24
COLUMNS = 80
REPORT_ROWS = 10
# Seconds until `make run` shows its prompt, and for each answer there.
TIMEOUT = 120

HELP_TEXT = Path(qemu.ROOT, "kernel", "help.c").read_text()
# The lines of help() that begin with something to type, under "Five things to try".
THINGS = re.search(r"Five things to try:\\n\"\n(.*?)\"\\n\"", HELP_TEXT, re.DOTALL)[1]
TYPED = [re.match(r' *"  (\S.*?)   +\S', line)[1] for line in THINGS.strip().splitlines()]


def _before_banner(report):
    lines = report.replace("\r", "").split("\n")
    banner = next(number for number, line in enumerate(lines) if line.startswith("MicroPython v"))
    return lines[:banner]


@pytest.fixture(scope="module")
def at_prompt():
    """A machine at its prompt, and what it printed before."""
    way = boots.all_ways()[0]
    folder = os.environ.get("MICROPY_DIR")
    if way.missing or not folder:
        pytest.skip(way.missing or "MICROPY_DIR: not set, run `make test`")
    with prompt.at_prompt(way.with_cmdline(""), folder) as machine:
        yield machine


@pytest.fixture
def child(stand_in, micropython):
    """`make run` on a terminal of 80x24."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    for name in ("APP", "SCRIPT", "SCREENSHOT", "CMDLINE", "QEMUFLAGS", "SERIAL"):
        environment[name] = ""
    child = pexpect.spawn(
        "make",
        ["--no-print-directory", "run", "LOADER=direct", f"MICROPY_DIR={micropython}"],
        cwd=str(qemu.ROOT),
        env=environment,
        timeout=TIMEOUT,
        encoding="utf-8",
        dimensions=(ROWS, COLUMNS),
    )
    child.expect_exact("\n>>> ")
    yield child
    child.close(force=True)


def test_make_run_fits_a_terminal_and_completes_names(child):
    lines = child.before.replace("\r", "").split("\n")
    rows = sum(max(1, -(-len(line) // COLUMNS)) for line in lines)
    assert rows + 1 <= ROWS, child.before
    child.send("PFM.\t")
    child.expect_exact(">>> PFM.")
    names = child.before.split()[1:]
    assert {"alloc", "chart", "meminfo", "regions"} <= set(names)
    assert not [name for name in names if name.startswith("_")]


def test_report(at_prompt):
    lines = _before_banner(at_prompt.report)
    assert 4 <= len(lines) <= REPORT_ROWS
    assert max(map(len, lines)) <= COLUMNS
    version = at_prompt.value("__import__('pfm').__version__")
    release = at_prompt.value("__import__('os').uname().release")
    assert lines[0] == f"pfm {version} on MicroPython {release}"
    text = "\n".join(lines)
    for part in ("\nBooted by pfm-direct 0.1.0 under BIOS\n", "\nMemory: ", "help()"):
        assert part in text
    assert lines[-1] == "Leave:  import machine; machine.poweroff()"


def test_names_at_the_prompt(at_prompt):
    for _ in range(2):
        names = sorted(at_prompt.value("dir()"))
        # `json` is what `value` imports.
        assert [n for n in names if n not in ("json", "__name__")] == ["PFM", "PageFlags", "Zone"]
        assert at_prompt.value("__name__") == "__main__"
        at_prompt.soft_reset()


def test_five_things_to_try(at_prompt):
    assert len(TYPED) == 5
    for line in TYPED:
        at_prompt.run(line)


def test_help(at_prompt):
    lines = at_prompt.run("help()").splitlines()
    assert max(map(len, lines)) <= COLUMNS and len(lines) < ROWS
    assert "Five things to try:" in lines


def test_help_on_the_manager(at_prompt):
    lines = at_prompt.run("help(PFM)").splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert "  alloc_at(pfn, count=1, zero=False, tag=0)  exactly these frames" in lines
    assert not [line for line in lines if line.startswith("  _")]
    assert "  initialised  True" in lines
    assert f"  hhdm         {hex(at_prompt.value('PFM.hhdm'))}" in lines
    subclass = "class Mine(type(PFM)): pass\nhelp(Mine())"
    assert "\n  initialised  False\n" in at_prompt.run(subclass)


def test_help_on_the_rest_is_upstreams(at_prompt):
    assert "Plus any modules on the filesystem" in at_prompt.run("help('modules')")
    assert at_prompt.run("help(3)").startswith("object 3 is of type int\n")
    output, traceback = at_prompt.try_run("help(1, 2)")
    assert output == "" and "TypeError" in traceback


@pytest.mark.parametrize(
    "expression", ["PFM", "PFM.log", "PFM.regions[0]", "PFM.meminfo().zones[0]", "Zone"]
)
def test_prints_as_one_line(at_prompt, expression):
    text = at_prompt.value(f"repr({expression})")
    assert "\n" not in text and "object at" not in text


def test_verbose(stand_in, micropython):
    with prompt.at_prompt(stand_in.with_cmdline("verbose"), micropython) as machine:
        text = machine.report.replace("\r", "")
        for part in ("Memory map  ", "\nFrames  ", "\nOrder ", "\nA character is "):
            assert part in text


@pytest.mark.parametrize(
    ("cmdline", "warnings"),
    [
        ("quiet", []),
        ("quiet nonsense heap=1T", ["Command line: 'nonsense' ignored", "asked for)"]),
    ],
)
def test_quiet(stand_in, micropython, cmdline, warnings):
    with prompt.at_prompt(stand_in.with_cmdline(cmdline), micropython) as machine:
        lines = _before_banner(machine.report)
        assert len(lines) == len(warnings)
        assert all(want in line for want, line in zip(warnings, lines, strict=True))


def test_warnings_follow_the_report(stand_in, micropython):
    long = "x" * 200
    boot = stand_in.with_cmdline(f"what {long} disk=1T")
    with prompt.at_prompt(boot, micropython) as machine:
        lines = _before_banner(machine.report)
        assert max(map(len, lines)) <= COLUMNS
        assert "Command line: 'what' ignored" in lines
        assert [line for line in lines if line.endswith("(1 TiB asked for)")]
