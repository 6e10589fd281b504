"""Running Python on the machine: MicroPython's raw REPL through upstream's pyboard.py."""

import ast
import importlib.util
import sys
import warnings
from pathlib import Path

PROMPT = b">>> "

# Ends the input's run as the machine's own exit codes say it. The frame that
# running it this way adds to a traceback is the first one.
_PROGRAM = """\
try:
    exec(compile({source!r}, "<stdin>", "exec"))
except SystemExit as e:
    __import__("kernel").exit(1 if e.args and e.args[0] else 0)
"""
_ADDED_FRAME = b'  File "<stdin>", line 2, in <module>\r\n'


def pyboard(micropython):
    """Upstream's tools/pyboard.py as a module, from a MicroPython source folder."""
    path = Path(micropython, "tools", "pyboard.py")
    spec = importlib.util.spec_from_file_location("pyboard", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Repl:
    """A raw REPL on a qemu.Machine that shows its prompt."""

    def __init__(self, machine, micropython):
        module = pyboard(micropython)
        # Pyboard makes its port from a name: for "exec:" the port of a process, here the machine's.
        module.ProcessToSerial = lambda _: machine
        self._board = module.Pyboard("exec:")
        self._board.enter_raw_repl(soft_reset=False)

    def run(self, source, consumer=None):
        """Run source to its end; its output and its traceback, as bytes, each "" if none.

        consumer(data) gets the output as it comes, instead. Raises what
        qemu.Machine raises."""
        self._board.exec_raw_no_follow(source)
        if consumer is None:
            return self._board.follow(timeout=None)
        output = self._board.follow(None, lambda data: consumer(data.replace(b"\x04", b"")))
        return b"", output[1]

    def send(self, source):
        """Start source without waiting for its end."""
        self._board.exec_raw_no_follow(source)

    def follow(self):
        """Wait for the end of what was sent; its output and its traceback."""
        return self._board.follow(timeout=None)

    def exit(self):
        """Back to the friendly REPL."""
        self._board.exit_raw_repl()


def echoing(source):
    """The source with every statement that is an expression printing its value, as at a prompt.

    Lines keep their numbers. What is not Python stays as it is: to say so is
    for MicroPython."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return source
    lines = [line.encode() for line in source.split("\n")]
    for node in reversed(list(_shown(tree.body))):
        # A tuple of its own: a starred expression would else spread into arguments.
        for line, column, text in (
            (node.end_lineno, node.end_col_offset, b"))"),
            (node.lineno, node.col_offset, b"__repl_print__(("),
        ):
            old = lines[line - 1]
            lines[line - 1] = old[:column] + text + old[column:]
    return b"\n".join(lines).decode()


def _shown(body):
    """Expression statements of the top level in the order of their text, nested ones too."""
    for node in body:
        if isinstance(node, ast.Expr):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for _, value in ast.iter_fields(node):
                if isinstance(value, list):
                    nested = [n for n in value if isinstance(n, ast.stmt | ast.ExceptHandler)]
                    yield from _shown(nested)


def run_input(repl, source, consumer):
    """Run a program as if it were typed at the prompt; its traceback, "" if it raised nothing.

    SystemExit ends the machine."""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    program = _PROGRAM.format(source=echoing(source))
    _, traceback = repl.run(program, consumer)
    return traceback.replace(_ADDED_FRAME, b"", 1)


def show(data):
    """Write what the machine sent to standard output, its line ends as the host's."""
    sys.stdout.buffer.write(data.replace(b"\r", b""))
    sys.stdout.buffer.flush()
