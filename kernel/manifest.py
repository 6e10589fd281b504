# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What is frozen into the kernel.  Paths are relative to this file.

import os

freeze("modules")
# The modules of the processor; the Makefile sets their folder.
freeze("$(MCU_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")

# The tests are frozen as the package `tests`, with their runner beside it.
for name, base in (("pfm", ".."), ("tests/target", "..")):
    if os.path.isdir(os.path.join(base, name)):
        package(name, base_path=base)
if os.path.isfile("../tests/ktap.py"):
    module("ktap.py", base_path="../tests")
    # Shared with the tests of the unix port.
    for name in ("trace.py", "model.py", "calls.py", "exhausted.py"):
        module(name, base_path="../tests/unit")
