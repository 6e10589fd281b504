"""A memory map response made here, laid out as a loader leaves one."""

import array

import uctypes

from . import protocol


class Response:
    """The response for the memory map `entries`, a list of (base, length, type) in bytes.

    `virt` is its address and `fields` its `uctypes.struct`.  The memory is this object's.
    """

    def __init__(self, entries):
        self._blocks = []
        pointers = array.array("Q", [self._entry(*entry) for entry in entries])
        self.fields = self.struct(protocol.MEMMAP_RESPONSE)
        self.fields.entry_count = len(entries)
        self.fields.entries = self._keep(pointers)
        self.virt = uctypes.addressof(self.fields)

    def _keep(self, block):
        self._blocks.append(block)
        return uctypes.addressof(block)

    def struct(self, layout):
        """Return a struct of zeros in memory of this object."""
        # 64-bit words, since the protocol aligns structures to 8 bytes.
        block = array.array("Q", bytes(uctypes.sizeof(layout)))
        return uctypes.struct(self._keep(block), layout)

    def _entry(self, base, length, kind):
        entry = self.struct(protocol.MEMMAP_ENTRY)
        entry.base = base
        entry.length = length
        entry.type = kind
        return uctypes.addressof(entry)
