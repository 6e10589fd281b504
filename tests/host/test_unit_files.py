"""Each module of pfm/ has its tests in a file of its name, or in one whose docstring names it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "pfm").rglob("*.py")
    if path.name not in ("__init__.py", "manifest.py")
)
FILES = [path for kind in ("unit", "target") for path in (ROOT / "tests" / kind).glob("test_*.py")]
NAMED = {path.name: ast.get_docstring(ast.parse(path.read_text())) or "" for path in FILES}


def _own_file(module):
    parts = Path(module).with_suffix("").parts[1:]
    return f"test_{'_'.join(parts)}.py"


@pytest.mark.parametrize("module", MODULES)
def test_module_has_a_file_of_tests(module):
    own = _own_file(module)
    naming = [name for name, docstring in NAMED.items() if module in docstring]
    assert own in naming or (own not in NAMED and naming), f"{own}, or who names {module}"
