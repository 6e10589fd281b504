# SPDX-License-Identifier: MIT OR Apache-2.0
"""The ways to the configuration space of PCI functions: by two ports, and in memory.

Source: PCI Local Bus Specification 3.0, 3.2.2.3.2; PCI Express Base Specification 5.0, 7.2.2.
"""

import acpi
import cpu
import machine
from micropython import const

from pfm import PFM
from pfm.lock import critical

# 3.2.2.3.2: configuration mechanism #1.
_ADDRESS_PORT = const(0xCF8)
_DATA_PORT = const(0xCFC)
_ENABLE = const(1 << 31)
_PORT_SPACE = const(256)

# PCI Express, 7.2.2: 4 KiB a function, 1 MiB a bus.
_BUS_SHIFT = const(20)
_MEMORY_SPACE = const(4096)


class _Ports:
    """Configuration space by mechanism #1: 256 bytes a function, on any PC."""

    size = _PORT_SPACE

    def buses(self):
        """Return the buses that can be addressed."""
        return 0, 255

    def read(self, address, offset, width):
        """Read `width` bytes; `address` is the bus, device and function as 16 bits."""
        with critical():
            cpu.outl(_ADDRESS_PORT, _ENABLE | address << 8 | offset & 0xFC)
            port = _DATA_PORT + offset % 4
            if width == 1:
                return cpu.inb(port)
            return cpu.inw(port) if width == 2 else cpu.inl(port)

    def write(self, address, offset, width, value):
        """Write `width` bytes."""
        with critical():
            cpu.outl(_ADDRESS_PORT, _ENABLE | address << 8 | offset & 0xFC)
            port = _DATA_PORT + offset % 4
            if width == 1:
                cpu.outb(port, value)
            elif width == 2:
                cpu.outw(port, value)
            else:
                cpu.outl(port, value)


class _Memory:
    """Configuration space in memory (MMCONFIG, ECAM): 4 KiB a function, by the table MCFG."""

    size = _MEMORY_SPACE

    def __init__(self, allocation):
        self._base_phys = allocation.base
        self._buses = allocation.first_bus, allocation.last_bus
        self._mapped = {}

    def buses(self):
        """Return the buses that can be addressed."""
        return self._buses

    def _at(self, address, offset):
        bus = address >> 8
        if bus not in self._mapped:
            # The allocation's base is that of bus 0, whatever its first bus is.
            phys = self._base_phys + (bus << _BUS_SHIFT)
            self._mapped[bus] = PFM.space.map_io(phys, 1 << _BUS_SHIFT)
        return self._mapped[bus] + ((address & 0xFF) << 12) + offset

    def read(self, address, offset, width):
        """Read `width` bytes; `address` is the bus, device and function as 16 bits."""
        return _memory_of(width)[self._at(address, offset)]

    def write(self, address, offset, width, value):
        """Write `width` bytes."""
        _memory_of(width)[self._at(address, offset)] = value


def _memory_of(width):
    if width == 1:
        return machine.mem8
    return machine.mem16 if width == 2 else machine.mem32


def by_ports():
    """Return the access to configuration space by ports."""
    return _Ports()


def by_memory():
    """Return the access to configuration space in memory, None if the machine has none."""
    try:
        for allocation in acpi.mcfg():
            if allocation.segment == 0:
                return _Memory(allocation)
    except acpi.ACPIError:
        pass
    return None
