"""MicroPython's own tests in bytecode, the part of `make test-upstream` that takes minutes."""

import importlib.util

import boots
import pytest
import qemu
import release

RUN = qemu.ROOT / "tests" / "upstream" / "run.py"


@pytest.fixture(scope="module")
def upstream():
    """tests/upstream/run.py as a module."""
    spec = importlib.util.spec_from_file_location("upstream_run", RUN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("mode", ["bytecode", "mpy", "native"])
def test_exclusions_name_tests_that_exist(upstream, micropython, mode):
    tests = [
        path.relative_to(f"{micropython}/tests").as_posix()
        for suite in upstream.SUITES
        for path in (upstream.Path(micropython) / "tests" / suite).glob("*.py")
    ]
    number, _ = release.version(micropython)
    for pattern, reason in upstream.exclusions(mode, number):
        assert any(upstream.re.fullmatch(pattern, test) for test in tests), pattern
        assert len(reason.split()) > 3, pattern


def test_bytecode(upstream, micropython):
    way = boots.all_ways()[0]
    if way.missing:
        pytest.skip(way.missing)
    lines = []
    outcomes = upstream.run(micropython, ["bytecode"], show=lines.append)
    problems = [line for o in outcomes for line in o.problems(upstream.SUITES)]
    assert problems == [], "\n".join(lines)
