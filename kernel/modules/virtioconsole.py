# SPDX-License-Identifier: MIT OR Apache-2.0
"""The first virtio console on PCI, which input and output use beside the serial port.

This sets it up, once; then kernel/virtioconsole.c serves its queues, across soft resets too.
Source: Virtual I/O Device (VIRTIO) 1.2: 5.3 console device; `virtio` has what all devices share.
"""

import time

import apic
import kernel
import machine
import owners
import uctypes
import virtio
from micropython import const

from pfm import PFM
from pfm.address import PAGE_SHIFT, PAGE_SIZE, signed
from pfm.lock import critical

# 4.1.2 and 5.3.1: a console without the interface before 1.0, or with it.
_MODERN = const(0x1043)
_TRANSITIONAL = const(0x1003)

# 5.3.3: the feature of several ports, as a bit.
_F_MULTIPORT = const(1 << 1)

# 5.3.2: the queues of control messages, and the first of the two of a port.
_CONTROL_RECEIVE = const(2)
_CONTROL_TRANSMIT = const(3)
_PORT_QUEUES = (0, 4)

# 5.3.6.2: a control message is the port's number, 4 bytes, an event and its value, and for a
# name its text.
_DEVICE_READY = const(0)
_DEVICE_ADD = const(1)
_PORT_READY = const(3)
_CONSOLE_PORT = const(4)
_PORT_OPEN = const(6)
_PORT_NAME = const(7)
_MESSAGE = {"port": 0 | uctypes.UINT32, "event": 4 | uctypes.UINT16, "value": 6 | uctypes.UINT16}
_MESSAGE_SIZE = const(8)

# The name by which QEMU's virtserialport is taken for the console.
_NAME = b"console"

# Of each queue: how many descriptors, and where its rings are (kernel/virtioconsole.c).
_QUEUE_SIZE = const(8)
_AVAIL = const(128)
_USED = const(160)

# The frames: queues and control messages; buffers of 512 bytes, received and transmitted.
_QUEUE_SHIFT = const(8)
_CONTROL = const(2048)
_CONTROL_SIZE = const(64)
_SEND = const(2560)
_BUFFER_SIZE = const(512)
_FRAMES = const(3)

# The host may be slow to answer a control message.
_ANSWER_MS = const(3000)


class _Queue:
    """A virtqueue whose descriptors have a buffer each, of `size` bytes from `buffers` on."""

    def __init__(self, transport, number, page, buffers, size, flags, vector=None):
        virt = page + (number << _QUEUE_SHIFT)
        phys = PFM.as_phys(virt)
        self.number = number
        self.virt = virt
        self.buffers = buffers
        self._size = size
        for at in range(_QUEUE_SIZE):
            virtio.describe(
                signed(virt + (at << virtio.DESC_SHIFT)),
                signed(PFM.as_phys(buffers + at * size)),
                size,
                flags,
                0,
            )
        machine.mem16[virt + _AVAIL] = virtio.NO_INTERRUPT
        self._seen = 0
        self.notify_virt = transport.enable_queue(
            number, _QUEUE_SIZE, phys, phys + _AVAIL, phys + _USED, vector
        )

    def offer(self, at):
        """Let the device have the descriptor `at` and its buffer."""
        virtio.offer(
            signed(self.virt + _AVAIL), _QUEUE_SIZE - 1, at, self.notify_virt, self.number
        )

    def offer_all(self):
        """Let the device have all descriptors."""
        for at in range(_QUEUE_SIZE):
            self.offer(at)

    def take(self):
        """Return the next descriptor that the device has used, and how many bytes it has written.

        None if it has used no further one.
        """
        used = self.virt + _USED
        if machine.mem16[used + 2] == self._seen & 0xFFFF:
            return None
        element = used + 4 + 8 * (self._seen % _QUEUE_SIZE)
        self._seen += 1
        return machine.mem32[element] % _QUEUE_SIZE, min(machine.mem32[element + 4], self._size)

    def parts(self):
        """Return what kernel.console() takes."""
        return self.virt, self.buffers, self.notify_virt, self.number


class _Control:
    """The control messages of a device with several ports."""

    def __init__(self, transport, page):
        size = _CONTROL_SIZE
        writes = virtio.DEVICE_WRITES
        self._received = _Queue(transport, _CONTROL_RECEIVE, page, page + _CONTROL, size, writes)
        self._sent = _Queue(transport, _CONTROL_TRANSMIT, page, page + _SEND, _MESSAGE_SIZE, 0)
        self._next = 0

    def begin(self):
        """Let the device send the messages that it has."""
        self._received.offer_all()
        self.send(0, _DEVICE_READY, 1)

    def send(self, port, event, value):
        """Send a message, and wait until the device has it.  Returns whether it has."""
        message = uctypes.struct(self._sent.buffers + self._next * _MESSAGE_SIZE, _MESSAGE)
        message.port = port
        message.event = event
        message.value = value
        self._sent.offer(self._next)
        self._next = (self._next + 1) % _QUEUE_SIZE
        return _wait(self._sent.take) is not None

    def receive(self):
        """Return the next message, as (port, event, text); None if none comes."""
        found = _wait(self._received.take)
        if found is None:
            return None
        at, length = found
        virt = self._received.buffers + at * _CONTROL_SIZE
        message = uctypes.struct(virt, _MESSAGE)
        text = bytes(uctypes.bytearray_at(virt + _MESSAGE_SIZE, max(0, length - _MESSAGE_SIZE)))
        answer = message.port, message.event, text
        self._received.offer(at)
        return answer

    def find_port(self):
        """Return which port is the console: one with its name, or port 0 (5.3.5); None for none."""
        self.begin()
        while True:
            message = self.receive()
            if message is None:
                return None
            port, event, text = message
            if port >= len(_PORT_QUEUES):
                continue
            if event == _DEVICE_ADD:
                self.send(port, _PORT_READY, 1)
            elif event == _CONSOLE_PORT or (event == _PORT_NAME and text.rstrip(b"\0") == _NAME):
                return port


def _wait(look):
    """Return what `look` returns when it is not None, or None if that takes too long."""
    start = time.ticks_ms()
    while True:
        found = look()
        if found is not None or time.ticks_diff(time.ticks_ms(), start) >= _ANSWER_MS:
            return found


def _route(function):
    """Have the device end a halt by a message; return the message's number, None if it cannot."""
    message = apic.message(PFM)
    if message is None or not function.send_messages(0, *message):
        return None
    return 0


def _open(function):
    """Set up the console at a PCI function and hand it to C."""
    transport = virtio.Transport(function, "virtio console")
    # Those of a console that is gone, which this was until it was reset.
    for block in PFM.blocks("used", tag=owners.CONSOLE):
        PFM.free(block.pfn)
    frames = 0
    try:
        several = transport.negotiate(_F_MULTIPORT) & _F_MULTIPORT
        frames = PFM.alloc_contiguous(_FRAMES, zero=True, tag=owners.CONSOLE)
        page = PFM.as_virt(frames << PAGE_SHIFT)
        vector = _route(function)
        ports = []
        for number in _PORT_QUEUES if several else _PORT_QUEUES[:1]:
            if transport.queue_size(number) < _QUEUE_SIZE:
                break
            ports.append(_queues(transport, number, page, vector))
        control = _Control(transport, page) if several else None
        transport.begin()
        port = control.find_port() if several else 0
        if port is None or port >= len(ports):
            transport.refuse("it has no port that is a console")
        received, sent = ports[port]
        received.offer_all()
        if several:
            control.send(port, _PORT_OPEN, 1)
        kernel.console(received.parts(), sent.parts(), transport.status_virt)
    except BaseException as error:
        transport.give_up()
        transport.close()
        if frames:
            PFM.free(frames)
        raise error


def _queues(transport, number, page, vector):
    """Set up the queues of a port, from `number` on: received, and transmitted."""
    buffers = page + PAGE_SIZE
    received = _Queue(transport, number, page, buffers, _BUFFER_SIZE, virtio.DEVICE_WRITES, vector)
    return received, _Queue(transport, number + 1, page, buffers + PAGE_SIZE, _BUFFER_SIZE, 0)


def start():
    """Start the first virtio console, if there is one; return a line if that fails, else None.

    Does nothing while one is in use.  Further ones are left alone.  Cost: a look at the devices
    of the PCI buses, and three frames with the tag `owners.CONSOLE`.
    """
    if kernel.console():
        return None
    try:
        with critical():
            for function in virtio.functions(_MODERN, _TRANSITIONAL)[:1]:
                _open(function)
    except Exception as error:
        return "Console: not used: {}".format(error.args[-1] if error.args else repr(error))
    return None
