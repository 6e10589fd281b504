# SPDX-License-Identifier: MIT OR Apache-2.0
"""The loader's page tables, in which `acpi` maps tables before the frame manager is there."""

import cpu
import limine
import uctypes
from micropython import const

from pfm.address import PAGE_SIZE
from pfm.machine import LimineMachine, protect_execution
from pfm.memmap import protocol
from pfm.paging.tables import LEVEL_4K, PageTables

_CR3_ADDRESS = const(0x000F_FFFF_FFFF_F000)
_ADDRESS_MASK = const((1 << 64) - 1)


class LoaderSpace(PageTables):
    """Page tables that undo their mappings at the end of `with`, and what `acpi` asks a manager for.

    The memory of new tables is the Python heap's, which is part of the kernel's image until it
    grows.  Not for one whose `is_complete` is false.
    """

    def __init__(self):
        self.hhdm = LimineMachine().hhdm
        self.space = self
        self._response = limine.response("executable_address")
        self._frames = []
        self._mapped = []
        if self.is_complete:
            super().__init__(
                cpu.cr3() & _CR3_ADDRESS,
                self.hhdm,
                self._take,
                flush=cpu.flush,
                largest=LEVEL_4K,
                protects=protect_execution(),
            )

    @property
    def is_complete(self):
        """Whether the loader gave the responses that this needs."""
        return self.hhdm is not None and self._response is not None

    def _take(self):
        frame = bytearray(2 * PAGE_SIZE - 1)
        self._frames.append(frame)
        virt = (uctypes.addressof(frame) + PAGE_SIZE - 1) & -PAGE_SIZE
        image = uctypes.struct(self._response, protocol.EXECUTABLE_ADDRESS_RESPONSE)
        return (virt - image.virtual_base + image.physical_base) & _ADDRESS_MASK

    def as_virt(self, phys):
        """Return the address of the HHDM for a physical address."""
        return self.hhdm + phys

    def as_phys(self, virt):
        """Return the physical address for an address of the HHDM."""
        return virt - self.hhdm

    def map(self, virt, phys, count, flags=0):
        """Map pages as `PageTables.map` does, until the end of `with`."""
        super().map(virt, phys, count, flags)
        self._mapped.append((virt, count))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for virt, count in self._mapped:
            self.unmap(virt, count)
        self._mapped = []
