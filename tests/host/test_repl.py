"""The prompt: input piped to it, a user at a terminal, a program on the raw REPL."""

import os
import signal
import subprocess
import sys

import pexpect
import pytest
import qemu
import release
import repl

RUN = str(qemu.ROOT / "boot" / "run.py")
# Seconds until a run that ought to end by itself is ended.
TIMEOUT = 120


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + 1", "__repl_print__((1 + 1))"),
        ("x = 1; x", "x = 1; __repl_print__((x))"),
        ("é = 'ü'; é", "é = 'ü'; __repl_print__((é))"),
        ("*a, 1", "__repl_print__((*a, 1))"),
        (
            "for i in a:\n  i\nelse: 2",
            "for i in a:\n  __repl_print__((i))\nelse: __repl_print__((2))",
        ),
        ("(1,\n2)", "__repl_print__(((1,\n2)))"),
        ("try: 1\nexcept E: 2", "try: __repl_print__((1))\nexcept E: __repl_print__((2))"),
        ("def f():\n  1\nclass C:\n  2", "def f():\n  1\nclass C:\n  2"),
        ("x = (", "x = ("),
        ("", ""),
    ],
)
def test_echoing(source, expected):
    assert repl.echoing(source) == expected


@pytest.fixture
def piped(stand_in, micropython):
    """Runs text as `make run` does with its standard input."""

    def run(text, **environment):
        return subprocess.run(
            [sys.executable, RUN, "--loader=direct", f"--micropython={micropython}"],
            input=text,
            env={**os.environ, "CMDLINE": "", "TIMEOUT": str(TIMEOUT), **environment},
            capture_output=True,
            text=True,
            timeout=2 * TIMEOUT,
        )

    return run


def test_piped_input_is_run_and_its_values_are_shown(piped, micropython):
    result = piped("x = 20\nx + 1\nfor i in range(2):\n    i\nNone\nprint('é')\n")
    assert result.stdout.endswith(">>> \n21\n0\n1\né\n")
    assert f"MicroPython {release.variables(micropython)['MICROPY_GIT_TAG']} " in result.stdout
    assert (result.returncode, result.stderr) == (0, "")


def test_piped_input_that_raises_fails_with_the_traceback(piped):
    result = piped("def f():\n    return 1 // 0\n\nprint('before')\nf()\nprint('after')\n")
    assert result.returncode == 1
    assert result.stdout.endswith(">>> \nbefore\n")
    assert result.stderr.startswith(
        "Traceback (most recent call last):\n"
        '  File "<stdin>", line 5, in <module>\n'
        '  File "<stdin>", line 2, in f\n'
        "ZeroDivisionError: divide by zero\n"
    )


def test_piped_input_that_is_no_python_fails(piped):
    result = piped("x = 1\ny = = 2\n")
    assert result.returncode == 1
    assert result.stderr.startswith(
        'Traceback (most recent call last):\n  File "<stdin>", line 2\nSyntaxError'
    )


def test_output_that_nobody_reads_ends_the_run_without_a_traceback(stand_in, micropython):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        result = subprocess.run(
            [sys.executable, RUN, "--loader=direct", f"--micropython={micropython}"],
            env={**os.environ, "CMDLINE": "", "TIMEOUT": str(TIMEOUT)},
            stdin=subprocess.DEVNULL,
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=2 * TIMEOUT,
        )
    assert (result.returncode, result.stderr) == (128 + signal.SIGPIPE, b"")


def test_empty_input_powers_off(piped):
    assert piped("").returncode == 0


@pytest.mark.parametrize(("text", "status"), [("SystemExit", 0), ("SystemExit(3)", 1)])
def test_piped_input_may_exit(piped, text, status):
    result = piped(f"print('before')\nraise {text}\nprint('after')")
    assert result.stdout.endswith("before\n")
    assert result.returncode == status


def test_piped_input_longer_than_any_buffer(piped):
    lines = [f"a{n} = {n}" for n in range(5000)]
    result = piped("\n".join([*lines, "a0 + a4999"]))
    assert result.stdout.endswith(">>> \n4999\n")
    assert result.returncode == 0


def test_input_without_end_is_ended_by_the_watchdog(piped):
    result = piped("while True: pass\n", TIMEOUT="20")
    assert result.returncode == qemu.Ending.TIMED_OUT
    assert result.stderr == "TIMED_OUT: ended by the watchdog\n"


def test_program_on_the_raw_repl(machine, micropython):
    session = repl.Repl(machine, micropython)
    assert session.run("print(6 * 7)") == (b"42\r\n", b"")
    output, traceback = session.run("print(1)\nundefined_name")
    assert output == b"1\r\n"
    assert b"NameError: name 'undefined_name' isn't defined" in traceback
    assert session.run("__import__('machine').reset") == (b"", b"")


@pytest.fixture
def terminal(stand_in, micropython):
    """The prompt on a terminal, as `make run` gives it to a user."""
    arguments = [RUN, "--loader=direct", f"--micropython={micropython}"]
    environment = {**os.environ, "CMDLINE": "", "TIMEOUT": str(TIMEOUT)}
    child = pexpect.spawn(
        sys.executable, arguments, env=environment, timeout=TIMEOUT, encoding="utf-8"
    )
    child.expect_exact("Ctrl-A, then X ends QEMU")
    child.expect_exact("\n>>> ")
    yield child
    child.close(force=True)


def test_user_at_a_terminal(terminal):
    terminal.send("1 + 1\r")
    terminal.expect(r"\n2\r+\n>>> ")
    terminal.send("while True: pass\r\r")
    terminal.expect_exact("... ")
    terminal.send("\x03")
    terminal.expect_exact("KeyboardInterrupt: ")
    terminal.expect_exact(">>> ")
    terminal.send("x = 5\r\x04")
    terminal.expect_exact("soft reboot")
    terminal.expect_exact("\n>>> ")
    terminal.send("x\r")
    terminal.expect_exact("NameError")
    terminal.send("import machine; machine.poweroff()\r")
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 0


def test_user_leaves_by_the_monitor(terminal):
    terminal.send("\x01x")
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 0


def test_reset_starts_a_users_machine_again(terminal):
    # The chipset's reset register: CPU and system.
    terminal.send("import cpu; cpu.outb(0xCF9, 6)\r")
    terminal.expect_exact("\nBooted by ")
    terminal.expect_exact("\n>>> ")
    terminal.send("\x01x")
    terminal.expect(pexpect.EOF)
