"""The reader of KTAP."""

import ktap_report

REPORT = """\
boot report, ok so far
KTAP version 1\r
1..4\r
ok 1 tests.target.test_a.test_one\r
a line of the kernel's log
not ok 2 tests.target.test_a.test_two\r
# Traceback (most recent call last):\r
#   AssertionError: found 1, expected 2\r
ok 3 test_b.test_three # SKIP needs 4 GiB
ok 4 test_b.test_four
"""


def test_results_names_and_diagnostics():
    report = ktap_report.parse(REPORT)
    assert report.problems == []
    assert [r.name.split(".")[-1] for r in report.results] == [
        "test_one",
        "test_two",
        "test_three",
        "test_four",
    ]
    assert [r.module for r in report.results] == ["test_a", "test_a", "test_b", "test_b"]
    assert [r.passed for r in report.results] == [True, False, True, True]
    assert report.failed == [report.results[1]]
    assert report.results[1].diagnostics == [
        "Traceback (most recent call last):",
        "  AssertionError: found 1, expected 2",
    ]
    assert [r.skipped for r in report.results] == [None, None, "needs 4 GiB", None]


def test_run_that_ended_early():
    report = ktap_report.parse(REPORT[: REPORT.index("ok 4")])
    assert report.problems == ["4 tests planned, 3 reported"]


def test_run_that_never_started():
    assert ktap_report.parse("panic: no memory map\nok 1 x\n").problems == [
        "no line 'KTAP version 1'"
    ]


def test_run_without_a_plan():
    assert ktap_report.parse("KTAP version 1\nok 1 x\n").problems == ["no plan"]


def test_run_without_tests():
    assert ktap_report.parse("KTAP version 1\n1..0\n").problems == ["no test was run"]


def test_results_out_of_order():
    text = "KTAP version 1\n1..2\nok 2 b\nok 1 a\n"
    assert "result 2 where 1 was due" in ktap_report.parse(text).problems


def test_run_that_started_anew():
    assert "a second version line: the run started anew" in ktap_report.parse(REPORT * 2).problems
