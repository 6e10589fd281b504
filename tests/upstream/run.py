#!/usr/bin/env python3
"""Run MicroPython's own test suite against the kernel, booted once, over its serial port.

Works on a copy of the suite in build/upstream, where the results go too; the
source it is given is never written to. exclude.txt lists what does not apply.
Ends with status 0 when no test failed and each suite had some that passed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "boot"), str(ROOT / "tests" / "host")]

import board  # noqa: E402
import qemu  # noqa: E402
import release  # noqa: E402
import repl  # noqa: E402

WORK = ROOT / "build" / "upstream"
MPY_CROSS = Path(os.environ.get("MICROPY_MPYCROSS") or ROOT / "build" / "mpy-cross" / "mpy-cross")

SUITES = (
    "basics",
    "micropython",
    "float",
    "extmod",
    "io",
    "import",
    "unicode",
    "misc",
    "stress",
    "thread",
)
# Options of run-tests.py for each way to get a test into the kernel.
MODES = {
    "bytecode": [],
    "mpy": ["--via-mpy"],
    "native": ["--via-mpy", "--emit", "native"],
}

# Seconds for one mode, and for the machine that runs them all.
MODE_TIMEOUT = 1500
MACHINE_TIMEOUT = len(MODES) * MODE_TIMEOUT + board.PROMPT_TIMEOUT

# The suite is made for boards: more heap than this only makes the tests slow that fill it.
CMDLINE = "heap=16M"

# The suite that starts threads, each of which is a processor, has a machine of its own: a test
# starts 10 of them, with what the test before it has left running.
THREAD_SUITE = "thread"
THREAD_PROCESSORS = 12

# Bytes of a file that go over the line at once.
CHUNK = 2048

_PUT_FILE = """\
import os
path = ""
for name in {path!r}.split("/")[1:-1]:
    path += "/" + name
    try:
        os.mkdir(path)
    except OSError:
        pass
file = open({path!r}, "wb")
"""


@dataclass
class Outcome:
    """What became of one mode's tests: their paths, by verdict."""

    mode: str
    exclusions: list
    passed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    testcases: int = 0
    status: int | None = None

    def __add__(self, other):
        """The outcome of both in the same mode."""
        return Outcome(
            self.mode,
            self.exclusions,
            self.passed + other.passed,
            self.skipped + other.skipped,
            self.failed + other.failed,
            self.testcases + other.testcases,
            self.status or other.status,
        )

    def problems(self, suites):
        """Lines that say why this is no success; none if it is one."""
        lines = [f"{self.mode}: failed: {test}" for test in self.failed]
        if self.status != 0 and not self.failed:
            lines.append(f"{self.mode}: run-tests.py ended with {self.status}")
        have = {test.partition("/")[0] for test in self.passed}
        lines += [
            f"{self.mode}: no test of {suite} passed" for suite in suites if suite not in have
        ]
        return lines


def exclusions(mode, number):
    """(regular expression, reason) of what exclude.txt has for this mode and release, a tuple."""
    rules = []
    for line in (HERE / "exclude.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            first, modes, pattern, reason = line.split(None, 3)
            since = tuple(int(part) for part in first.split("."))
            if number >= since and (modes == "*" or mode in modes.split(",")):
                rules.append((pattern, reason))
    return rules


def copy_suite(micropython, suites):
    """A fresh copy of the suite and of the tools that it runs; the path of its tests folder."""
    source = Path(micropython)
    folders = [f"tests/{suite}" for suite in suites] + ["tests/feature_check", "tools"]
    # Not every release has it: what boards have on which pins.
    wiring = "tests/target_wiring"
    for folder in folders + [wiring] * (source / wiring).is_dir():
        shutil.rmtree(WORK / folder, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source / folder, WORK / folder, ignore=ignored)
    # run-tests.py, and what it imports.
    for path in (source / "tests").glob("*.py"):
        shutil.copy(path, WORK / "tests")
    return WORK / "tests"


def board_files(tests, suites):
    """{path on the board: bytes} of what tests open and import beside themselves."""
    files = {"/lib/unittest.py": (HERE / "lib" / "unittest.py").read_bytes()}
    for suite in suites:
        for path in sorted((tests / suite).rglob("*")):
            inside = path.relative_to(tests / suite).as_posix()
            if suite in ("io", "unicode") and inside.startswith("data/") and path.is_file():
                files[f"/{inside}"] = path.read_bytes()
            elif suite == "import" and path.suffix == ".py":
                # The way to ext/ is the one that a test sets itself.
                folder = "" if inside.startswith("ext/") else "/lib"
                files[f"{folder}/{inside}"] = path.read_bytes()
    return files


def put_files(device, micropython, files):
    """Write these files to the board at that device."""
    module = repl.pyboard(micropython)
    session = module.Pyboard(device)
    try:
        session.enter_raw_repl()
        for path, data in files.items():
            session.exec_(_PUT_FILE.format(path=path))
            for start in range(0, len(data), CHUNK):
                session.exec_(f"file.write({data[start : start + CHUNK]!r})")
            session.exec_("file.close()")
        session.exit_raw_repl()
    finally:
        session.close()


def run_mode(mode, device, tests, suites, excluded, show):
    """Run the suites but what is excluded in this mode on the board there; the Outcome."""
    results = WORK / f"results-{mode}-{suites[0]}"
    shutil.rmtree(results, ignore_errors=True)
    argv = [sys.executable, "run-tests.py", "-t", f"port:{device}", "-r", str(results)]
    argv += [*MODES[mode], "-d", *suites]
    for pattern, _ in excluded:
        argv += ["-e", f"^{pattern}$"]
    # Lines come as they are written, and CPython's answers are those of any locale.
    environment = {
        **os.environ,
        "MICROPY_MPYCROSS": str(MPY_CROSS),
        "MICROPY_CPYTHON3": sys.executable,
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
    }
    outcome = Outcome(mode, excluded)
    verdicts = {"pass": outcome.passed, "skip": outcome.skipped, "FAIL": outcome.failed}
    process = qemu.Process(
        argv,
        MODE_TIMEOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=tests,
        env=environment,
    )
    with process:
        for raw in iter(process.popen.stdout.readline, b""):
            line = raw.decode(errors="replace").rstrip()
            show(line)
            if match := re.match(r"(pass|skip|FAIL)  (\S+\.py)", line):
                verdicts[match[1]].append(match[2])
            elif match := re.match(r"\d+ tests performed \((\d+) individual", line):
                outcome.testcases = int(match[1])
        process.popen.wait()
        outcome.status = process.popen.returncode
        complaint = process.complaint()
    if complaint:
        show(complaint.rstrip())
    return outcome


def run(micropython, modes=tuple(MODES), suites=SUITES, show=print):
    """Boot the kernel on the stand-in loader and run these suites in these modes; their Outcomes.

    Raises board.BoardFailed."""
    number, _ = release.version(micropython)
    tests = copy_suite(micropython, suites)
    outcomes = {}
    for boot, group in _machines(suites):
        with board.Board(boot, MACHINE_TIMEOUT) as machine:
            put_files(machine.device, micropython, board_files(tests, group))
            for mode in modes:
                excluded = exclusions(mode, number)
                outcome = run_mode(mode, machine.device, tests, group, excluded, show)
                outcomes[mode] = outcomes[mode] + outcome if mode in outcomes else outcome
    return list(outcomes.values())


def _machines(suites):
    """Yield (boot, suites to run there) for each machine that these suites need."""
    single = [suite for suite in suites if suite != THREAD_SUITE]
    if single:
        yield qemu.Boot(cmdline=CMDLINE), single
    if THREAD_SUITE in suites:
        cmdline = f"{CMDLINE} processors={THREAD_PROCESSORS}"
        flags = f"-smp {THREAD_PROCESSORS} -accel tcg,thread=multi"
        yield qemu.Boot(cmdline=cmdline, qemuflags=flags), [THREAD_SUITE]


def table(outcomes, suites):
    """The counts as text: a row for each suite, three columns for each mode."""
    lines = ["suite        " + "".join(f"{o.mode:>9}: pass skip fail" for o in outcomes)]
    for suite in (*suites, "all"):
        row = f"{suite:<13}"
        for outcome in outcomes:
            counts = [
                sum(suite in ("all", test.partition("/")[0]) for test in tests)
                for tests in (outcome.passed, outcome.skipped, outcome.failed)
            ]
            row += " " * 10 + "".join(f"{count:5}" for count in counts)
        lines.append(row)
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--micropython", required=True, help="MicroPython's source folder")
    parser.add_argument("--modes", nargs="*", default=list(MODES), choices=MODES)
    parser.add_argument("--suites", nargs="*", default=list(SUITES), choices=SUITES)
    arguments = parser.parse_args()
    qemu.die_with_parent(os.getppid())

    outcomes = run(arguments.micropython, arguments.modes, arguments.suites)
    print()
    print(table(outcomes, arguments.suites))
    print(
        f"\n{sum(len(o.exclusions) for o in outcomes)} exclusions, by tests/upstream/exclude.txt"
    )
    problems = [line for o in outcomes for line in o.problems(arguments.suites)]
    for line in problems:
        print(line)
    summary = {o.mode: vars(o) for o in outcomes}
    (WORK / "results.json").write_text(json.dumps(summary, indent=1))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
