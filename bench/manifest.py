# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What is frozen into the kernel that is measured: the kernel's own, and the suite.

include("../kernel/manifest.py")
package(
    "bench",
    (
        "agree.py",
        "benchmark.py",
        "calls.py",
        "copies.py",
        "cpeers.py",
        "diskrows.py",
        "fakes.py",
        "flagrows.py",
        "inits.py",
        "measure.py",
        "processorrows.py",
        "questionrows.py",
        "suite.py",
    ),
    base_path="..",
)
