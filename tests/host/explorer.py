"""The frame manager on the unix port, in one process that answers many questions."""

import json
import select
import subprocess

import qemu

UNIX_PORT = qemu.ROOT / "build" / "unix" / "micropython"
SERVER = qemu.ROOT / "tests" / "unit" / "server.py"

# Seconds an answer may take, and requests after which memory is given back by a new process.
ANSWER_TIMEOUT = 60
REQUESTS_MAX = 200_000


class ServerDied(Exception):
    """The server ended or was silent; says at which request and what it printed last."""


class Refused(Exception):
    """An error of the manager's: its name, and the attributes that can be compared."""

    def __init__(self, name, shown):
        super().__init__(f"{name} {shown}")
        self.name = name
        self.shown = shown


class Explorer:
    """`ask` it; what was asked is kept in no file, hypothesis shows it."""

    def __init__(self):
        self._process = None
        self._asked = 0

    def _start(self):
        self.close()
        self._asked = 0
        self._process = subprocess.Popen(
            [str(UNIX_PORT), "-X", "heapsize=32M", str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )

    def ask(self, *request):
        """What the request returned.  Raises Refused and ServerDied."""
        if self._process is None or (request[0] == "boot" and self._asked > REQUESTS_MAX):
            self._start()
        self._asked += 1
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            ready = select.select([self._process.stdout], [], [], ANSWER_TIMEOUT)[0]
            data = self._process.stdout.read(1 << 16) if ready else b""
            line += data
            if not data:
                self.close()
                raise ServerDied(f"at {request}: {line.decode(errors='replace') or 'silence'}")
        try:
            kind, *answer = json.loads(line)
        except ValueError:
            self.close()
            raise ServerDied(f"at {request}: {line.decode(errors='replace')}") from None
        if kind == "error":
            raise Refused(*answer)
        return answer[0]

    def close(self):
        """End the process."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None
