"""Running Python on the machine: MicroPython's raw REPL, through upstream's pyboard.py."""

import ast
import importlib.util
import sys
import warnings
from pathlib import Path

PROMPT = b">>> "

# Turns SystemExit into the machine's exit code. The first frame of a traceback is of this
# wrapper.
_PROGRAM = """\
try:
    exec(compile({source!r}, {name!r}, "exec"))
except SystemExit as e:
    __import__("kernel").exit(1 if e.args and e.args[0] else 0)
"""
_ADDED_FRAME = b'  File "<stdin>", line 2, in <module>\r\n'


def pyboard(micropython):
    """Return upstream's tools/pyboard.py as a module, from a MicroPython source folder."""
    path = Path(micropython, "tools", "pyboard.py")
    spec = importlib.util.spec_from_file_location("pyboard", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Repl:
    """A raw REPL on a qemu.Machine that is at its prompt."""

    def __init__(self, machine, micropython):
        module = pyboard(micropython)
        # For the name "exec:" Pyboard uses the port of a process; here that is the machine's.
        module.ProcessToSerial = lambda _: machine
        self._board = module.Pyboard("exec:")
        self._board.enter_raw_repl(soft_reset=False)

    def run(self, source, consumer=None):
        """Run source to its end; return its output and its traceback as bytes, empty if none.

        With a consumer, consumer(data) gets the output as it arrives. Raises what qemu.Machine
        raises."""
        self._board.exec_raw_no_follow(source)
        if consumer is None:
            return self._board.follow(timeout=None)
        output = self._board.follow(None, lambda data: consumer(data.replace(b"\x04", b"")))
        return b"", output[1]

    def send(self, source):
        """Start source without waiting for its end."""
        self._board.exec_raw_no_follow(source)

    def follow(self):
        """Wait for the end of what was sent; return its output and its traceback."""
        return self._board.follow(timeout=None)

    def exit(self):
        """Return to the friendly REPL."""
        self._board.exit_raw_repl()


def echoing(source):
    """Return the source with each expression statement printing its value, as at a prompt.

    Lines keep their numbers. A source that is not valid Python is returned unchanged, for
    MicroPython to report."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return source
    lines = [line.encode() for line in source.split("\n")]
    for node in reversed(list(_shown(tree.body))):
        # In a tuple, since a starred expression would spread into arguments.
        for line, column, text in (
            (node.end_lineno, node.end_col_offset, b"))"),
            (node.lineno, node.col_offset, b"__repl_print__(("),
        ):
            old = lines[line - 1]
            lines[line - 1] = old[:column] + text + old[column:]
    return b"\n".join(lines).decode()


def _shown(body):
    """Yield the expression statements outside functions and classes, in the order of the text."""
    for node in body:
        if isinstance(node, ast.Expr):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for _, value in ast.iter_fields(node):
                if isinstance(value, list):
                    nested = [n for n in value if isinstance(n, ast.stmt | ast.ExceptHandler)]
                    yield from _shown(nested)


def run_input(repl, source, consumer, name=None):
    """Run a program as if it were typed at the prompt; return its traceback, empty if none.

    With the name of the file that it comes from its values are not printed. SystemExit ends
    the machine."""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    if name is None:
        program = _PROGRAM.format(source=echoing(source), name="<stdin>")
    else:
        program = _PROGRAM.format(source=source, name=name)
    _, traceback = repl.run(program, consumer)
    return traceback.replace(_ADDED_FRAME, b"", 1)


def show(data):
    """Write the machine's output to standard output, with the host's line ends."""
    sys.stdout.buffer.write(data.replace(b"\r", b""))
    sys.stdout.buffer.flush()
