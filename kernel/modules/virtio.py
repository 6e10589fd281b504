# SPDX-License-Identifier: MIT OR Apache-2.0
"""What virtio devices on PCI have in common: structures, features, split virtqueues.

    for function in virtio.functions(0x1042, 0x1001):
        transport = virtio.Transport(function, "virtio block device")

Source: Virtual I/O Device (VIRTIO) 1.2: 2.7 split virtqueues, 3.1.1 initialisation, 4.1 PCI.
"""

import errno
import time

import machine
import micropython
import pci
from micropython import const

from pfm.address import signed

# 4.1.2.
_VENDOR = const(0x1AF4)
# PCI Local Bus Specification 3.0, 6.2.2: the command register's bit against interrupts by pin.
_INTERRUPT_DISABLE = const(1 << 10)

# 4.1.4: types of structures, and where the capability has the multiplier.
_COMMON = const(1)
_NOTIFY = const(2)
_DEVICE = const(4)
_NOTIFY_MULTIPLIER = const(16)

# 4.1.4.3: offsets in the common configuration.
_DEVICE_FEATURE_SELECT = const(0)
_DEVICE_FEATURE = const(4)
_DRIVER_FEATURE_SELECT = const(8)
_DRIVER_FEATURE = const(12)
_DEVICE_STATUS = const(20)
_QUEUE_SELECT = const(22)
_QUEUE_SIZE = const(24)
_QUEUE_MSIX_VECTOR = const(26)
_QUEUE_ENABLE = const(28)
_QUEUE_NOTIFY_OFF = const(30)
_QUEUE_DESC = const(32)
_QUEUE_DRIVER = const(40)
_QUEUE_DEVICE = const(48)

# 2.1: bits of the device status.
_ACKNOWLEDGE = const(1)
_DRIVER = const(2)
_DRIVER_OK = const(4)
_FEATURES_OK = const(8)
_NEEDS_RESET = const(64)
_FAILED = const(128)
# What a read of a device that is gone gives, of 8 bits.
_GONE = const(0xFF)

# 6: the feature of a device as 1.0 and later have it.
_F_VERSION_1 = const(1 << 32)

# 2.7.5: the size of a descriptor, and its flags.
DESC_SHIFT = const(4)
NEXT = const(1)
DEVICE_WRITES = const(2)
# 2.7.6.1: the flag of the available ring by which the device need not interrupt.
NO_INTERRUPT = const(1)

_RESET_MS = const(1000)


@micropython.viper
def describe(descriptor: int, phys: int, size: int, flags: int, after: int):
    """Write a descriptor (2.7.5): an address of 64 bits, a size, flags and the next one."""
    d = ptr32(descriptor)
    d[0] = phys
    d[1] = phys >> 32
    d[2] = size
    d[3] = flags | after << 16


@micropython.viper
def descriptor_phys(descriptor: int) -> int:
    """Return the address in a descriptor."""
    return int(ptr32(descriptor)[0]) | int(ptr32(descriptor)[1]) << 32


@micropython.viper
def descriptor_size(descriptor: int) -> int:
    """Return the size in a descriptor."""
    return int(ptr32(descriptor)[2])


@micropython.viper
def offer(avail: int, mask: int, head: int, notify: int, queue: int):
    """Put the chain that begins at `head` on the available ring and notify the device (2.7.13).

    The queue has `mask` + 1 descriptors and the number `queue`.
    """
    ring = ptr16(avail)
    index = int(ring[1])
    ring[2 + (index & mask)] = head
    # A processor of this architecture makes its stores visible in their order.
    ring[1] = index + 1
    ptr16(notify)[0] = queue


@micropython.viper
def _read8(virt: int) -> int:
    return int(ptr8(virt)[0])


@micropython.viper
def _write8(virt: int, value: int):
    ptr8(virt)[0] = value


class Transport:
    """A virtio device at the PCI `function`, reset; `kind` is what messages call it.

    `config` is the address of its own configuration, `status_virt` the one of its status.
    Raises OSError(ENODEV) for a device without the structures of virtio 1.0, and the errors
    of pci.
    """

    def __init__(self, function, kind):
        self.function = function
        self.kind = kind
        found = {}
        for capability in function.capabilities():
            if capability.id == pci.VENDOR_SPECIFIC:
                # 4.1.4: the first of a type is the one that the device prefers.
                found.setdefault(capability.virtio()[0], capability)
        for structure in (_COMMON, _NOTIFY, _DEVICE):
            if structure not in found:
                self.refuse("no structure of type {}, as virtio 1.0 has".format(structure))
        function.enable()
        command = function.read16(pci.COMMAND)
        function.write16(pci.COMMAND, command | _INTERRUPT_DISABLE)
        self._common = self._place(found[_COMMON])
        self._notify = self._place(found[_NOTIFY])
        self._multiplier = found[_NOTIFY].read32(_NOTIFY_MULTIPLIER)
        self.config = self._place(found[_DEVICE])
        self.status_virt = signed(self._common + _DEVICE_STATUS)
        self.reset()

    def _place(self, capability):
        _, bar, offset, _ = capability.virtio()
        return self.function.bar(bar) + offset

    def refuse(self, why):
        """Raise OSError(ENODEV) with the device's name and `why`."""
        raise OSError(errno.ENODEV, "{} {}: {}".format(self.kind, self.function.name, why))

    def _add_status(self, bit):
        machine.mem8[self.status_virt] = machine.mem8[self.status_virt] | bit

    @micropython.native
    def reset(self):
        """Reset the device, which gives up every frame (2.4); wait for it (4.1.4.3.2)."""
        _write8(self.status_virt, 0)
        start = time.ticks_ms()
        while _read8(self.status_virt) and time.ticks_diff(time.ticks_ms(), start) < _RESET_MS:
            pass

    @micropython.native
    def answers(self):
        """Return whether the device is there and in use (2.1.2).

        One that others have reset is not, nor is one that needs a reset.
        """
        status = _read8(self.status_virt)
        return status != _GONE and status & _DRIVER_OK and not status & _NEEDS_RESET

    def negotiate(self, wanted):
        """Agree on the features of the device that are among `wanted` (3.1.1); return them.

        Raises OSError(ENODEV) if the device agrees to none or is older than virtio 1.0.
        """
        self._add_status(_ACKNOWLEDGE)
        self._add_status(_DRIVER)
        wanted |= _F_VERSION_1
        features = 0
        for half in range(2):
            machine.mem32[self._common + _DEVICE_FEATURE_SELECT] = half
            offered = machine.mem32[self._common + _DEVICE_FEATURE]
            accepted = offered & (wanted >> 32 * half) & 0xFFFF_FFFF
            machine.mem32[self._common + _DRIVER_FEATURE_SELECT] = half
            machine.mem32[self._common + _DRIVER_FEATURE] = accepted
            features |= accepted << 32 * half
        if not features & _F_VERSION_1:
            self.refuse("it does not speak virtio 1.0")
        self._add_status(_FEATURES_OK)
        if not machine.mem8[self.status_virt] & _FEATURES_OK:
            self.refuse("it refuses the features 0x{:x}".format(features))
        return features

    def queue_size(self, queue):
        """Return the most descriptors of the virtqueue number `queue`, 0 if there is none."""
        machine.mem16[self._common + _QUEUE_SELECT] = queue
        return machine.mem16[self._common + _QUEUE_SIZE]

    def enable_queue(self, queue, size, phys, avail_phys, used_phys, vector=None):
        """Set up a virtqueue (4.1.5.1.3) of `size` descriptors; return where to notify the device.

        It is in zeroed memory: its descriptors at `phys`, and its rings.  `vector` is the
        number of the message that it sends, None for none.
        """
        machine.mem16[self._common + _QUEUE_SELECT] = queue
        machine.mem16[self._common + _QUEUE_SIZE] = size
        for register, address in (
            (_QUEUE_DESC, phys),
            (_QUEUE_DRIVER, avail_phys),
            (_QUEUE_DEVICE, used_phys),
        ):
            machine.mem32[self._common + register] = address & 0xFFFF_FFFF
            machine.mem32[self._common + register + 4] = address >> 32
        if vector is not None:
            machine.mem16[self._common + _QUEUE_MSIX_VECTOR] = vector
        at = machine.mem16[self._common + _QUEUE_NOTIFY_OFF] * self._multiplier
        machine.mem16[self._common + _QUEUE_ENABLE] = 1
        return signed(self._notify + at)

    def begin(self):
        """Let the device work: its queues are set up."""
        self._add_status(_DRIVER_OK)

    def give_up(self):
        """Tell the device that the driver cannot use it."""
        self._add_status(_FAILED)

    def close(self):
        """Reset the device, and let it not access memory any more."""
        self.reset()
        self.function.disable()


def functions(modern, transitional):
    """Return the PCI functions of virtio devices of a kind, in the order of their addresses.

    `modern` and `transitional` are the device's numbers: without the interface before 1.0
    (0x1040 and the type) or with it (4.1.2).  Cost: a look at the devices of the PCI buses.
    """
    return [
        function
        for function in pci.scan()
        if function.vendor == _VENDOR and function.device_id in (modern, transitional)
    ]
