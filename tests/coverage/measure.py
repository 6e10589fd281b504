"""Measures which lines of pfm/ its unit tests run, on the unix port, and names those that they do not.

    python tests/coverage/measure.py --unix build/unix/micropython --build build/coverage

MicroPython's own tracing does not see native and viper code, so a copy of the
package is made in which every statement first notes that it was reached.
"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "host"))

from paths import paths_of  # noqa: E402

PROBE = "_reached_"

# Seconds for the tests of one file; probes make them slower.
TIMEOUT = 600


class Prober(ast.NodeTransformer):
    """Puts a call of the probe before every statement and notes at which line each stands."""

    def __init__(self, first):
        self.lines = []
        self._first = first

    def _probe(self, statement):
        number = self._first + len(self.lines)
        self.lines.append(statement.lineno)
        call = ast.Call(ast.Name(PROBE, ast.Load()), [ast.Constant(number)], [])
        return ast.copy_location(ast.Expr(call), statement)

    def generic_visit(self, node):
        super().generic_visit(node)
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                setattr(node, field, self._with_probes(block))
        return node

    def _with_probes(self, block):
        probed = []
        for at, statement in enumerate(block):
            text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not (at == 0 and text) and not isinstance(statement, ast.Global):
                probed.append(self._probe(statement))
            probed.append(statement)
        return probed


def instrument(source, target, first):
    """Write a probed copy of `source` and return the lines of its statements."""
    tree = ast.parse(source.read_text())
    prober = Prober(first)
    tree = prober.visit(tree)
    at = 1 if ast.get_docstring(tree) else 0
    imported = ast.ImportFrom("probe", [ast.alias(PROBE)], 0)
    tree.body.insert(at, imported)
    target.write_text(ast.unparse(ast.fix_missing_locations(tree)) + "\n")
    return prober.lines


def shadow(build):
    """Make the copy of the tree in `build` and return (file, line) for every probe."""
    if build.exists():
        shutil.rmtree(build)
    build.mkdir(parents=True)
    shutil.copytree(ROOT / "tests" / "unit", build / "tests" / "unit")
    shutil.copytree(ROOT / "docs", build / "docs")
    shutil.copy(ROOT / "README.md", build)
    for name in ("ktap.py", "coverage/probe.py", "coverage/run.py"):
        shutil.copy(ROOT / "tests" / name, build / "tests")
    places = []
    for source in sorted((ROOT / "pfm").rglob("*.py")):
        if source.name == "manifest.py":
            continue
        name = source.relative_to(ROOT)
        target = build / name
        target.parent.mkdir(exist_ok=True)
        lines = instrument(source, target, len(places))
        places += [(str(name), line) for line in lines]
    return places


def run(unix, build, count):
    """Run every unit test on its paths through the copy; return the set of probes reached and whether all passed."""
    reached = set()
    passed = True
    hits = build / "hits"
    files = sorted((build / "tests" / "unit").glob("test_*.py"))
    for test, path in [(file, path) for file in files for path in paths_of(file.read_text())]:
        command = [unix, "-X", "heapsize=64M", "tests/run.py", str(count), str(hits)]
        command += [*path.options, str(test.relative_to(build))]
        done = subprocess.run(
            command,
            cwd=build,
            env={**os.environ, "MICROPYPATH": f"{build}:{build / 'tests'}"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        if done.returncode:
            passed = False
            failed = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
            print(f"{test.name}{path.suffix}: {failed or done.stderr[-500:]}")
        if hits.exists():
            reached |= {number for number, hit in enumerate(hits.read_bytes()) if hit}
            hits.unlink()
    return reached, passed


def ranges(lines):
    """Return sorted numbers as text, "3-5, 9"."""
    spans = []
    for line in sorted(lines):
        if spans and line <= spans[-1][1] + 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def report(places, reached):
    """Print a row a file: lines, those run, and which were not."""
    files = {}
    for number, (name, line) in enumerate(places):
        lines, hit = files.setdefault(name, (set(), set()))
        lines.add(line)
        if number in reached:
            hit.add(line)
    total = sum(len(lines) for lines, _ in files.values())
    covered = sum(len(hit) for _, hit in files.values())
    for name, (lines, hit) in sorted(files.items()):
        missing = ranges(lines - hit)
        share = 100 * len(hit) / len(lines) if lines else 100
        print(f"{name:26} {len(hit):4} of {len(lines):4} {share:5.1f} %  {missing}".rstrip())
    print(f"{'all':26} {covered:4} of {total:4} {100 * covered / total:5.1f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unix", required=True, type=Path)
    parser.add_argument("--build", required=True, type=Path)
    options = parser.parse_args()
    build = options.build.resolve()
    places = shadow(build)
    reached, passed = run(options.unix.resolve(), build, len(places))
    report(places, reached)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
