"""A machine at its prompt, for tests that type at it."""

import contextlib
import json

import qemu
import repl

# Seconds for one machine, and without a byte from it, unless a test says more.
TIMEOUT = 300
SILENCE = 120

# Bytes of what a machine said last that go with its failure.
TAIL = 4000


class Raised(Exception):
    """What was run on the machine raised; its text is the traceback."""


class Prompt:
    """The prompt of a `qemu.Machine` that has just shown it; `report` is what it printed before."""

    def __init__(self, machine, micropython):
        self.machine = machine
        self._micropython = micropython
        self.report = machine.read_until(b"\n" + repl.PROMPT).decode(errors="replace")
        self._repl = repl.Repl(machine, micropython)

    def try_run(self, source):
        """Run source; its output and its traceback, "" if it raised nothing."""
        output, traceback = self._repl.run(source)
        return output.decode().replace("\r", ""), traceback.decode().replace("\r", "")

    def run(self, source):
        """Run source; its output.  Raises Raised."""
        output, traceback = self.try_run(source)
        if traceback:
            raise Raised(output + traceback)
        return output

    def value(self, expression):
        """The value of an expression that JSON can hold."""
        return json.loads(self.run(f"import json; print(json.dumps({expression}))"))

    def send(self, source):
        """Start source without waiting for its end; until `finish` or `restart` the machine is the caller's."""
        self._repl.send(source)

    def finish(self):
        """Wait for the end of what `send` started.  Raises Raised."""
        _, traceback = self._repl.follow()
        if traceback:
            raise Raised(traceback.decode())

    def restart(self):
        """Wait for the prompt after a soft reset that what `send` started has made."""
        self.machine.read_until(b"raw REPL; CTRL-B to exit\r\n>")
        self.machine.write(b"\x02")
        self.machine.read_until(b"\n" + repl.PROMPT)
        self._repl = repl.Repl(self.machine, self._micropython)

    def soft_reset(self, keys=b"\x04"):
        """Ctrl-D at the friendly prompt, or other keys that end there, and wait for the next one."""
        self._repl.exit()
        self.machine.write(keys)
        self.machine.read_until(b"MPY: soft reboot")
        self.machine.read_until(b"\n" + repl.PROMPT)
        self._repl = repl.Repl(self.machine, self._micropython)


@contextlib.contextmanager
def at_prompt(boot, micropython, timeout=TIMEOUT, silence=SILENCE, **options):
    """A `Prompt` on a machine that ends with the context; options are those of `qemu.Machine`."""
    with qemu.Machine(boot, timeout, silence=silence, **options) as machine:
        try:
            yield Prompt(machine, micropython)
        except (qemu.MachineEnded, qemu.MachineSilent) as error:
            error.add_note(
                "The machine said last:\n" + machine.transcript[-TAIL:].decode(errors="replace")
            )
            raise
