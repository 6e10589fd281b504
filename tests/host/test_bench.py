"""The benchmark's judgement, on figures made up."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))

import goals  # noqa: E402
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
    assert len(goals.Kind) == 4
    assert len({kind.value for kind in goals.Kind}) == 4


def test_sizes_and_durations_are_in_the_unit_that_reads_best():
    assert [table.binary(size) for size in (1000, 65536, 1 << 40)] == ["1000", "64 Ki", "1 Ti"]
    assert [table.duration(ns) for ns in (1.5, 1500, 2e9)] == ["1.5 ns", "1.5 us", "2 s"]
