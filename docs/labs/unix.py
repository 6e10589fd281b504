"""Runs a lab's check, or a program, on MicroPython's unix port, on a fake machine of 512 MiB.

build/unix/micropython docs/labs/unix.py 2
build/unix/micropython docs/labs/unix.py 2 solution
build/unix/micropython docs/labs/unix.py examples/memory_map.py
"""

import sys

sys.path.append(__file__.rsplit("/", 1)[0] + "/../..")

from checking import check  # noqa: E402

from pfm import PFM, PageFlags, Zone  # noqa: E402
from pfm.memmap import protocol  # noqa: E402
from pfm.testing import FakeMachine  # noqa: E402

# A PC's memory without what a loader and a kernel take: it is all free.
_MAP = [
    (0x1000, 0x9E000, protocol.USABLE),
    (0xF0000, 0x10000, protocol.RESERVED),
    (0x100000, 0x1FF00000, protocol.USABLE),
]


def _run(path):
    """Run a program with the names that the kernel's prompt starts with."""
    names = {"__name__": "__main__", "PFM": PFM, "PageFlags": PageFlags, "Zone": Zone}
    with open(path) as file:
        exec(compile(file.read(), path, "exec"), names)


def _main(what="", *work):
    with FakeMachine(_MAP) as machine:
        PFM.init(machine)
        if what.endswith(".py"):
            _run(what)
        elif what.isdigit():
            check(int(what), *work)
        else:
            print("unix.py: a lab's number, or the path of a program")
            sys.exit(1)


_main(*sys.argv[1:])
