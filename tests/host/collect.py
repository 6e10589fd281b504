"""Tests written in MicroPython as pytest's items: on the unix port, and on each way to boot.

An item stands for one test function, in unit tests for one on one of the paths
through the manager (paths.py). A run, of a file on the unix port or of all self
tests on one boot, happens once, when the first of its items is run.
"""

import ast
import functools
import os
import subprocess
from pathlib import Path

import boots
import ktap_report
import paths
import pytest
import qemu

ROOT = Path(__file__).resolve().parent.parent.parent
UNIX_PORT = ROOT / "build" / "unix" / "micropython"

# Seconds for a file on the unix port (a soak takes more), and for all self tests of one boot.
UNIT_TIMEOUT = int(os.environ.get("PFM_UNIT_TIMEOUT") or 600)
BOOT_TIMEOUT = 900
# Seconds without a byte from a booting or testing machine until it counts as hung.
SILENCE = 120


class Run:
    """One run: its KTAP report, and whether its exit status agrees with it."""

    def __init__(self, output, status, passing_status):
        self.output = output
        self.report = ktap_report.parse(output)
        self.problems = list(self.report.problems)
        failed = len(self.report.failed)
        if (failed == 0) != (status == passing_status):
            self.problems.append(f"{failed} tests failed, but the run ended with status {status}")

    def results(self, module, test):
        """Results of the test function of that name in that module."""
        named = [result for result in self.report.results if result.test == test]
        return [result for result in named if result.module == module]

    def assert_all_passed(self):
        """Every test passed, none was skipped, and the machine ended as it should."""
        assert (self.report.failed, self.problems) == ([], []), self.output
        assert [result.name for result in self.report.results if result.skipped] == []


@functools.cache
def run_unit(path, options):
    """The run of one file of tests on the unix port, with these options of tests/ktap.py."""
    environment = {name: value for name, value in os.environ.items() if name != "MICROPYPATH"}
    try:
        result = subprocess.run(
            [str(UNIX_PORT), "tests/ktap.py", *options, str(path.relative_to(ROOT))],
            cwd=ROOT,
            env=environment,
            timeout=UNIT_TIMEOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, status = result.stdout, result.returncode
    except subprocess.TimeoutExpired as e:
        output, status = e.stdout or b"", f"{qemu.Ending.TIMED_OUT.name} after {UNIT_TIMEOUT} s"
    return Run(output.decode(errors="replace"), status, 0)


def run_machine(boot):
    """The run of the self tests that the boot's command line names."""
    with qemu.Machine(boot, BOOT_TIMEOUT, silence=SILENCE) as machine:
        try:
            machine.read_all()
            status = machine.wait(timeout=SILENCE).name
        except qemu.MachineSilent as e:
            status = str(e)
        output = machine.transcript.decode(errors="replace") + machine.complaint()
    return Run(output, status, qemu.Ending.OK.name)


@functools.cache
def run_boot(way):
    """The run of the kernel's self tests on one way to boot."""
    return run_machine(way.with_cmdline("selftest"))


def test_lines(path):
    """Lines, from 0, of the test functions of a MicroPython file, by their names in its order."""
    functions = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)]
    return {n.name: n.lineno - 1 for n in functions if n.name.startswith("test_")}


class KtapFailure(Exception):
    """A failure that a report tells of; its text is all there is to show."""


class KtapItem(pytest.Item):
    """The function `test` of a file; get_run() is the run that reports it, run_name the name of that run.

    line is where the function stands, from 0."""

    def __init__(self, *, get_run, run_name, test=None, line=0, **rest):
        super().__init__(**rest)
        self.get_run = get_run
        self.run_name = run_name
        self.test = test or self.name
        self.line = line

    def runtest(self):
        run = self.get_run()
        results = run.results(self.path.stem, self.test)
        if not results:
            raise KtapFailure(f"not reported; the run's output ends:\n{run.output[-500:]}")
        for result in results:
            if not result.passed:
                raise KtapFailure("\n".join(result.diagnostics) or "failed without a diagnostic")
            if result.skipped is not None:
                pytest.skip(result.skipped or "no reason given")

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, KtapFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        # pytest reports nothing that it cannot give a line.
        return self.path, self.line, self.nodeid.partition("::")[2]


class WholeRunItem(KtapItem):
    """The run as such: all that was planned is reported, and the exit status agrees."""

    def runtest(self):
        run = self.get_run()
        if run.problems:
            raise KtapFailure("\n".join([*run.problems, "the run's output:", run.output]))


class UnitFile(pytest.File):
    """A file of tests/unit, run on the unix port on each of its paths."""

    def collect(self):
        if not UNIX_PORT.exists():
            self.add_marker(pytest.mark.skip("build/unix/micropython: not built, run `make`"))
        tests = test_lines(self.path)
        for path in paths.paths_of(self.path.read_text()):
            run = {
                "get_run": functools.partial(run_unit, self.path, path.options),
                "run_name": self.path.stem + path.suffix,
            }
            for test, line in tests.items():
                name = test + path.suffix
                yield KtapItem.from_parent(self, name=name, test=test, line=line, **run)
            yield WholeRunItem.from_parent(self, name="whole-run" + path.suffix, **run)


class TargetFile(pytest.File):
    """A file of tests/target: frozen into the kernel, its tests are run on every boot."""

    def collect(self):
        for way in boots.all_ways():
            yield BootNode.from_parent(self, name=way.name, way=way)


class BootNode(pytest.Collector):
    """The tests of one file on one way to boot; the files share its run."""

    def __init__(self, *, way, **rest):
        super().__init__(**rest)
        self.way = way
        for mark in way.marks:
            self.add_marker(mark)

    def collect(self):
        get_run = functools.partial(run_boot, self.way)
        # Where the loader is missing one skip says it all.
        tests = {"all": 0} if self.way.missing else test_lines(self.path)
        for name, line in tests.items():
            run = {"get_run": get_run, "run_name": self.way.name}
            yield KtapItem.from_parent(self, name=name, line=line, **run)
