"""Which paths a file of unit tests is run on: with the fast path, and with every call on the slow path.

A file whose tests make none of the calls that have a fast path (pfm/fastpath/)
says why by a constant ONE_PATH, a sentence; it is run once.
"""

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Path:
    """A way through the manager: suffix is put behind the names of tests, options are those of tests/ktap.py."""

    suffix: str
    options: tuple


ONE = Path("", ())
BOTH = (Path("[fast]", ()), Path("[slow]", ("--slow",)))


def paths_of(source):
    """The Paths that the file with that source is run on."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(_is_one_path(t) for t in node.targets):
            if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
                raise ValueError("ONE_PATH: a sentence that says why")
            return (ONE,)
    return BOTH


def _is_one_path(target):
    return isinstance(target, ast.Name) and target.id == "ONE_PATH"
