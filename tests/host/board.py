"""A booted kernel as a board at a serial device, for the tools of other people."""

import os
import select
import subprocess
import termios
import time
import tty

import qemu
import repl

# Seconds until QEMU names its device, and from there until the prompt shows.
DEVICE_TIMEOUT = 20
PROMPT_TIMEOUT = 120
# QEMU looks once a second whether anyone has opened the device; until then output is lost.
ASK_AGAIN = 1


class BoardFailed(Exception):
    """The machine did not get as far as a prompt; says how far."""


class Board(qemu.Process):
    """A machine with its virtio console at `device`, a pty that this process leaves alone.

    Or, without a console, with its serial port there.  As any qemu.Process it ends with its context, and after timeout seconds.
    Raises BoardFailed."""

    def __init__(self, boot, timeout, console=True):
        if console:
            argv = qemu.command(boot, "null", qemu.console("pty"))
        else:
            argv = qemu.command(boot, "pty")
        super().__init__(argv, timeout, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            name = qemu.CONSOLE if console else qemu.SERIAL
            self.device = qemu.read_device(self, DEVICE_TIMEOUT, name)
            if self.device is None:
                raise BoardFailed(f"no device named within {DEVICE_TIMEOUT} s: {self.complaint()}")
            self._wait_for_prompt()
        except BaseException:
            self.close()
            raise

    def _wait_for_prompt(self):
        came = b""
        deadline = time.monotonic() + PROMPT_TIMEOUT
        line = os.open(self.device, os.O_RDWR | os.O_NOCTTY)
        try:
            tty.setraw(line, termios.TCSANOW)
            while not came.endswith(b"\n" + repl.PROMPT):
                if time.monotonic() > deadline:
                    raise BoardFailed(f"no prompt within {PROMPT_TIMEOUT} s: {came}")
                if select.select([line], [], [], ASK_AGAIN)[0]:
                    came += os.read(line, 4096)
                else:
                    os.write(line, b"\r")
        except OSError as e:
            raise BoardFailed(f"the machine ended: {e}; it said: {came}") from None
        finally:
            os.close(line)
