"""What pytest is told of this project's tests.

tests/host holds ordinary tests of what runs on the host; tests/unit and
tests/target hold MicroPython's, which run on the unix port and on the kernel.
"""

import collections
import os
from pathlib import Path

import boots
import collect
import pytest
import qemu
import repl

HERE = Path(__file__).resolve().parent

# Seconds for one test on a booted machine.
MACHINE_TIMEOUT = 300


def pytest_configure(config):
    # A test run that make started ends with make, and its machines with it.
    if "MAKELEVEL" in os.environ:
        qemu.die_with_parent(os.getppid())


def pytest_pycollect_makemodule(module_path, parent):
    if module_path.parent == HERE / "unit":
        return collect.UnitFile.from_parent(parent, path=module_path)
    if module_path.parent == HERE / "target":
        return collect.TargetFile.from_parent(parent, path=module_path)
    return None


# Before the hook of pytest-xdist, which reads the marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What shares a run or a machine stays with one of the workers."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item):
    if isinstance(item, collect.KtapItem):
        return item.run_name
    if item.path.stem == "test_selftests" and hasattr(item, "callspec"):
        # What a way ran is looked at as a whole by the worker that ran it.
        return item.callspec.params["way"].name
    return item.path.stem


def pytest_terminal_summary(terminalreporter):
    """Why tests were skipped: each reason once, for what is missing here many tests lack."""
    tests = collections.defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        tests[report.longrepr[2].removeprefix("Skipped: ")].append(report.nodeid)
    for reason, names in tests.items():
        which = names[0] if len(names) == 1 else f"[{len(names)}]"
        terminalreporter.write_line(f"SKIPPED {which}: {reason}")


@pytest.fixture(scope="session")
def micropython():
    """Folder of MicroPython's source, which `make test` names."""
    folder = os.environ.get("MICROPY_DIR")
    if not folder:
        pytest.skip("MICROPY_DIR: not set, run `make test`")
    return folder


@pytest.fixture(params=boots.parametrize())
def way(request):
    """Each way to boot in turn."""
    return request.param


@pytest.fixture(scope="session")
def stand_in():
    """The way that is always there."""
    way = boots.all_ways()[0]
    if way.missing:
        pytest.skip(way.missing)
    return way


@pytest.fixture
def machine(way):
    """A machine that shows its prompt, on each way to boot."""
    with qemu.Machine(way.with_cmdline(""), MACHINE_TIMEOUT, silence=collect.SILENCE) as machine:
        machine.read_until(b"\n" + repl.PROMPT)
        yield machine
