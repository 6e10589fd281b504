"""One's own program: APP and SCRIPT of `make run`, on each loader; pictures and the name of the serial port."""

import os
import subprocess
import sys
from dataclasses import replace

import app
import boots
import iso
import pexpect
import prompt
import pytest
import qemu

RUN = str(qemu.ROOT / "boot" / "run.py")
TIMEOUT = 120

MAIN = """\
import sys
import own
order = globals().get("order", "") + "app"
print("main of", sys.path[0], own.value, order)
"""


@pytest.fixture
def folder(tmp_path):
    """A program that says what it found."""
    path = tmp_path / "my program"
    (path / "données").mkdir(parents=True)
    (path / "main.py").write_text(MAIN)
    (path / "own.py").write_text("value = 'mine'\n")
    (path / "données" / "a, b.txt").write_text("read")
    return path


@pytest.fixture
def run(stand_in, micropython):
    """Runs boot/run.py on the stand-in loader, as `make run` does."""

    def run(text="", **environment):
        plain = dict.fromkeys(
            ("APP", "SCRIPT", "SCREENSHOT", "CMDLINE", "SERIAL", "QEMUFLAGS"), ""
        )
        return subprocess.run(
            [sys.executable, RUN, "--loader=direct", f"--micropython={micropython}"],
            input=text,
            env={**os.environ, **plain, "TIMEOUT": str(TIMEOUT), **environment},
            capture_output=True,
            text=True,
            timeout=2 * TIMEOUT,
        )

    return run


WAYS = [
    pytest.param(w, id=w.name, marks=w.marks)
    for w in boots.all_ways()
    if w.missing or w.boot.memory == qemu.Boot.memory
]


@pytest.mark.parametrize("way", WAYS)
def test_app(way, micropython, folder, tmp_path):
    boot = replace(way.with_cmdline("disk=2M"), app=app.pack(folder, tmp_path))
    said = "main of /app mine app\r\n"
    with prompt.at_prompt(boot, micropython) as machine:
        assert said in machine.report
        # Its memory is not the loader's to reclaim; what says where it is was copied.
        machine.run("PFM.reclaim(); PFM.check()")
        read = "open('/app/données/a, b.txt').read()"
        assert machine.value(read) == "read"
        output, traceback = machine.try_run("open('/app/new', 'w')")
        assert output == "" and "OSError" in traceback
        machine.run("open('boot.py', 'w').write('order = \"boot \"')")
        machine.run("open('main.py', 'w').write('order += \"main \"')")
        machine.soft_reset()
        assert b"main of /app mine boot main app\r\n" in machine.machine.transcript
        assert machine.value(read) == "read"


def test_app_that_is_interrupted_or_raises(stand_in, micropython, folder, tmp_path):
    (folder / "main.py").write_text("print('begun')\nwhile True: pass\n")
    boot = replace(stand_in.with_cmdline("disk=0"), app=app.pack(folder, tmp_path))
    with qemu.Machine(boot, TIMEOUT, silence=TIMEOUT) as machine:
        machine.read_until(b"begun")
        machine.write(b"\x03")
        at = prompt.Prompt(machine, micropython)
        assert "KeyboardInterrupt" in at.report
        assert at.value("1 + 1") == 2


@pytest.mark.parametrize("content", [b"", b"no image", b"\xd2\xcd1\xff\xff\x7f"])
def test_module_that_is_no_image(stand_in, micropython, tmp_path, content):
    path = tmp_path / app.NAME
    path.write_bytes(content)
    with prompt.at_prompt(replace(stand_in.with_cmdline(""), app=path), micropython) as machine:
        lines = machine.report.replace("\r", "").split("\n")
        assert [line for line in lines if line.startswith("/app: ")] == [
            f"/app: the module {path} is no ROMFS image"[:80]
        ]
        assert "Traceback" not in machine.report
        assert "/app" not in machine.value("__import__('sys').path")


def test_configuration_names_the_image():
    lines = iso.with_app(iso.CONFIGURATION.read_text()).splitlines()
    at = lines.index("    module_path: boot():/boot/app.romfs")
    assert lines[at - 1].startswith("    kernel_path:")
    assert "\n".join(lines).count("module_path") == 1


def test_app_by_make_run(run, folder):
    result = run("order", APP=str(folder))
    assert "main of /app mine app\n" in result.stdout
    assert result.stdout.endswith(">>> \n'app'\n")
    assert (result.returncode, result.stderr) == (0, "")


def test_app_that_raises_fails_the_run(run, folder):
    (folder / "main.py").write_text("1 // 0\n")
    result = run("1 + 1", APP=str(folder))
    assert "ZeroDivisionError" in result.stdout
    assert result.stdout.endswith(">>> \n2\n")
    assert result.returncode == qemu.Ending.FAIL
    assert "the program or the input raised" in result.stderr


def test_app_larger_than_memory(run, folder):
    with open(folder / "data", "wb") as file:
        file.truncate(40 << 20)
    result = run(APP=str(folder), MEMORY="48M")
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "MEMORY=48M" in result.stderr


def test_script(run, tmp_path):
    script = tmp_path / "s.py"
    script.write_text("x = 2\nx + 1\nprint(x, __name__)\ndef f():\n    1 // 0\nf()\n")
    result = run("print('not read')", SCRIPT=str(script))
    assert result.stdout.endswith(">>> \n2 __main__\n")
    assert result.returncode == 1
    assert result.stderr.startswith(
        "Traceback (most recent call last):\n"
        '  File "s.py", line 6, in <module>\n'
        '  File "s.py", line 5, in f\n'
        "ZeroDivisionError: divide by zero\n"
    )
    script.write_text("raise SystemExit")
    assert run(SCRIPT=str(script)).returncode == 0


REFUSED = [
    ({"APP": "/nowhere"}, "APP=/nowhere: no such folder"),
    ({"SCRIPT": "/nowhere.py"}, "SCRIPT=/nowhere.py: No such file or directory"),
    ({"SCRIPT": "/"}, "SCRIPT=/: Is a directory"),
    ({"SERIAL": "garbage"}, "SERIAL=garbage: must be stdio or pty"),
    ({"SCREENSHOT": "/x.jpg"}, "SCREENSHOT=/x.jpg: must end in .png or .ppm"),
    ({"SCREENSHOT": "/nowhere/x.png"}, "SCREENSHOT=/nowhere/x.png: there is no folder /nowhere"),
]


@pytest.mark.parametrize(("environment", "line"), REFUSED)
def test_refused_before_boot(run, environment, line):
    result = run(**environment)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", line + "\n")


def test_screenshot(run, tmp_path):
    picture = tmp_path / "x.png"
    result = run("6 * 7", SCREENSHOT=str(picture))
    assert result.stdout.endswith("\n42\n")
    assert (result.returncode, result.stderr) == (0, "")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_screenshot_without_a_display(run, tmp_path):
    picture = tmp_path / "x.png"
    result = run("6 * 7", SCREENSHOT=str(picture), QEMUFLAGS="-vga none")
    assert result.stderr.startswith("SCREENSHOT: the machine has no display\n")
    assert result.returncode == 1 and not picture.exists()


@pytest.fixture
def link():
    """The name of the serial port, which another machine may have: it gets it back."""
    path = qemu.ROOT / "build" / "serial"
    if os.path.lexists(path):
        pytest.skip(f"{path}: in use")
    yield path
    path.unlink(missing_ok=True)


def test_serial_port_of_one_name(stand_in, micropython, link):
    link.symlink_to("/dev/pts/nowhere")
    child = pexpect.spawn(
        sys.executable,
        [RUN, "--loader=direct", f"--micropython={micropython}"],
        env={**os.environ, "SERIAL": "pty", "TIMEOUT": str(TIMEOUT), "APP": "", "SCRIPT": ""},
        timeout=TIMEOUT,
        encoding="utf-8",
    )
    child.expect(r"serial port: (\S+) is (\S+);")
    assert child.match[1] == str(link)
    assert os.readlink(link) == child.match[2]
    result = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", str(link), "exec", "print(6 * 7)"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert result.stdout == "42\n", result.stderr
    assert b"42\r\n" in (link.parent / "serial.log").read_bytes()
    child.sendintr()
    child.expect(pexpect.EOF)
    child.wait()
    assert not os.path.lexists(link)


def test_file_in_the_way_of_the_serial_ports_name(run, link):
    link.write_text("mine")
    result = run(SERIAL="pty")
    assert result.returncode == 1
    assert result.stderr == f"{link}: in the way of the serial port's name; remove it\n"
    assert link.read_text() == "mine"
