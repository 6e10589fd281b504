"""Each public name of the kernel's own modules is on the module's page in docs/, and the page names no other."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

IN_C = {
    "cpu": "kernel/mcu/x86_64/modcpu.c",
    "kernel": "kernel/modkernel.c",
    "limine": "kernel/modlimine.c",
}
IN_PYTHON = {
    "acpi": "kernel/modules/acpi.py",
    "acpipower": "kernel/mcu/x86_64/modules/acpipower.py",
    "pci": "kernel/mcu/x86_64/modules/pci.py",
    "pciaccess": "kernel/mcu/x86_64/modules/pciaccess.py",
}
PAGES = {"acpipower": "acpi", "pciaccess": "pci"}


def _page(module):
    return (ROOT / "docs" / f"{PAGES.get(module, module)}.md").read_text()


def _names_in_tables(page):
    """The names before `(` or alone in the first column of the page's tables."""
    names = set()
    for line in page.splitlines():
        if line.startswith("| `"):
            for code in re.findall(r"`([^`]+)`", line.split(" | ")[0]):
                names.add(re.match(r"\w+", code)[0])
    return names


def _names_in_c(path):
    """What the module's table of globals has, but for its own name."""
    table = re.search(
        r"_module_globals_table\[\] = \{\n(.*?)\};", (ROOT / path).read_text(), re.DOTALL
    )
    return set(re.findall(r"MP_ROM_QSTR\(MP_QSTR_(\w+)\), MP_ROM_PTR", table[1]))


def _functions(path):
    """The public functions of a module."""
    tree = ast.parse((ROOT / path).read_text())
    return {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"}


@pytest.mark.parametrize("module", IN_C)
def test_page_has_each_name_and_no_other(module):
    names = _names_in_c(IN_C[module])
    assert len(names) > 2
    assert _names_in_tables(_page(module)) == names


@pytest.mark.parametrize("module", IN_PYTHON)
def test_page_has_each_function(module):
    names = _functions(IN_PYTHON[module])
    assert names
    assert names <= _names_in_tables(_page(module))


@pytest.mark.parametrize("module", IN_PYTHON)
def test_page_has_each_class_and_layout(module):
    page = _page(module)
    tree = ast.parse((ROOT / IN_PYTHON[module]).read_text())
    names = [n.name for n in tree.body if isinstance(n, ast.ClassDef) and n.name[0] != "_"]
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            names += [node.targets[0].id] if node.targets[0].id[0] != "_" else []
    assert [name for name in names if not re.search(rf"\b{name}\b", page)] == []


def test_page_of_machine_has_what_the_kernel_adds():
    source = (ROOT / "kernel" / "modmachine.c").read_text()
    macro = re.search(r"MICROPY_PY_MACHINE_EXTRA_GLOBALS(.*?)\n\n", source, re.DOTALL)[1]
    names = re.findall(r"MP_ROM_QSTR\(MP_QSTR_(\w+)\)", macro)
    assert "poweroff" in names
    page = _page("machine")
    assert [name for name in names if not re.search(rf"`[^`\n]*\b{name}\b", page)] == []
