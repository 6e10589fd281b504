"""Each way to boot runs the kernel's own tests to the end."""

import collect


def test_complete(way):
    run = collect.run_boot(way)
    failed = [result.name for result in run.report.failed]
    assert (failed, run.problems) == ([], []), run.output
    assert run.report.results
