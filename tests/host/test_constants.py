"""Constants of pfm/ have one value: viper needs copies in its own file, and each is held against its origin.

A copy is `_NAME = const(…)` in a block under a comment line that names the file of the origin,
`# frame/entry.py`, where NAME or _NAME stands.
"""

import ast
import re
from pathlib import Path

import pytest

PFM = Path(__file__).resolve().parent.parent.parent / "pfm"
SOURCES = sorted(PFM.rglob("*.py"))

ORIGIN = re.compile(r"# ([a-z/]+\.py)$")
CONSTANT = re.compile(r" *(\w+) = const\((.+)\)(?:  #.*)?$")
# A shift or a mask of an entry's fields as a bare number.
BARE = re.compile(r"(?:<<|>>) (?:5|24|29)\b|& 31\b")


def _value(text, known):
    """The value of a constant's expression, which may name constants before it."""
    return eval(compile(ast.parse(text, mode="eval"), "const", "eval"), {}, known)


def _constants(path):
    """The constants of a file by name, those of classes too."""
    found = {}
    for line in path.read_text().splitlines():
        match = CONSTANT.match(line)
        if match:
            found.setdefault(match[1], _value(match[2], found))
    return found


def _copies(path):
    """(name, value, origin) of each copy in a file."""
    origin = None
    known = {}
    for line in path.read_text().splitlines():
        match = CONSTANT.match(line)
        if match:
            known[match[1]] = _value(match[2], known)
            if origin:
                yield match[1], known[match[1]], origin
        else:
            named = ORIGIN.match(line)
            origin = named[1] if named else None


COPIES = [
    pytest.param(path, *copy, id=f"{path.relative_to(PFM)}:{copy[0]}")
    for path in SOURCES
    for copy in _copies(path)
]


@pytest.mark.parametrize(("path", "name", "value", "origin"), COPIES)
def test_copy_has_the_value_of_its_origin(path, name, value, origin):
    constants = _constants(PFM / origin)
    assert {constants[n] for n in (name, name.lstrip("_")) if n in constants} == {value}


def test_there_are_copies():
    assert len(COPIES) > 100


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PFM)))
def test_no_field_of_an_entry_is_reached_by_a_bare_number(path):
    text = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
    lines = [line for line in text.splitlines() if not CONSTANT.match(line)]
    assert [line for line in lines if BARE.search(line.split("  #")[0])] == []
