# SPDX-License-Identifier: MIT OR Apache-2.0
"""The ACPI tables: found, checked and printed.

    acpi.tables()
    acpi.find("HPET").struct(acpi.HPET).address.address

Source: ACPI Specification 6.5, 5.2 "ACPI System Description Tables".
"""

import limine
import uctypes
from micropython import const

from pfm import PFM, ArgumentError
from pfm.address import PAGE_SIZE
from pfm.machine import physical_bits
from pfm.units import human_size, phys_text

# Limine boot protocol, feature "RSDP".
_RSDP_RESPONSE = {"revision": 0 | uctypes.UINT64, "address": 8 | uctypes.UINT64}

# 5.2.5.3: the root pointer, whose first 20 bytes are those of ACPI 1.0.
RSDP = {
    "signature": (0 | uctypes.ARRAY, 8 | uctypes.UINT8),
    "checksum": 8 | uctypes.UINT8,
    "oem": (9 | uctypes.ARRAY, 6 | uctypes.UINT8),
    "revision": 15 | uctypes.UINT8,
    "rsdt": 16 | uctypes.UINT32,
    "length": 20 | uctypes.UINT32,
    "xsdt": 24 | uctypes.UINT64,
    "extended_checksum": 32 | uctypes.UINT8,
    "reserved": (33 | uctypes.ARRAY, 3 | uctypes.UINT8),
}
_RSDP_1_SIZE = const(20)
_RSDP_SIZE = const(36)
_RSDP_SIGNATURE = b"RSD PTR "

# 5.2.6: the header of every table.
HEADER = {
    "signature": (0 | uctypes.ARRAY, 4 | uctypes.UINT8),
    "length": 4 | uctypes.UINT32,
    "revision": 8 | uctypes.UINT8,
    "checksum": 9 | uctypes.UINT8,
    "oem": (10 | uctypes.ARRAY, 6 | uctypes.UINT8),
}
HEADER_SIZE = const(36)
# More is garbage.
_SIZE_MAX = const(16 << 20)

# 5.2.3.2, generic address structure, and its address spaces.
GAS = {
    "space": 0 | uctypes.UINT8,
    "bit_width": 1 | uctypes.UINT8,
    "bit_offset": 2 | uctypes.UINT8,
    "access_size": 3 | uctypes.UINT8,
    "address": 4 | uctypes.UINT64,
}
MEMORY = const(0)
PORT = const(1)
PCI = const(2)

# 5.2.9: signature FACP, as in ACPI 1.0.
FADT = {
    "facs": 36 | uctypes.UINT32,
    "dsdt": 40 | uctypes.UINT32,
    "sci_interrupt": 46 | uctypes.UINT16,
    "smi_command": 48 | uctypes.UINT32,
    "acpi_enable": 52 | uctypes.UINT8,
    "acpi_disable": 53 | uctypes.UINT8,
    "pm1a_control": 64 | uctypes.UINT32,
    "pm1b_control": 68 | uctypes.UINT32,
    "pm_timer": 76 | uctypes.UINT32,
    "century": 108 | uctypes.UINT8,
    "boot_flags": 109 | uctypes.UINT16,
    "flags": 112 | uctypes.UINT32,
}
# What ACPI 2.0 added to it.
FADT_2 = {
    "reset_register": (116, GAS),
    "reset_value": 128 | uctypes.UINT8,
    "facs": 132 | uctypes.UINT64,
    "dsdt": 140 | uctypes.UINT64,
    "pm1a_control": (172, GAS),
    "pm1b_control": (184, GAS),
    "pm_timer": (208, GAS),
    "gpe1": (232, GAS),
}

# 5.2.12: signature APIC, followed by structures.
MADT = {
    "local_apic": 36 | uctypes.UINT32,
    "flags": 40 | uctypes.UINT32,
}
MADT_STRUCTURE = {"type": 0 | uctypes.UINT8, "length": 1 | uctypes.UINT8}
# 5.2.12.2, type 0.
MADT_LOCAL_APIC = {
    "processor": 2 | uctypes.UINT8,
    "apic": 3 | uctypes.UINT8,
    "flags": 4 | uctypes.UINT32,
}
MADT_ENABLED = const(1)
# 5.2.12.12, type 9: in place of type 0 where the APIC's ID is above 254.
MADT_LOCAL_X2APIC = {
    "apic": 4 | uctypes.UINT32,
    "flags": 8 | uctypes.UINT32,
    "processor": 12 | uctypes.UINT32,
}
# 5.2.12.3, type 1.
MADT_IO_APIC = {
    "apic": 2 | uctypes.UINT8,
    "address": 4 | uctypes.UINT32,
    "first_interrupt": 8 | uctypes.UINT32,
}
# 5.2.12.5, type 2.
MADT_OVERRIDE = {
    "bus": 2 | uctypes.UINT8,
    "source": 3 | uctypes.UINT8,
    "interrupt": 4 | uctypes.UINT32,
    "flags": 8 | uctypes.UINT16,
}

# PCI Firmware Specification 3.3, 4.1.2: 44 bytes, followed by allocations.
_MCFG_SIZE = const(44)
MCFG_ALLOCATION = {
    "base": 0 | uctypes.UINT64,
    "segment": 8 | uctypes.UINT16,
    "first_bus": 10 | uctypes.UINT8,
    "last_bus": 11 | uctypes.UINT8,
    "reserved": 12 | uctypes.UINT32,
}

# IA-PC HPET Specification 1.0a, 3.2.4.
HPET = {
    "id": 36 | uctypes.UINT32,
    "address": (40, GAS),
    "number": 52 | uctypes.UINT8,
    "minimum_tick": 53 | uctypes.UINT16,
    "attributes": 55 | uctypes.UINT8,
}


# Where tables are mapped: the frame manager, or what stands in for it before its `init`.
memory = PFM


class ACPIError(Exception):
    """The ACPI structure at the physical address `phys` cannot be used; `why` says why."""

    def __init__(self, phys, why):
        super().__init__("{}: {}".format(phys_text(phys), why))
        self.phys = phys
        self.why = why


def struct(virt, layout):
    """Return the bytes at `virt` as a `uctypes.struct`; fields need not be aligned."""
    return uctypes.struct(virt, layout, uctypes.LITTLE_ENDIAN)


def _map(phys, size):
    """Return the virtual address of `size` bytes of memory, mapped read-only if not mapped yet."""
    if not phys or (phys + size) >> physical_bits():
        raise ACPIError(phys, "no physical address of this processor")
    try:
        for page in range(phys & -PAGE_SIZE, phys + size, PAGE_SIZE):
            virt = memory.as_virt(page)
            if memory.space.query(virt) is None:
                memory.space.map(virt, page, 1)
    except ArgumentError:
        raise ACPIError(phys, "beyond the HHDM")
    return memory.as_virt(phys)


def checksum(virt, size):
    """Return the sum of `size` bytes modulo 256: 0 if they are as their checksum says."""
    return sum(uctypes.bytearray_at(virt, size)) & 0xFF


class Table:
    """A table: `signature`, `revision`, `oem`, `size` in bytes, `phys` and `virt` of its header.

    Raises ACPIError if no table can be there.
    """

    def __init__(self, phys):
        header = struct(_map(phys, HEADER_SIZE), HEADER)
        size = header.length
        if not HEADER_SIZE <= size <= _SIZE_MAX:
            raise ACPIError(phys, "a table of {} bytes".format(size))
        self.phys = phys
        self.virt = _map(phys, size)
        self.size = size
        self.signature = _text(header.signature)
        self.revision = header.revision
        self.oem = _text(header.oem)

    @property
    def valid(self):
        """Whether the checksum is right.  Cost: a look at each byte."""
        return not checksum(self.virt, self.size)

    def holds(self, layout):
        """Return whether the table is long enough for `layout`."""
        return uctypes.sizeof(layout, uctypes.LITTLE_ENDIAN) <= self.size

    def struct(self, layout):
        """Return the table by one of this module's layouts.

        Raises ACPIError if it is too short for it.
        """
        if not self.holds(layout):
            raise ACPIError(self.phys, "{} has only {} bytes".format(self.signature, self.size))
        return struct(self.virt, layout)

    def __repr__(self):
        return "{:<4}  {} {:>9} {:>3}  {:<6}  {}".format(
            self.signature,
            phys_text(self.phys),
            human_size(self.size),
            self.revision,
            self.oem,
            "valid" if self.valid else "wrong",
        )


class Tables:
    """The tables that there are; iterate over `found`, or print it.

    `refused` are the errors of those that cannot be used.
    """

    def __init__(self):
        self.found = []
        self.refused = []

    def _add(self, phys):
        try:
            self.found.append(Table(phys))
        except ACPIError as error:
            self.refused.append(error)

    def __iter__(self):
        return iter(self.found)

    def __repr__(self):
        lines = ["Table Address             Size Rev  OEM     Checksum"]
        lines += [repr(table) for table in self.found]
        lines += [str(error) for error in self.refused]
        return "\n".join(lines)


def _text(array):
    """Return bytes of a table as text, without the spaces and zeros that fill them up."""
    return "".join([chr(c) if 32 <= c < 127 else "" for c in array]).rstrip()


def rsdp():
    """Return the root pointer as (physical address, its struct by RSDP).

    Raises ACPIError if the loader gave none or it is garbled.
    """
    response = limine.response("rsdp")
    if response is None:
        raise ACPIError(0, "the loader gave no root pointer")
    # The protocol's base revision 3 gives a physical address, the others one in the HHDM.
    phys = struct(response, _RSDP_RESPONSE).address
    if phys >= memory.hhdm:
        phys = memory.as_phys(phys)
    virt = _map(phys, _RSDP_1_SIZE)
    pointer = struct(virt, RSDP)
    if bytes(pointer.signature) != _RSDP_SIGNATURE or checksum(virt, _RSDP_1_SIZE):
        raise ACPIError(phys, "no root pointer")
    if pointer.revision >= 2:
        _map(phys, _RSDP_SIZE)
    return phys, pointer


def root():
    """Return the table that lists the others, and the size of an entry in it in bytes."""
    _, pointer = rsdp()
    if pointer.revision >= 2 and pointer.xsdt:
        return Table(pointer.xsdt), 8
    return Table(pointer.rsdt), 4


def tables():
    """Return the tables that the root table lists, and the DSDT, as `Tables`.

    Raises ACPIError if there is no root.  Cost: a few walks over page tables per table.
    """
    listing, size = root()
    result = Tables()
    entry = {"phys": 0 | (uctypes.UINT64 if size == 8 else uctypes.UINT32)}
    for at in range(HEADER_SIZE, listing.size - size + 1, size):
        result._add(struct(listing.virt + at, entry).phys)
    for table in result.found:
        if table.signature == "FACP":
            result._add(dsdt(table))
            break
    return result


def dsdt(fadt):
    """Return the physical address of the DSDT that the table `fadt` names, 0 for none."""
    wide = fadt.struct(FADT_2).dsdt if fadt.holds(FADT_2) else 0
    return wide or fadt.struct(FADT).dsdt


def find(signature, number=0):
    """Return the table with that signature, the first one or a later one; None for none.

    Raises ACPIError as `tables`.
    """
    for table in tables():
        if table.signature == signature:
            if not number:
                return table
            number -= 1
    return None


def madt():
    """Yield (type, address, length) of each structure in the MADT, if there is one."""
    table = find("APIC")
    at = uctypes.sizeof(MADT, uctypes.LITTLE_ENDIAN)
    while table and at + 2 <= table.size:
        structure = struct(table.virt + at, MADT_STRUCTURE)
        if structure.length < 2 or at + structure.length > table.size:
            raise ACPIError(table.phys + at, "a structure of {} bytes".format(structure.length))
        yield structure.type, table.virt + at, structure.length
        at += structure.length


def mcfg():
    """Return the ranges of PCI configuration space in memory, each by MCFG_ALLOCATION."""
    table = find("MCFG")
    if table is None:
        return []
    size = uctypes.sizeof(MCFG_ALLOCATION, uctypes.LITTLE_ENDIAN)
    return [
        struct(table.virt + at, MCFG_ALLOCATION)
        for at in range(_MCFG_SIZE, table.size - size + 1, size)
    ]
