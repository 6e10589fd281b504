# SPDX-License-Identifier: MIT OR Apache-2.0
"""Copies the ACPI tables, so that the memory that the firmware put them into can be reclaimed.

The copies are laid out as the firmware's: a root pointer, the table that lists the others, and
these, so `acpi` finds them in the same way.  What lies elsewhere stays there: the FACS, which is
in reserved or ACPI NVS memory (ACPI Specification 6.5, 5.2.10).
"""

import acpi
import limine
import owners
import uctypes
from micropython import const

from pfm.address import PAGE_SIZE

# Sizes and offsets in bytes: acpi.py has the layouts.
_ALIGN = const(16)
_RESPONSE_SIZE = const(16)
_RSDP_1_SIZE = const(20)
_RSDP_SIZE = const(36)
_RSDP_CHECKSUM = const(8)
_RSDP_EXTENDED_CHECKSUM = const(32)
_CHECKSUM = const(9)
_POINTER_SIZE = const(8)
_POINTER = {"phys": 0 | uctypes.UINT64}
_RESPONSE = {"revision": 0 | uctypes.UINT64, "address": 8 | uctypes.UINT64}

# A FADT of ACPI 1.0 has 32 bits for the address of the DSDT; in frames.
_BELOW = const(1 << 20)


def _rounded(size):
    return (size + _ALIGN - 1) & -_ALIGN


def _seal(virt, size, at):
    """Set the checksum, `at` bytes from `virt` on, of `size` bytes there."""
    memory = uctypes.bytearray_at(virt, size)
    memory[at] = 0
    memory[at] = -sum(memory) & 0xFF


class _Copies:
    """Memory for copies, laid out one after the other from the address `phys` on."""

    def __init__(self, manager, phys):
        self._manager = manager
        self._next = phys

    def take(self, size):
        """Return the physical and the virtual address of `size` bytes."""
        phys = self._next
        self._next += _rounded(size)
        return phys, self._manager.as_virt(phys)

    def bytes(self, virt, size):
        """Copy `size` bytes from `virt`; return both addresses of the copy."""
        phys, copy = self.take(size)
        uctypes.bytearray_at(copy, size)[:] = uctypes.bytearray_at(virt, size)
        return phys, copy


def _copy(copies, pointer, listing, tables):
    """Copy all tables and the root; return the address of a response that points to them."""
    placed = [(table,) + copies.bytes(table.virt, table.size) for table in tables]
    listed = []
    for table, phys, virt in placed:
        if table.signature != "DSDT":
            listed.append(phys)
        if table.signature == "FACP":
            _redirect(table, virt, placed)
    size = acpi.HEADER_SIZE + len(listed) * _POINTER_SIZE
    xsdt, virt = copies.take(size)
    uctypes.bytearray_at(virt, acpi.HEADER_SIZE)[:] = uctypes.bytearray_at(
        listing.virt, acpi.HEADER_SIZE
    )
    uctypes.bytearray_at(virt, 4)[:] = b"XSDT"
    acpi.struct(virt, acpi.HEADER).length = size
    for number, phys in enumerate(listed):
        at = virt + acpi.HEADER_SIZE + number * _POINTER_SIZE
        acpi.struct(at, _POINTER).phys = phys
    _seal(virt, size, _CHECKSUM)
    _, virt = copies.take(_RSDP_SIZE)
    uctypes.bytearray_at(virt, _RSDP_1_SIZE)[:] = uctypes.bytearray_at(
        uctypes.addressof(pointer), _RSDP_1_SIZE
    )
    root = acpi.struct(virt, acpi.RSDP)
    root.revision = 2
    root.rsdt = 0
    root.length = _RSDP_SIZE
    root.xsdt = xsdt
    _seal(virt, _RSDP_1_SIZE, _RSDP_CHECKSUM)
    _seal(virt, _RSDP_SIZE, _RSDP_EXTENDED_CHECKSUM)
    _, response = copies.take(_RESPONSE_SIZE)
    acpi.struct(response, _RESPONSE).address = virt
    return response


def _redirect(fadt, virt, placed):
    """Make the copy at `virt` of the FADT point to the copy of the DSDT."""
    for table, phys, _ in placed:
        if table.signature == "DSDT":
            valid = fadt.valid
            acpi.struct(virt, acpi.FADT).dsdt = phys
            if fadt.holds(acpi.FADT_2):
                acpi.struct(virt, acpi.FADT_2).dsdt = phys
            if valid:
                _seal(virt, fadt.size, _CHECKSUM)


def move(manager):
    """Copy the tables to frames of `manager` and point `limine.response("rsdp")` to the copies.

    Does nothing where there are no usable tables, or where it was done.  Raises
    OutOfFramesError, MemoryError; then nothing was moved.
    """
    try:
        _, pointer = acpi.rsdp()
        listing, _ = acpi.root()
        tables = acpi.tables().found
    except acpi.ACPIError as error:
        manager.log.warning("no ACPI tables kept: {}", error)
        return
    if manager.identify(uctypes.addressof(pointer)).tag == owners.ACPI:
        return
    size = _rounded(acpi.HEADER_SIZE + len(tables) * _POINTER_SIZE)
    size += _rounded(_RSDP_SIZE) + _rounded(_RESPONSE_SIZE)
    size += sum([_rounded(table.size) for table in tables])
    pfn = manager.alloc_contiguous(
        (size + PAGE_SIZE - 1) // PAGE_SIZE, below=_BELOW, zero=True, tag=owners.ACPI
    )
    try:
        response = _copy(_Copies(manager, pfn * PAGE_SIZE), pointer, listing, tables)
    except BaseException as error:
        manager.free(pfn)
        raise error
    limine.move_response("rsdp", response)
