"""Answers a host that explores the frame manager: a line of JSON in, a line of JSON out.

    micropython tests/unit/server.py

Each request is [name, argument, ...].  What it returns is answered as ["value",
it], and an error that the manager may raise as ["error", name, attributes].
"""

import json
import sys

sys.path[:0] = [__file__.rsplit("/", 1)[0] + "/../.."]

from binascii import hexlify  # noqa: E402

from uctypes import bytes_at  # noqa: E402

from pfm import OutOfFramesError, PageFlags, PageFrameManager, PFMError, control  # noqa: E402
from pfm.array.populate import populate_range  # noqa: E402
from pfm.fastpath.install import ways  # noqa: E402
from pfm.frame.entry import ENTRY_SIZE  # noqa: E402
from pfm.memmap.regions import partition  # noqa: E402
from pfm.testing import FakeMachine  # noqa: E402

# Anything else ends the server, and the host sees it.
EXPECTED = (PFMError, OutOfFramesError, TypeError)

# Attributes of errors that a host compares.
_SHOWN = ("pfn", "rc", "flags", "needed", "largest", "free")


class Server:
    """One fake machine at a time, and its manager."""

    def __init__(self):
        self._machine = None
        self._pfm = None

    def regions(self, entries):
        """Return what `partition` makes of the entries."""
        return [[r.start, r.end, r.type, r.present] for r in partition(entries)]

    def boot(self, entries, debug, fast=True):
        """Leave the machine before, boot one with that map and return the facts about it.

        Not `fast`, its manager does without the fast path.
        """
        if self._machine:
            self._machine.close()
        self._machine = FakeMachine(entries)
        PageFrameManager.fast_path = fast
        self._pfm = pfm = self._machine.boot(debug)
        return {
            "min": pfm.min(),
            "max": pfm.max(),
            "present": pfm.count_present(),
            "managed": [zone.managed for zone in pfm.meminfo().zones],
            "free": pfm.count_free(),
            "array": [pfm.array.start_phys >> 12, pfm.array.end_phys >> 12],
        }

    def probe(self, pfns):
        """Return (present, RESERVED) for each frame in bounds."""
        pfm = self._pfm
        return [[pfm.present(pfn), pfm.check_flags(pfn, PageFlags.RESERVED)] for pfn in pfns]

    def call(self, name, *args):
        """Return what that method of the manager returns."""
        result = getattr(self._pfm, name)(*args)
        return list(result) if name == "alloc_many" else result

    def guard(self, pfn, flags):
        """Store the flags through a guard and return those before."""
        with self._pfm.get(pfn) as frame:
            before = frame.flags
            frame.flags = flags
            return before

    def fast(self, name, *args):
        """Return what that method returns where it has a fast path."""
        return ways(self._pfm, self._pfm._cpu)[name](*args)

    def memory(self):
        """Return address and contents of the control page and of the array, which is populated.

        Of the control page without what object caches have there.
        """
        pfm = self._pfm
        frames = pfm.max() + 1
        populate_range(pfm._zones[0], pfm._base, 0, frames)
        size = control.MAGAZINES_OFFSET + control.MAGAZINE_SIZE
        spans = (pfm._zones[0], size), (pfm._base, frames * ENTRY_SIZE)
        return [[virt, hexlify(bytes_at(virt, size)).decode()] for virt, size in spans]

    def check(self):
        """Walk the invariants."""
        self._pfm.check()

    def answer(self, name, *args):
        """Return what the host is told of a request."""
        try:
            return ["value", getattr(self, name)(*args)]
        except EXPECTED as error:
            shown = {key: getattr(error, key) for key in _SHOWN if hasattr(error, key)}
            return ["error", type(error).__name__, shown]


def _serve():
    server = Server()
    for line in sys.stdin:
        print(json.dumps(server.answer(*json.loads(line))))


_serve()
