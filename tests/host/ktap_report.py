"""Reading KTAP version 1, the format in which MicroPython's side reports its tests.

Source: Linux, Documentation/dev-tools/ktap.rst. Nested results are not used here.
"""

import re
from dataclasses import dataclass, field

_VERSION = "KTAP version 1"
_PLAN = re.compile(r"1\.\.(\d+)$")
_RESULT = re.compile(r"(not )?ok (\d+) (.*?)(?:\s+# SKIP\b\s*(.*))?$")


@dataclass
class Result:
    """One test: skipped holds the reason or is None, diagnostics the lines that followed."""

    number: int
    name: str
    passed: bool
    skipped: str | None = None
    diagnostics: list = field(default_factory=list)

    @property
    def module(self):
        """Name of the module in "package.module.test_name"."""
        return self.name.split(".")[-2] if "." in self.name else ""

    @property
    def test(self):
        return self.name.rsplit(".", 1)[-1]


@dataclass
class Report:
    """All results of one run; problems say in what the run itself is incomplete."""

    results: list
    problems: list

    @property
    def failed(self):
        return [result for result in self.results if not result.passed]


def parse(text):
    """The Report in a text that may hold other lines before and between."""
    results, problems = [], []
    started, planned = False, None
    for line in text.replace("\r", "").split("\n"):
        if line.strip() == _VERSION:
            if started:
                problems.append("a second version line: the run started anew")
            started = True
        elif not started:
            continue
        elif plan := _PLAN.match(line):
            planned = int(plan[1])
        elif found := _RESULT.match(line):
            result = Result(int(found[2]), found[3], not found[1], found[4])
            if result.number != len(results) + 1:
                problems.append(f"result {result.number} where {len(results) + 1} was due")
            results.append(result)
        elif line.startswith("#") and results:
            results[-1].diagnostics.append(line.removeprefix("#").removeprefix(" "))
    if not started:
        problems.append(f"no line {_VERSION!r}")
    elif planned is None:
        problems.append("no plan")
    elif planned != len(results):
        problems.append(f"{planned} tests planned, {len(results)} reported")
    if planned == 0:
        problems.append("no test was run")
    return Report(results, problems)
