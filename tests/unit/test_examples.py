"""The examples of README.md and docs/: what the documents show is what happens.

A block that begins with ```python runs on a fake machine of 6 GiB, which
`PFM.init()` finds as the kernel finds its own.  Lines with `>>> ` and `... `
are entered as at the prompt, and what follows up to the next of them or an
empty line must be printed; `...` in it stands for any text.  A block without
`>>> ` runs whole and must not raise.  The blocks of a document run in order,
with the names that earlier ones have defined.
"""

import os

from ktap import skip
from maps import Q35_6G

import pfm
import pfm.manager
from pfm.testing import FakeMachine, ffi

ONE_PATH = "documents show the manager as users have it"

# The type of a folder, as `os.ilistdir` gives it.
_FOLDER = 0x4000

_FENCE = "```"
_PROMPT = ">>> "
_MORE = "... "
_ANY = "..."
_TRACEBACK = "Traceback (most recent call last):"

_HERE = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
_ROOT = _HERE + "/../.."


class ExampleError(AssertionError):
    """An example of the document `path`, at line `number`, printed something else than it shows."""

    def __init__(self, path, number, source, expected, printed):
        super().__init__(f"{path}:{number}: {source}\nexpected:\n{expected}\nprinted:\n{printed}")


def _lines(path):
    with open(_ROOT + "/" + path) as file:
        return file.read().split("\n")


def blocks(lines):
    """Yield (number of the first line, lines) of each block of Python."""
    start = 0
    for number, line in enumerate(lines, 1):
        if start and line.startswith(_FENCE):
            yield start + 1, lines[start : number - 1]
            start = 0
        elif line.strip() == _FENCE + "python":
            start = number


def steps(number, lines):
    """Yield (number of its first line, source, expected output) of each entry at a prompt of a block."""
    source, expected, first = [], [], 0
    for at, line in enumerate(lines, number):
        if line.startswith(_PROMPT):
            if source:
                yield first, "\n".join(source), "\n".join(expected)
            source, expected, first = [line[len(_PROMPT) :]], [], at
        elif source and not expected and (line.startswith(_MORE) or line == _MORE.rstrip()):
            source.append(line[len(_MORE) :])
        elif source and line:
            expected.append(line)
    if source:
        yield first, "\n".join(source), "\n".join(expected)


def matches(expected, printed):
    """Return whether `printed` is `expected`, in which `...` stands for any text."""
    pieces = expected.split(_ANY)
    if len(pieces) == 1:
        return expected == printed
    if not printed.startswith(pieces[0]):
        return False
    at = len(pieces[0])
    for piece in pieces[1:-1]:
        at = printed.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return printed.endswith(pieces[-1]) and at <= len(printed) - len(pieces[-1])


class _Prompt:
    """Runs entries in one set of names, and keeps what they print."""

    def __init__(self):
        self.names = {
            "__name__": "__main__",
            "print": self._print,
            # What the compiler calls with the value of an expression at the prompt.
            "__repl_print__": self._show,
        }
        self._printed = []

    def _print(self, *values, sep=" ", end="\n"):
        self._printed.append(sep.join([str(value) for value in values]) + end)

    def _show(self, value):
        if value is not None:
            self._print(repr(value))

    def enter(self, source):
        """Run `source` as the prompt does, and return what it prints."""
        self._printed = []
        try:
            exec(compile(source, "<stdin>", "single"), self.names)
        except Exception as error:
            self._print(f"{_TRACEBACK}\n{type(error).__name__}: {error}")
        return "".join(self._printed).rstrip("\n")


def _without_places(text):
    """Return a traceback's text without the lines between its first and its last."""
    lines = text.split("\n")
    if _TRACEBACK not in lines:
        return text
    at = lines.index(_TRACEBACK)
    return "\n".join(lines[: at + 1] + lines[-1:])


def run(path, lines):
    """Run the examples among the `lines` of the document `path`.  Raises ExampleError."""
    prompt = _Prompt()
    for number, block in blocks(lines):
        if not [line for line in block if line.startswith(_PROMPT)]:
            exec("\n".join(block), prompt.names)
            continue
        for at, source, expected in steps(number, block):
            printed = prompt.enter(source)
            if not matches(_without_places(expected), printed):
                raise ExampleError(path, at, source, expected, printed)


def _check(path):
    assert list(blocks(_lines(path))), path
    if not ffi:
        skip("no ffi for a machine of 6 GiB")
    kernels, this_machine = pfm.PFM, pfm.manager._this_machine
    with FakeMachine(Q35_6G) as machine:
        pfm.PFM = pfm.PageFrameManager()
        pfm.manager._this_machine = lambda: machine
        try:
            run(path, _lines(path))
        finally:
            pfm.PFM, pfm.manager._this_machine = kernels, this_machine


def test_readme():
    _check("README.md")


def _documents(folder):
    """Return the paths of the documents in a folder and in its folders."""
    found = []
    for name, kind, *_ in sorted(os.ilistdir(_ROOT + "/" + folder)):
        path = folder + "/" + name
        if kind == _FOLDER:
            found += _documents(path)
        elif name.endswith(".md"):
            found.append(path)
    return found


def test_docs():
    with_examples = [path for path in _documents("docs") if list(blocks(_lines(path)))]
    assert "docs/api.md" in with_examples, with_examples
    assert "docs/labs/lab3_leak/README.md" in with_examples, with_examples
    for path in with_examples:
        _check(path)


def _fails(text):
    try:
        run("text", text.split("\n"))
    except ExampleError:
        return True
    return False


def test_checker_runs_what_stands_there():
    assert not _fails("```python\n>>> 1 + 1\n2\n\n>>> print('a')\na\n```")
    assert not _fails("```python\na = 2\n```\ntext\n```python\n>>> a\n2\n```")
    assert not _fails("```python\n>>> for i in range(2):\n...     print(i)\n0\n1\n```")
    assert not _fails("```\n>>> 1 + 1\n3\n```")


def test_checker_sees_a_difference():
    assert _fails("```python\n>>> 1 + 1\n3\n```")
    assert _fails("```python\n>>> 1 + 1\n```")
    assert _fails("```python\n>>> None\nNone\n```")
    assert _fails("```python\n>>> 1 / 0\n0\n```")
    assert _fails("```python\n>>> [][0]\nTraceback (most recent call last):\nKeyError: 0\n```")


def test_checker_takes_dots_for_any_text():
    assert matches("a...c", "abc")
    assert matches("...", "")
    assert not matches("a...c", "abd")
    assert not matches("ab...ba", "aba")
    assert not _fails("```python\n>>> 'x' * 9\n'x...x'\n```")


def test_checker_takes_a_traceback():
    text = "```python\n>>> [][0]\nTraceback (most recent call last):\n  ...\nIndexError: ...\n```"
    assert not _fails(text)
