"""Each way to boot runs the kernel's own tests to the end, on one processor and on several.

tests/matrix.py has what is left out here: all tests on 2, 4 and 8 processors on each way.
"""

from dataclasses import replace

import boots
import collect
import pytest


def _all_but_sizes():
    """Every loader under every firmware, on the machine of MEMORY."""
    ways = boots.all_ways()
    return [way for way in ways if way.missing or way.boot.memory == ways[0].boot.memory]


WAYS = [pytest.param(way, id=way.name, marks=way.marks) for way in _all_but_sizes()]


def _on(way, processors, tests=""):
    """The run of these self tests, by default all, on so many processors."""
    boot = way.with_cmdline(f"selftest={tests}")
    flags = f"{boot.qemuflags} -smp {processors} -accel tcg,thread=multi"
    return collect.run_machine(replace(boot, qemuflags=flags))


def _fail_unless_complete(run):
    problems = [f"not ok {result.name}" for result in run.report.failed] + run.problems
    if problems:
        pytest.fail("\n".join([*problems, "the run's output:", run.output]), pytrace=False)


def test_complete(way):
    _fail_unless_complete(collect.run_boot(way))


def test_complete_on_four_processors(stand_in):
    _fail_unless_complete(_on(stand_in, 4))


def test_threads_on_two_processors(stand_in):
    _on(stand_in, 2, "test_threads").assert_all_passed()


def test_stops_on_two_processors(stand_in):
    _on(stand_in, 2, "test_stops").assert_all_passed()


@pytest.mark.parametrize("way", WAYS[1:])
def test_threads_on_four_processors(way):
    _on(way, 4, "test_threads").assert_all_passed()
