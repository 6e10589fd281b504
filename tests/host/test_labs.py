"""The labs of docs/labs and the programs of examples/, on the kernel and on the unix port."""

import ast
import importlib.util
import os
import shutil
import subprocess
from dataclasses import replace

import app
import pytest
import qemu
from collect import UNIX_PORT
from prompt import at_prompt

FOLDER = qemu.ROOT / "docs" / "labs"
EXAMPLES = sorted((qemu.ROOT / "examples").glob("*.py"))
TIMEOUT = 60
EXAMPLE_LINES_MAX = 80

# What an example prints last.
ENDS = {
    "devices.py": "ranges of registers in memory",
    "history.py": "The picture for a document has",
    "memory_map.py": "and after free it is inside the free block at",
    "object_cache.py": "After close: []",
    "page_tables.py": "without the pages of 4 KiB",
    "picture.py": "cells drawn",
    "policies.py": "Least scattered: BestFit",
    "timer.py": "* several",
}

# Faults in a solution: the lab, what stands there, what stands there instead.  The check has to
# find each.
FAULTS = [
    (1, "last = end + PAGE_SIZE - 1 >> PAGE_SHIFT", "last = end >> PAGE_SHIFT"),
    (1, "edges = [(0, 0, 1), (1, 0, -1)]", "edges = []"),
    (1, "cover(first, start, 0, 1)", "pass"),
    (1, "if ranges and ranges[-1][1] == previous:", "if False:"),
    (1, "not start >> order & 1 and", ""),
    (1, "min(end, high)", "end"),
    (2, "if len(data) == PAGE_SIZE else", "if False else"),
    (2, "for block in sorted(self._frames)", "for block in self._used"),
    (2, "            self._used.remove(block)\n", "            return self._frames[block]\n"),
    (2, "| PageFlags.UPTODATE)", ")"),
    (2, "                if not self._used:", "                if True:"),
    (2, "        self._clean(block)\n        self._used", "        self._used"),
    (2, "self._manager.set_flags(pfn, PageFlags.WRITEBACK)", "pass"),
    (
        2,
        "        finally:\n            self._m",
        "        except ZeroDivisionError:\n            self._m",
    ),
    (2, "self._manager.clear_flags(pfn, PageFlags.DIRTY)", "pass"),
    (2, "self._manager.free(self._frames.pop(block))", "self._frames.pop(block)"),
    (3, "        if before:\n", "        if False:\n"),
    (3, "            self.manager.unref(before)", "            self.manager.unref(self.last)"),
    (3, "raise BadRequest(body[0])", "pass"),
    (3, '"rply": "respond"', '"rout": "route"'),
    (3, 'BOUNDED = "rout"', 'BOUNDED = "pkt"'),
    (4, "if frames < count", "if frames <= count"),
    (4, "(1000, 1100, 250)", "(1000, 1100, 100)"),
    (4, "(1100, 1050, 250)", "(1000, 1100, 250)"),
    (4, "count // 2 + 1", "count // 4 - 1"),
    (4, "if count >= self.SMALL", "if True"),
    (4, "                del self.ranges[at]\n", ""),
    (5, "bool(entry & _WRITE)", "True"),
    (5, "writable and bool", "bool"),
    (5, "            self._lab.ref(pfn)\n", ""),
    (5, "            self._mmu.protect(self.virt + index * PAGE_SIZE, False)\n", ""),
    (5, "if self._lab.count_refs(pfn) == 1", "if False"),
    (5, "if self._lab.count_refs(pfn) == 1", "if True"),
    (5, "        self._lab.memory(own)[:] = self._lab.memory(pfn)\n", ""),
    (5, "own, True)\n        self._lab.unref(pfn)\n", "own, True)\n"),
    (5, "if not 0 <= offset < len(self.frames) * PAGE_SIZE:", "if False:"),
]


def _checking():
    spec = importlib.util.spec_from_file_location("checking", FOLDER / "checking.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LABS = _checking().LABS
NUMBERS = range(1, len(LABS) + 1)


@pytest.fixture(scope="module")
def machine(stand_in, micropython, tmp_path_factory):
    """One machine for all, booted as by `make run APP=docs/labs`."""
    program = app.pack(FOLDER, tmp_path_factory.mktemp("labs"))
    with at_prompt(replace(stand_in.with_cmdline(""), app=program), micropython) as machine:
        # Its page tables stay, so they are made before frames are counted.
        machine.run("import acpi, pci; acpi.tables(); pci.scan()")
        yield machine


@pytest.fixture
def left_as_it_was(machine):
    """Nothing is allocated, mapped or broken when the test ends that was not before."""
    used = "(PFM.drain(), PFM.count_free())[1]"
    before = machine.value(used)
    yield machine
    machine.run("PFM.check()")
    assert machine.value(used) == before


@pytest.fixture
def unix():
    """Runs docs/labs/unix.py, or that of a copy of its folder, on the unix port."""
    if not UNIX_PORT.exists():
        pytest.skip("build/unix/micropython: not built, run `make`")

    def run(*arguments, folder=FOLDER):
        return subprocess.run(
            [UNIX_PORT, folder / "unix.py", *map(str, arguments)],
            cwd=qemu.ROOT,
            env={**os.environ, "MICROPYPATH": str(qemu.ROOT)},
            timeout=TIMEOUT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    return run


def test_every_lab_is_whole():
    assert sorted(path.parent.name for path in FOLDER.glob("*/check.py")) == sorted(LABS)
    index = (FOLDER / "README.md").read_text()
    for lab in LABS:
        assert f"({lab}/README.md)" in index
        for name in ("README.md", "start.py", "solution.py"):
            assert (FOLDER / lab / name).exists(), (lab, name)


@pytest.mark.parametrize("lab", NUMBERS)
def test_start_on_the_kernel(left_as_it_was, lab):
    output, traceback = left_as_it_was.try_run(f"check({lab})")
    assert output.count("not ok") == 1 and "all steps hold" not in output
    assert "\nCheckFailed: " in traceback


@pytest.mark.parametrize("lab", NUMBERS)
def test_solution_on_the_kernel(left_as_it_was, lab):
    output = left_as_it_was.run(f"check({lab}, 'solution')")
    assert output.endswith(f"\nLab {lab}: all steps hold\n")
    assert "skipped" not in output


def test_no_such_lab(machine):
    _, traceback = machine.try_run("check(0)")
    assert traceback.endswith(f"ValueError: lab: 1 to {len(LABS)}, not 0\n")


@pytest.mark.parametrize("lab", NUMBERS)
def test_start_on_the_unix_port(unix, lab):
    result = unix(lab)
    assert result.stdout.count("not ok") == 1
    assert "\nCheckFailed: " in result.stderr
    assert result.returncode == 1


@pytest.mark.parametrize("lab", NUMBERS)
def test_solution_on_the_unix_port(unix, lab):
    result = unix(lab, "solution")
    assert result.stderr == ""
    assert result.stdout.endswith(f"\nLab {lab}: all steps hold\n")
    assert result.returncode == 0


def test_checks_find_faults(unix, tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "labs")
    for lab, right, wrong in FAULTS:
        solution = (FOLDER / LABS[lab - 1] / "solution.py").read_text()
        assert right in solution, right
        (folder / LABS[lab - 1] / "faulty.py").write_text(solution.replace(right, wrong))
        result = unix(lab, "faulty", folder=folder)
        assert result.returncode == 1 and "not ok" in result.stdout, (lab, right, wrong)


def test_unix_port_without_a_lab(unix):
    result = unix("nothing")
    assert result.returncode == 1 and result.stdout.startswith("unix.py: ")


def test_examples_are_known():
    assert {path.name for path in EXAMPLES} == set(ENDS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example(left_as_it_was, unix, path):
    text = path.read_text()
    assert len(text.splitlines()) <= EXAMPLE_LINES_MAX
    usage = ast.get_docstring(ast.parse(text))
    name = path.relative_to(qemu.ROOT)
    assert f"make run SCRIPT={name}" in usage
    assert ENDS[path.name] in left_as_it_was.run(text).splitlines()[-1]
    on_unix = f"docs/labs/unix.py {name}" in usage
    assert on_unix != ("needs the kernel" in usage)
    if on_unix:
        result = unix(name)
        assert result.stderr == "" and result.returncode == 0
        assert ENDS[path.name] in result.stdout.splitlines()[-1]
