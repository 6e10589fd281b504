"""Each way to boot runs the kernel's own tests to the end."""

import collect
import pytest


def test_complete(way):
    run = collect.run_boot(way)
    problems = [f"not ok {result.name}" for result in run.report.failed] + run.problems
    if problems:
        pytest.fail("\n".join([*problems, "the run's output:", run.output]), pytrace=False)
