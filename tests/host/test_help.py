"""The table that help(PFM) prints has every public call with its signature, in the groups of docs/api.md."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# The classes that PageFrameManager combines.
CLASSES = {
    "pfm/manager.py": "PageFrameManager",
    "pfm/alloc/blocks.py": "Blocks",
    "pfm/alloc/runs.py": "Runs",
    "pfm/alloc/many.py": "Many",
    "pfm/alloc/zones.py": "Zones",
    "pfm/manyflags/calls.py": "ManyFlags",
    "pfm/report/calls.py": "Reports",
    "pfm/questions/calls.py": "Questions",
    "pfm/slab/objects.py": "Objects",
    "pfm/softreset.py": "SoftReset",
    "pfm/state.py": "State",
}


def _class(path):
    tree = ast.parse((ROOT / path).read_text())
    return next(
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == CLASSES[path]
    )


def _constants():
    """CALLS and VALUES of pfmhelp.py."""
    tree = ast.parse((ROOT / "kernel" / "modules" / "pfmhelp.py").read_text())
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
    }


CALLS = dict(_constants()["CALLS"])
VALUES = _constants()["VALUES"]


def _signatures():
    """The signature of each public call, by name, from the sources."""
    found = {}
    for path in CLASSES:
        for node in _class(path).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                node.args.args.pop(0)
                found[node.name] = f"{node.name}({ast.unparse(node.args)})"
    return found


def test_classes_are_those_that_the_manager_combines():
    bases = {base.id for base in _class("pfm/manager.py").bases}
    assert bases == set(CLASSES.values()) - {"PageFrameManager"}


def test_every_call_and_its_signature():
    listed = {
        signature.partition("(")[0]: signature
        for calls in CALLS.values()
        for signature, _ in calls
    }
    assert listed == _signatures()


def _api_groups():
    """The sections of docs/api.md that have a table of calls, and the names of these."""
    groups = {}
    for section in (ROOT / "docs" / "api.md").read_text().split("\n## ")[1:]:
        rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        groups[section.split("\n")[0]] = {
            name for row in rows for name in re.findall(r"`(\w+)\(", row)
        }
    return groups


@pytest.mark.parametrize("group", CALLS)
def test_group_is_that_of_the_documentation(group):
    documented = _api_groups()[group]
    names = {signature.partition("(")[0] for signature, _ in CALLS[group]}
    assert names <= documented


def test_every_public_attribute():
    public = {
        node.targets[0].id
        for node in _class("pfm/state.py").body
        if isinstance(node, ast.Assign) and not node.targets[0].id.startswith("_")
    }
    # Set by __init__.
    assert set(VALUES) == public | {"log"}
