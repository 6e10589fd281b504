# SPDX-License-Identifier: MIT OR Apache-2.0
"""The frozen self tests: the modules of the package `tests.target`."""

import ktap

_NAMES = (
    "test_acpi",
    "test_blockcache",
    "test_cmdline",
    "test_contract",
    "test_critical",
    "test_disk",
    "test_exhaustion",
    "test_fb",
    "test_kernel",
    "test_keymap",
    "test_memory",
    "test_modmachine",
    "test_pci",
    "test_questions",
    "test_reports",
    "test_sizes",
    "test_slab",
    "test_stops",
    "test_threads",
    "test_threads_containers",
    "test_threads_frames",
)


def run(pattern=""):
    """Run the tests whose names contain `pattern`, report in KTAP, return how many failed."""
    modules = []
    for name in _NAMES:
        package = __import__("tests.target." + name)
        modules.append(getattr(package.target, name))
    return ktap.run(modules, pattern)
