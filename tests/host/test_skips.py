"""What is missing on this host is skipped: the run goes on, and each reason is said once.

And what shares a machine or a run stays with one of the workers of pytest-xdist."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import collect
import limine
import pytest
import qemu

# Seconds for a run of pytest that skips all it collects.
TIMEOUT = 120


@pytest.fixture
def pytest_run(tmp_path):
    """Runs a pytest of its own in this project; its result, and its JUnit report."""

    def run(*arguments, **environment):
        junit = tmp_path / "junit.xml"
        command = [sys.executable, "-m", "pytest", f"--junitxml={junit}", "-p", "no:cacheprovider"]
        result = subprocess.run(
            [*command, *arguments],
            cwd=qemu.ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
        )
        return result, ElementTree.parse(junit).getroot()

    return run


def test_host_without_limine(pytest_run):
    """Items of each kind that needs Limine: MicroPython's, parametrized and with a fixture."""
    kinds = ["tests/target", "tests/host/test_selftests.py", "tests/host/test_iso.py"]
    result, junit = pytest_run("-k", "limine or test_same_inputs", *kinds, LIMINE_DIR=limine.NONE)
    assert result.returncode == 0, result.stdout
    reason = f"limine: not found (LIMINE_DIR={limine.NONE}); {limine.HOW_TO_GET}"
    skipped = len(junit.findall(".//skipped"))
    assert skipped == len(junit.findall(".//testcase")) > len(kinds)
    summary = [line for line in result.stdout.splitlines() if line.startswith("SKIPPED")]
    assert summary == [f"SKIPPED [{skipped}]: {reason}"]
    assert re.search(rf"\b{skipped} skipped, ", result.stdout.splitlines()[-1])


def test_a_test_of_micropython_is_known_by_the_line_where_it_stands(tmp_path):
    path = tmp_path / "test_some.py"
    path.write_text(
        "import ktap\n\n\ndef test_b():\n    pass\n\n\ndef helper():\n    pass\n\n\ndef test_a():\n    pass\n"
    )
    assert list(collect.test_lines(path).items()) == [("test_b", 3), ("test_a", 11)]


def test_groups_reach_the_scheduler(request):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("this run has no workers")
    assert request.node.nodeid.endswith("@test_skips")
