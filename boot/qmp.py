"""QMP, QEMU's monitor for programs: keys for the machine, pictures of its screen.

with qmp.Monitor(path) as monitor:
    monitor.send_key("shift", "a")
    monitor.screendump("build/screen.ppm", format="ppm")

QEMU listens with `qmp.listen(path)` among its options.
Source: QEMU's docs/interop/qmp-spec.rst and qapi/*.json.
"""

import json
import socket
import time

# Seconds until QEMU has made its socket, and for the answer to one command.
CONNECT_TIMEOUT = 20
ANSWER_TIMEOUT = 30

# PCI Code and ID Assignment Specification: the base class of display controllers.
PCI_DISPLAY = 0x03


class MonitorFailed(Exception):
    """QEMU refused a command, or did not answer; the message has both."""


def listen(path):
    """Return the options by which QEMU listens at this path, of 107 bytes at most."""
    return ["-qmp", f"unix:{path},server=on,wait=off"]


class Monitor:
    """A connection to the monitor at this path. Raises MonitorFailed."""

    def __init__(self, path):
        self._socket = self._connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._receive("greeting")
        self.command("qmp_capabilities")

    @staticmethod
    def _connect(path):
        deadline = time.monotonic() + CONNECT_TIMEOUT
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(ANSWER_TIMEOUT)
            try:
                connection.connect(path)
                return connection
            except OSError as e:
                connection.close()
                if time.monotonic() > deadline:
                    raise MonitorFailed(f"no monitor at {path}: {e}") from None
            time.sleep(0.01)

    def _receive(self, what):
        try:
            line = self._lines.readline()
        except OSError as e:
            raise MonitorFailed(f"{what}: {e}") from None
        if not line:
            raise MonitorFailed(f"{what}: QEMU has ended")
        return json.loads(line)

    def command(self, name, **arguments):
        """Return the answer to a command; events that come before it are dropped."""
        message = json.dumps({"execute": name, "arguments": arguments})
        try:
            self._socket.sendall(message.encode() + b"\n")
        except OSError as e:
            raise MonitorFailed(f"{name}: {e}") from None
        while True:
            answer = self._receive(name)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise MonitorFailed(f"{name}: {answer['error']['desc']}")

    def send_key(self, *codes):
        """Press these keys together, by their QKeyCode ("shift", "a", "ret"), and release them."""
        keys = [{"type": "qcode", "data": code} for code in codes]
        self.command("send-key", keys=keys)

    def screendump(self, path, format="png", device=None):
        """Write what a display shows to this file, as "png" or "ppm": the first, or the device of this id."""
        which = {"device": device} if device else {}
        self.command("screendump", filename=str(path), format=format, **which)

    def has_display(self):
        """Return whether a device on the PCI bus is a display.

        Without any, `screendump` shows a text console of QEMU's own."""
        buses = self.command("query-pci")
        classes = [device["class_info"]["class"] for bus in buses for device in bus["devices"]]
        return any(number >> 8 == PCI_DISPLAY for number in classes)

    def close(self):
        self._lines.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
