# SPDX-License-Identifier: MIT OR Apache-2.0
"""PCI: the functions that there are, their configuration space, BARs and capabilities.

    pci.scan()
    disk = pci.find(0x1AF4, 0x1042)
    disk.enable()
    virt = disk.bar(4)

Source: PCI Local Bus Specification 3.0, chapter 6; PCI Express Base Specification 5.0, 7.2.
"""

import machine
from micropython import const
from pciaccess import by_memory, by_ports
from pciclasses import class_name

from pfm import PFM
from pfm.lock import critical
from pfm.units import human_size, phys_text

_DEVICES = const(32)
_FUNCTIONS = const(8)

# 6.1: offsets in the header.
VENDOR = const(0x00)
DEVICE = const(0x02)
COMMAND = const(0x04)
STATUS = const(0x06)
REVISION = const(0x08)
PROGRAMMING = const(0x09)
CLASS = const(0x0A)
HEADER_TYPE = const(0x0E)
BAR0 = const(0x10)
SECONDARY_BUS = const(0x19)
SUBSYSTEM_VENDOR = const(0x2C)
SUBSYSTEM = const(0x2E)
CAPABILITIES = const(0x34)
INTERRUPT_LINE = const(0x3C)
INTERRUPT_PIN = const(0x3D)

_NO_VENDOR = const(0xFFFF)
_MULTIFUNCTION = const(0x80)
_BRIDGE_HEADER = const(1)
# BARs by the header's type: of a device, of a bridge.
_BARS = (6, 2)

# 6.2.2, the command register.
IO_SPACE = const(1 << 0)
MEMORY_SPACE = const(1 << 1)
BUS_MASTER = const(1 << 2)
# 6.2.3, the status register: there is a list of capabilities.
_CAPABILITIES_LIST = const(1 << 4)
# What follows the header, in capabilities of 4 bytes: no list is longer.
_CAPABILITIES_MAX = const(48)

# 6.2.5.1, a BAR's lowest bits.
_BAR_IO = const(1 << 0)
_BAR_TYPE_MASK = const(6)
_BAR_64_BITS = const(4)
_BAR_PREFETCHABLE = const(1 << 3)
_IO_ADDRESS = const(0xFFFF_FFFC)
_MEMORY_ADDRESS = const(0xFFFF_FFF0)

# PCI Code and ID Assignment Specification: a capability, and a base class with a sub-class.
VENDOR_SPECIFIC = const(0x09)
_HOST_BRIDGE = const(0x0600)

# 6.8.2: the capability MSI-X, its control, the place of its table, an entry of which has 16 bytes.
MSIX = const(0x11)
_MSIX_CONTROL = const(2)
_MSIX_LAST = const(0x7FF)
_MSIX_ENABLE = const(1 << 15)
_MSIX_MASK_ALL = const(1 << 14)
_MSIX_TABLE = const(4)
_MSIX_BAR_MASK = const(7)
_MSIX_ENTRY_SHIFT = const(4)

# Virtio 1.2, 4.1.4: struct virtio_pci_cap.
_VIRTIO_TYPE = const(3)
_VIRTIO_BAR = const(4)
_VIRTIO_OFFSET = const(8)
_VIRTIO_LENGTH = const(12)


class PCIError(Exception):
    """The `function` cannot be used as asked; `why` says why."""

    def __init__(self, function, why):
        super().__init__("PCI {}: {}".format(function.name, why))
        self.function = function
        self.why = why


_access = None


def _usual():
    """Return the access for functions made without one: in memory if possible."""
    global _access
    if _access is None:
        _access = by_memory() or by_ports()
    return _access


class BAR:
    """A base address register: `number`, `size` in bytes, and what it maps.

    `port` is the first port, or None; `phys` the physical address of memory, or None.  Both are
    0 if the firmware assigned none.  `prefetchable` and `wide` (64 bits) are for memory.
    """

    def __init__(self, number, port, phys, size, prefetchable, wide):
        self.number = number
        self.port = port
        self.phys = phys
        self.size = size
        self.prefetchable = prefetchable
        self.wide = wide

    def __repr__(self):
        if self.phys is None:
            return "BAR {}: ports 0x{:x}, {}".format(self.number, self.port, human_size(self.size))
        return "BAR {}: {}, {}{}{}".format(
            self.number,
            phys_text(self.phys),
            human_size(self.size),
            ", 64 bits" if self.wide else "",
            ", prefetchable" if self.prefetchable else "",
        )


class Capability:
    """A capability: `id`, and `offset` in the configuration space of its `function`."""

    def __init__(self, function, offset):
        self.function = function
        self.offset = offset
        self.id = function.read8(offset)

    @property
    def next(self):
        """The offset of the next one, 0 at the end."""
        return self.function.read8(self.offset + 1) & 0xFC

    @property
    def length(self):
        """The length in bytes, which only a vendor specific one has."""
        return self.function.read8(self.offset + 2)

    def read8(self, at):
        """Read the byte `at` bytes after the capability's start."""
        return self.function.read8(self.offset + at)

    def read16(self, at):
        """Read 16 bits there."""
        return self.function.read16(self.offset + at)

    def read32(self, at):
        """Read 32 bits there."""
        return self.function.read32(self.offset + at)

    def virtio(self):
        """Return (type, BAR, offset, length) of a virtio device's structure (Virtio 1.2, 4.1.4)."""
        return (
            self.read8(_VIRTIO_TYPE),
            self.read8(_VIRTIO_BAR),
            self.read32(_VIRTIO_OFFSET),
            self.read32(_VIRTIO_LENGTH),
        )

    def __repr__(self):
        return "capability 0x{:02x} at 0x{:02x}".format(self.id, self.offset)


class Function:
    """A function of a device: `bus`, `device`, `function`, and `vendor`, `device_id`, `class_code`.

    `class_code` is the base class and the sub-class as 16 bits, `present` whether there is such
    a function.  `access` is by_memory() or by_ports(), by default whatever the machine has.
    """

    def __init__(self, bus, device, function=0, access=None):
        for value, limit in ((bus, 256), (device, _DEVICES), (function, _FUNCTIONS)):
            if not 0 <= value < limit:
                raise ValueError("no PCI function {}:{}.{}".format(bus, device, function))
        self.bus = bus
        self.device = device
        self.function = function
        self._access = access or _usual()
        self._address = bus << 8 | device << 3 | function
        self._bars = None
        self.vendor = self.read16(VENDOR)
        self.present = self.vendor != _NO_VENDOR
        self.device_id = self.read16(DEVICE)
        self.class_code = self.read16(CLASS)

    def _offset(self, offset, width):
        if not 0 <= offset <= self._access.size - width or offset % width:
            raise PCIError(self, "no {} bytes at offset 0x{:x}".format(width, offset))
        return offset

    def read8(self, offset):
        """Read a byte of configuration space.  Raises PCIError for a bad offset, as all these."""
        return self._access.read(self._address, self._offset(offset, 1), 1)

    def read16(self, offset):
        """Read 16 bits at a multiple of 2."""
        return self._access.read(self._address, self._offset(offset, 2), 2)

    def read32(self, offset):
        """Read 32 bits at a multiple of 4."""
        return self._access.read(self._address, self._offset(offset, 4), 4)

    def write8(self, offset, value):
        """Write a byte of configuration space."""
        self._access.write(self._address, self._offset(offset, 1), 1, value)

    def write16(self, offset, value):
        """Write 16 bits at a multiple of 2."""
        self._access.write(self._address, self._offset(offset, 2), 2, value)

    def write32(self, offset, value):
        """Write 32 bits at a multiple of 4."""
        self._access.write(self._address, self._offset(offset, 4), 4, value)

    @property
    def name(self):
        """Where it is, as `"00:1f.2"`."""
        return "{:02x}:{:02x}.{}".format(self.bus, self.device, self.function)

    @property
    def class_name(self):
        """The name of its class."""
        return class_name(self.class_code)

    @property
    def header(self):
        """The type of its header: 0 a device, 1 a bridge between PCI buses."""
        return self.read8(HEADER_TYPE) & ~_MULTIFUNCTION

    def enable(self, master=True):
        """Let it answer at its BARs and, with `master`, access memory by itself (DMA)."""
        bits = IO_SPACE | MEMORY_SPACE | (BUS_MASTER if master else 0)
        self.write16(COMMAND, self.read16(COMMAND) | bits)

    def disable(self):
        """Let it not access memory by itself any more."""
        self.write16(COMMAND, self.read16(COMMAND) & ~BUS_MASTER)

    def capabilities(self):
        """Return its list of `Capability`.  Raises PCIError if the list has no end."""
        found = []
        if self.read16(STATUS) & _CAPABILITIES_LIST:
            at = self.read8(CAPABILITIES) & 0xFC
            while at:
                if len(found) == _CAPABILITIES_MAX:
                    raise PCIError(self, "its list of capabilities has no end")
                found.append(Capability(self, at))
                at = found[-1].next
        return found

    def bars(self):
        """Return its BARs as a list of `BAR`, those of a host bridge excepted.

        The first call measures them: meanwhile the function does not answer at its BARs, and
        interrupts are off.
        """
        if self._bars is None:
            header = self.header
            # A host bridge may decode RAM, which must not stop.
            if header < len(_BARS) and self.class_code != _HOST_BRIDGE:
                self._bars = self._measure(_BARS[header])
            else:
                self._bars = []
        return self._bars

    def _measure(self, count):
        found = []
        with critical():
            command = self.read16(COMMAND)
            self.write16(COMMAND, command & ~(IO_SPACE | MEMORY_SPACE))
            try:
                number = 0
                while number < count:
                    bar = self._measure_one(number, number + 1 < count)
                    if bar is not None:
                        found.append(bar)
                        number += bar.wide
                    number += 1
            finally:
                self.write16(COMMAND, command)
        return found

    def _size_bits(self, offset):
        """Return a BAR, and what remains of all ones written to it."""
        value = self.read32(offset)
        try:
            self.write32(offset, 0xFFFF_FFFF)
            return value, self.read32(offset)
        finally:
            self.write32(offset, value)

    def _measure_one(self, number, more):
        offset = BAR0 + 4 * number
        value, mask = self._size_bits(offset)
        if value & _BAR_IO:
            mask &= _IO_ADDRESS
            if not mask:
                return None
            return BAR(number, value & _IO_ADDRESS, None, mask & -mask, False, False)
        wide = value & _BAR_TYPE_MASK == _BAR_64_BITS and more
        phys = value & _MEMORY_ADDRESS
        mask &= _MEMORY_ADDRESS
        if wide:
            high, high_mask = self._size_bits(offset + 4)
            phys |= high << 32
            mask |= high_mask << 32
        if not mask:
            return None
        # A size is a power of two: the lowest address bit that could be written.
        return BAR(number, None, phys, mask & -mask, bool(value & _BAR_PREFETCHABLE), wide)

    def bar(self, number):
        """Map the memory of a BAR, uncacheable, and return its virtual address.

        Raises PCIError if the BAR maps no memory or has no address, and what `map_io` raises.
        """
        for bar in self.bars():
            if bar.number == number:
                if not bar.phys:
                    raise PCIError(self, "{!r} has no memory address".format(bar))
                return PFM.space.map_io(bar.phys, bar.size)
        raise PCIError(self, "no BAR {}".format(number))

    def send_messages(self, number, phys, data):
        """Have it send its interrupt `number` as a message: a write of `data`, 32 bits, at `phys`.

        Returns False if it has no such message (MSI-X).  Its other messages stay masked.
        Raises PCIError and what `map_io` raises.
        """
        for capability in self.capabilities():
            if capability.id == MSIX:
                control = capability.read16(_MSIX_CONTROL)
                if number > control & _MSIX_LAST:
                    return False
                place = capability.read32(_MSIX_TABLE)
                entry = self.bar(place & _MSIX_BAR_MASK) + (place & ~_MSIX_BAR_MASK)
                entry += number << _MSIX_ENTRY_SHIFT
                for at, value in enumerate((phys & 0xFFFF_FFFF, phys >> 32, data, 0)):
                    machine.mem32[entry + 4 * at] = value
                control = control & ~_MSIX_MASK_ALL | _MSIX_ENABLE
                self.write16(capability.offset + _MSIX_CONTROL, control)
                return True
        return False

    def __repr__(self):
        return "{}  {:04x}   {:04x}   {:02x}.{:02x}  {}".format(
            self.name,
            self.vendor,
            self.device_id,
            self.class_code >> 8,
            self.class_code & 0xFF,
            self.class_name,
        )


class Functions(list):
    """The functions that `scan` found; prints as a table."""

    def __repr__(self):
        lines = ["Address  Vendor Device Class  Name"]
        for function in self:
            lines.append(repr(function))
            lines += ["         " + repr(bar) for bar in function.bars()]
        return "\n".join(lines)

    def __str__(self):
        return repr(self)


def scan(buses=(0,), access=None):
    """Return every function on these buses and on those behind bridges, as `Functions`.

    A machine with a second host bridge has further buses that no bridge leads to: `buses=
    range(256)` finds them too.  Cost: a read per device that a bus could have.
    """
    access = access or _usual()
    first, last = access.buses()
    waiting = [bus for bus in buses if first <= bus <= last]
    seen = set()
    found = Functions()
    while waiting:
        bus = waiting.pop(0)
        if bus in seen:
            continue
        seen.add(bus)
        for device in range(_DEVICES):
            for number in range(_FUNCTIONS):
                function = Function(bus, device, number, access)
                if function.present:
                    found.append(function)
                    if function.header == _BRIDGE_HEADER:
                        below = function.read8(SECONDARY_BUS)
                        if bus < below <= last:
                            waiting.append(below)
                if not number and not (
                    function.present and function.read8(HEADER_TYPE) & _MULTIFUNCTION
                ):
                    break
    return found


def find(vendor, device_id, number=0):
    """Return the function with these numbers, the first one or a later one; None for none."""
    for function in scan():
        if function.vendor == vendor and function.device_id == device_id:
            if not number:
                return function
            number -= 1
    return None
