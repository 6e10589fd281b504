"""mpremote, MicroPython's own tool for boards, on the booted kernel: over its virtio console.

The last tests are over its serial port.
"""

import ast
import datetime
import hashlib
import random
import subprocess
import sys

import board
import boots
import pexpect
import pytest

# Seconds for one command of mpremote, for a large copy, and for the machine that serves them all.
TIMEOUT = 60
COPY_TIMEOUT = 300
MACHINE_TIMEOUT = 900


def _device(console):
    way = boots.all_ways()[0]
    if way.missing:
        pytest.skip(way.missing)
    with board.Board(way.with_cmdline("disk=4M"), MACHINE_TIMEOUT, console) as machine:
        yield machine.device


@pytest.fixture(scope="module")
def device():
    """The virtio console of a kernel that shows its prompt."""
    yield from _device(console=True)


@pytest.fixture(scope="module")
def serial_device():
    """The serial port of a kernel that shows its prompt, on a machine without a virtio console."""
    yield from _device(console=False)


@pytest.fixture
def mpremote(device, tmp_path):
    """Runs a command line of mpremote in a folder of the test's own; what it printed."""
    return _runner(device, tmp_path)


@pytest.fixture
def serial_mpremote(serial_device, tmp_path):
    """The same over the serial port."""
    return _runner(serial_device, tmp_path)


def _runner(device, tmp_path):
    def run(*arguments, status=0, timeout=TIMEOUT):
        result = subprocess.run(
            [sys.executable, "-m", "mpremote", "connect", device, *arguments],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        assert result.returncode == status, result.stdout
        return result.stdout.replace("\r\n", "\n")

    return run


def test_exec(mpremote):
    assert mpremote("exec", "print(6 * 7)") == "42\n"


def test_exec_that_raises(mpremote):
    output = mpremote("exec", "print(1)\n1 // 0", status=1)
    assert output.startswith("1\n")
    assert output.rstrip().endswith("ZeroDivisionError: divide by zero")


def test_eval(mpremote):
    assert mpremote("eval", "2**100") == f"{2**100}\n"


def test_run(mpremote, tmp_path):
    _run_a_long_script(mpremote, tmp_path)


def _run_a_long_script(mpremote, tmp_path):
    lines = [f"a{n} = {n}" for n in range(2000)]
    (tmp_path / "script.py").write_text("\n".join([*lines, "print(a0 + a1999)"]))
    assert mpremote("run", "script.py") == "1999\n"


def test_soft_reset_forgets_names_and_keeps_files(mpremote):
    mpremote("exec", "name = 1\nwith open('/kept', 'w') as f: f.write('still here')")
    assert mpremote("resume", "eval", "name") == "1\n"
    mpremote("soft-reset")
    assert "NameError" in mpremote("resume", "eval", "name", status=1)
    assert mpremote("resume", "eval", "open('/kept').read()") == "still here\n"
    mpremote("fs", "rm", ":/kept")


def test_soft_reset_keeps_files_that_nobody_closed(mpremote):
    mpremote(
        "exec", "open('/dropped', 'w').write('dropped'); f = open('/open', 'w'); f.write('open')"
    )
    mpremote("soft-reset")
    read = "open('/dropped').read(), open('/open').read()"
    assert mpremote("resume", "eval", read) == "dropped open\n"
    mpremote("fs", "rm", ":dropped", ":open")


def test_files_are_copied_listed_shown_and_removed(mpremote, tmp_path):
    data = bytes(range(256)) * 300
    (tmp_path / "sent").write_bytes(data)
    mpremote("fs", "mkdir", ":folder")
    mpremote("fs", "cp", "sent", ":folder/there")
    assert f"{len(data)} there" in mpremote("fs", "ls", ":folder")
    mpremote("fs", "cp", ":folder/there", "back")
    assert (tmp_path / "back").read_bytes() == data
    (tmp_path / "text").write_text("first line\nsecond line\n")
    mpremote("fs", "cp", "text", ":text")
    assert mpremote("fs", "cat", ":text") == "first line\nsecond line\n"
    mpremote("fs", "rm", ":folder/there", "+", "fs", "rmdir", ":folder", "+", "fs", "rm", ":text")
    listing = mpremote("fs", "ls")
    assert "folder" not in listing and "text" not in listing


def test_a_file_of_one_mebibyte_arrives_whole(mpremote, tmp_path):
    _copy(mpremote, tmp_path, random.Random(0).randbytes(1 << 20))


def _copy(mpremote, tmp_path, data):
    (tmp_path / "sent").write_bytes(data)
    mpremote("fs", "cp", "sent", ":large", timeout=COPY_TIMEOUT)
    digest = "__import__('hashlib').sha256(open('/large', 'rb').read()).digest()"
    assert mpremote("eval", digest) == f"{hashlib.sha256(data).digest()}\n"
    mpremote("fs", "rm", ":large")


def test_rtc(mpremote):
    mpremote("exec", "import machine; machine.RTC().datetime((2031, 2, 3, 0, 4, 5, 6, 0))")
    assert mpremote("rtc").startswith("(2031, 2, 3, 0, 4, ")
    before = datetime.datetime.now().replace(microsecond=0)
    mpremote("rtc", "--set")
    year, month, day, weekday, *clock, _ = ast.literal_eval(mpremote("rtc"))
    # The first second of the PC's clock after it is set may be short.
    second = datetime.timedelta(seconds=1)
    assert (
        before <= datetime.datetime(year, month, day, *clock) <= datetime.datetime.now() + second
    )
    assert weekday == datetime.date(year, month, day).weekday()
    now = datetime.datetime(*ast.literal_eval(mpremote("eval", "__import__('time').gmtime()"))[:6])
    assert before <= now <= datetime.datetime.now()


def test_file_that_is_not_there(mpremote):
    assert "No such file" in mpremote("fs", "cat", ":nowhere", status=1)


def test_df(mpremote):
    titles, *rows = [line.split() for line in mpremote("df").splitlines()]
    assert titles == ["filesystem", "size", "used", "avail", "use%", "mounted", "on"]
    (size, used, free) = next(map(int, row[-5:-2]) for row in rows if row[-1] == "/")
    assert size == used + free
    assert 3 << 20 < size <= 4 << 20


def test_mount(mpremote, tmp_path):
    (tmp_path / "here.py").write_text("value = 'from the host'\n")
    source = "import here, os; print(here.value, os.getcwd(), os.listdir())"
    output = mpremote("mount", str(tmp_path), "exec", source)
    assert "from the host /remote ['here.py']" in output
    write = "f = open('made', 'w'); f.write('by the board'); f.close()"
    mpremote("mount", str(tmp_path), "exec", write)
    assert (tmp_path / "made").read_text() == "by the board"


def test_boot_and_main_run_from_the_disk(mpremote, device, tmp_path):
    (tmp_path / "boot.py").write_text("order = ['boot']\n")
    (tmp_path / "main.py").write_text("order.append('main'); print(order)\n")
    mpremote("fs", "cp", "boot.py", "main.py", ":")
    try:
        child = _repl(device)
        child.send("\x04")
        child.expect_exact("soft reboot")
        child.expect_exact("['boot', 'main']")
        child.expect_exact("\n>>> ")
        _leave(child)
    finally:
        mpremote("fs", "rm", ":boot.py", ":main.py")


def _repl(device):
    arguments = ["-m", "mpremote", "connect", device, "repl"]
    child = pexpect.spawn(sys.executable, arguments, timeout=TIMEOUT, encoding="utf-8")
    child.expect_exact("Ctrl-]")
    child.send("\r")
    child.expect_exact(">>> ")
    return child


def _leave(child):
    child.send("\x1d")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def test_repl(device):
    _use_the_repl(device)


def _use_the_repl(device):
    child = _repl(device)
    child.send("6 * 7\r")
    child.expect_exact("\n42\r\n>>> ")
    child.send("while True: pass\r\r")
    child.expect_exact("... ")
    child.send("\x03")
    child.expect_exact("KeyboardInterrupt: ")
    child.expect_exact(">>> ")
    _leave(child)


def test_exec_over_the_serial_port(serial_mpremote):
    assert serial_mpremote("exec", "print(6 * 7)") == "42\n"


def test_run_over_the_serial_port(serial_mpremote, tmp_path):
    _run_a_long_script(serial_mpremote, tmp_path)


def test_soft_reset_over_the_serial_port(serial_mpremote):
    serial_mpremote("exec", "name = 1")
    serial_mpremote("soft-reset")
    assert "NameError" in serial_mpremote("resume", "eval", "name", status=1)


def test_a_file_arrives_whole_over_the_serial_port(serial_mpremote, tmp_path):
    _copy(serial_mpremote, tmp_path, random.Random(0).randbytes(1 << 16))


def test_repl_over_the_serial_port(serial_device):
    _use_the_repl(serial_device)
