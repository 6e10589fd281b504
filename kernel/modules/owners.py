# SPDX-License-Identifier: MIT OR Apache-2.0
"""Owners of the kernel's frames: their tags; those in ALL are kept across a soft reset.

A tag is four letters, the first in the highest byte, so that it is readable in hexadecimal.
"""

from micropython import const

# The Python heap's ranges, "heap".
HEAP = const(0x68656170)
# The kernel's page tables, "ptab".
TABLES = const(0x70746162)
# Copies of the loader's responses, "resp".
RESPONSES = const(0x72657370)
# The RAM disk's blocks, "disk".
DISK = const(0x6469736B)
# Copies of the ACPI tables, "acpi".
ACPI = const(0x61637069)
# The lasting disk's queue and the pages of its cache, "cach": these end with a soft reset.
CACHE = const(0x63616368)
# The stacks of further processors, "proc".
PROCESSORS = const(0x70726F63)
# The queues and buffers of the virtio console, "cons".
CONSOLE = const(0x636F6E73)

ALL = (HEAP, TABLES, RESPONSES, DISK, ACPI, PROCESSORS, CONSOLE)
