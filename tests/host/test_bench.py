"""The benchmark's judgement, on figures made up."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))

import goals  # noqa: E402
import processors  # noqa: E402
import table  # noqa: E402


def row(who, median, work="init", size=65536):
    return {
        "work": work,
        "who": who,
        "size": size,
        "unit": "frame",
        "median": median,
        "min": median,
        "max": median,
    }


def verdicts(monkeypatch, goal, rows):
    monkeypatch.setattr(goals, "GOALS", (goal,))
    return [(verdict.reached, verdict.met) for verdict in goals.judge(goals.UNIX, rows)]


@pytest.mark.parametrize(("median", "met"), [(1.5, True), (1.6, False)])
def test_ratio_counts_against_the_best_peer(monkeypatch, median, met):
    goal = goals.Goal("init", goals.Kind.RATIO, 1.5, ("C loop", "C memset"))
    rows = [row("pfm", median), row("C loop", 2), row("C memset", 1)]
    assert verdicts(monkeypatch, goal, rows) == [(median, met)]


@pytest.mark.parametrize(("median", "met"), [(1, True), (2, False)])
def test_faster_is_met_from_the_limit_up(monkeypatch, median, met):
    goal = goals.Goal("init", goals.Kind.FASTER, 9, ("C reference",))
    rows = [row("pfm", median), row("C reference", 9)]
    assert verdicts(monkeypatch, goal, rows) == [(9 / median, met)]


def test_growth_compares_the_largest_machine_with_the_smallest(monkeypatch):
    goal = goals.Goal("alloc", goals.Kind.GROWTH, 1.2)
    rows = [row("pfm", 100, "alloc", 1 << 16), row("pfm", 130, "alloc", 1 << 24)]
    assert verdicts(monkeypatch, goal, rows) == [(1.3, False)]


def test_sizes_limit_a_goal_and_scale_its_figure(monkeypatch):
    goal = goals.Goal("boot", goals.Kind.NANOSECONDS, 20, sizes=(2,), unit="ms", scale=1e6)
    rows = [row("pfm", 90e6, "boot", 1), row("pfm", 10e6, "boot", 2)]
    assert verdicts(monkeypatch, goal, rows) == [(10, True)]


def test_a_goal_without_a_figure_is_an_error(monkeypatch):
    goal = goals.Goal("alloc", goals.Kind.GROWTH, 1.2)
    with pytest.raises(LookupError, match="alloc"):
        verdicts(monkeypatch, goal, [row("pfm", 1)])


def test_each_kind_of_limit_reads_differently():
    assert len(goals.Kind) == 7
    assert len({kind.value for kind in goals.Kind}) == 7


def test_sizes_and_durations_are_in_the_unit_that_reads_best():
    assert [table.binary(size) for size in (1000, 65536, 1 << 40)] == ["1000", "64 Ki", "1 Ti"]
    assert [table.duration(ns) for ns in (1.5, 1500, 2e9)] == ["1.5 ns", "1.5 us", "2 s"]


def test_call_compares_with_another_call_of_the_same_size(monkeypatch):
    goal = goals.Goal("set_flags", goals.Kind.CALL, 2, ("check_flags",))
    rows = [row("pfm", 100, "set_flags", 1), row("pfm", 40, "check_flags", 1)]
    rows += [row("pfm", 100, "set_flags", 2), row("pfm", 50, "check_flags", 2)]
    assert verdicts(monkeypatch, goal, rows) == [(2.5, False), (2, True)]
    assert goal.text == "at most 2 x a call of check_flags"


def pair(one, both, host, work="floats"):
    """Return the rows of a work on two processors: by one and by both, and what the host's do."""
    rows = [row(goals.ONE, one, work, 2), row(goals.BOTH, both, work, 2)]
    return [{**made, "min": made["median"] * 0.8, "host": host} for made in rows]


def parallel(work="floats", limit=0.9):
    return goals.Goal(work, goals.Kind.PARALLEL, limit, (), who=goals.BOTH)


@pytest.mark.parametrize(("both", "reached", "met"), [(10, 1, True), (12.5, 0.8, False)])
def test_parallel_counts_against_the_better_of_the_hosts_ratios(monkeypatch, both, reached, met):
    rows = pair(10, both, (2, 1.9))
    assert verdicts(monkeypatch, parallel(), rows) == [(pytest.approx(reached), met)]


@pytest.mark.parametrize("host", [(2, 1.84), (1.84, 2), (1, 1)])
def test_a_busy_host_says_nothing(monkeypatch, host):
    rows = pair(10, 10, host)
    assert verdicts(monkeypatch, parallel(), rows) == [(pytest.approx(2 / max(host)), None)]
    slow = goals.Goal("floats", goals.Kind.NANOSECONDS, 1, who=goals.BOTH)
    assert verdicts(monkeypatch, slow, rows) == [(10, None)]


def test_nine_of_ten_have_their_own_limit(monkeypatch):
    goal = goals.Goal("stop", goals.Kind.MOST, 10, (), who=goals.BOTH, unit="us", scale=1e3)
    rows = [{**row(goals.BOTH, 3000, "stop"), "p90": 12000, "host": (2, 2)}]
    assert verdicts(monkeypatch, goal, rows) == [(12, False)]
    assert goal.text == "nine of ten at most 10 us"


def test_table_says_what_was_reached_and_what_the_host_did(monkeypatch):
    monkeypatch.setattr(goals, "GOALS", (parallel(), parallel("lists"), parallel("calls")))
    rows = pair(10, 10, (2, 1.9)) + pair(10, 20, (2, 2), "lists") + pair(10, 20, (2, 1.5), "calls")
    found = goals.judge(goals.UNIX, rows)
    assert list(table.verdicts(found, rows)) == [
        (work, "2", goals.BOTH, figure, "at least 0.9 x the host's own", reached, word, others)
        for work, figure, reached, word, others in (
            (
                "floats",
                "2.00 x, 2.00 x by medians",
                "1",
                "met",
                "host 2.00 before, 1.90 after, 1 processor 10 ns",
            ),
            (
                "lists",
                "1.00 x, 1.00 x by medians",
                "0.5",
                "MISSED",
                "host 2.00 before, 2.00 after, 1 processor 10 ns",
            ),
            (
                "calls",
                "1.00 x, 1.00 x by medians",
                "0.5",
                "skipped: host below 1.85",
                "host 2.00 before, 1.50 after, 1 processor 10 ns",
            ),
        )
    ]
    assert goals.summary(found) == "1 of 2 goals met, 1 skipped"
    assert goals.summary(found[:2]) == "1 of 2 goals met"


class Machine:
    """A machine with two processors that answers at once."""

    def __init__(self, *_, **__):
        self.asked = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def write(self, line):
        self.asked = line

    def read_until(self, _):
        return self.asked


def parse(output):
    """Return the row of the work that was asked for."""
    return [row(goals.BOTH, 1, output.split("'")[1])]


def measure(monkeypatch, ratios, last):
    """Return (work, host's ratios) of the rows of two works, where the host's are `ratios` in turn.

    Time is up after `last` of them.
    """
    done = []

    class Host:
        def __init__(self, _):
            pass

        def parallel(self):
            done.append(ratios[len(done)])
            return done[-1]

    monkeypatch.setattr(processors, "Host", Host)
    monkeypatch.setattr(processors, "SECONDS", last)
    monkeypatch.setattr(processors, "time", SimpleNamespace(monotonic=lambda: len(done)))
    monkeypatch.setattr(processors.qemu, "Machine", Machine)
    monkeypatch.setattr(goals, "works", lambda _: ("a", "b"))
    found = [(made["work"], made["host"]) for made in processors.rows("kernel", "peers", parse)]
    assert len(done) == len(ratios)
    return found


def test_host_is_measured_before_and_after_each_work(monkeypatch):
    found = measure(monkeypatch, (1.9, 1.95, 1.92), 1000)
    assert found == [("a", (1.9, 1.95)), ("b", (1.95, 1.92))]


def test_what_meets_a_busy_host_is_measured_again_while_there_is_time(monkeypatch):
    busy = (1.9, 1.2, 1.9)
    assert measure(monkeypatch, busy, 0) == [("a", (1.9, 1.2)), ("b", (1.2, 1.9))]
    assert measure(monkeypatch, (*busy, 1.9, 1.9), 1000) == [("a", (1.9, 1.9)), ("b", (1.9, 1.9))]


def test_the_attempt_with_the_idler_host_counts(monkeypatch):
    found = measure(monkeypatch, (1.9, 1.8, 1.7, 1.1, 1.2), 4)
    assert found == [("a", (1.9, 1.8)), ("b", (1.8, 1.7))]
