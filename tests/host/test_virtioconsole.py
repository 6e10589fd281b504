"""The virtio console, which says what the serial port says, and takes what is typed at either."""

import contextlib
import hashlib
import random
import re
import socket
import time
from dataclasses import replace

import boots
import pytest
import qemu
import repl
from prompt import at_prompt
from test_exceptions import MACHINE_CODE

# Seconds for one machine, and until something has come.
TIMEOUT = 300
SILENCE = 60

# The stand-in loader, and one Limine under each firmware; the rest differ in memory and release.
WAYS = [way for way in boots.all_ways() if way.missing or way.name == way.boot.name][:3]

FRAMES = "[block.frames for block in PFM.blocks(tag='cons')]"


class Socket:
    """The other end of a console's chardev, which QEMU connects to when it starts."""

    def __init__(self, path):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._line = None
        self.chardev = f"socket,path={path},server=off"

    def accept(self):
        self._line, _ = self._listener.accept()
        self._line.settimeout(SILENCE)

    def write(self, data):
        self._line.sendall(data)

    def read(self):
        data = self._line.recv(1 << 16)
        assert data
        return data

    def read_until(self, ending):
        data = b""
        while not data.endswith(ending):
            data += self.read()

    def close(self):
        self._line.close()


@pytest.fixture
def console(tmp_path):
    socket = Socket(tmp_path / "console")
    yield socket
    socket.close()


@pytest.fixture(scope="module", params=[pytest.param(w, id=w.name, marks=w.marks) for w in WAYS])
def machine(request, micropython, tmp_path_factory):
    """A prompt on the console, and the file with what the serial port says."""
    log = tmp_path_factory.mktemp("console") / "serial.log"
    boot = request.param.with_cmdline("")
    with at_prompt(boot, micropython, TIMEOUT, SILENCE, serial_log=log) as prompt:
        yield prompt, log


@pytest.fixture
def prompt(machine):
    return machine[0]


def test_report_is_on_the_console_and_on_the_serial_port(machine):
    prompt, log = machine
    assert prompt.report.startswith("pfm ")
    assert prompt.report.encode() in log.read_bytes()


def test_its_frames_are_accounted_for(prompt):
    assert prompt.value(FRAMES) == [3]
    assert prompt.run("import kernel; print(kernel.console())") == "True\n"
    prompt.run("PFM.check()")


def test_second_start_changes_nothing(prompt):
    prompt.run("import virtioconsole; print(virtioconsole.start())")
    assert prompt.value(FRAMES) == [3]


def test_much_output_arrives_whole_on_both(machine):
    prompt, log = machine
    lines = prompt.run("for i in range(5000): print(i, 'and so on')")
    assert lines == "".join(f"{i} and so on\n" for i in range(5000))
    assert lines.replace("\n", "\r\n").encode() in log.read_bytes()


def test_much_input_arrives_whole(prompt):
    data = random.Random(1).randbytes(60000)
    prompt.run(f"data = bytes.fromhex('{data.hex()}')\nimport hashlib")
    digest = "list(hashlib.sha256(data).digest())"
    assert prompt.value(digest) == list(hashlib.sha256(data).digest())


def test_ctrl_c_ends_a_loop(prompt):
    prompt.send("print('begun')\nwhile True: pass")
    prompt.machine.read_until(b"begun\r\n")
    prompt.machine.write(b"\x03")
    with pytest.raises(Exception, match="KeyboardInterrupt"):
        prompt.finish()


def test_soft_resets_keep_it(prompt):
    for _ in range(3):
        prompt.soft_reset()
    assert prompt.value(FRAMES) == [3]
    prompt.run("PFM.check()")


def test_what_is_typed_ahead_of_a_soft_reset_is_not_lost(prompt):
    prompt.soft_reset(b"\x04123 * 1001\r")
    prompt.run("")
    assert b"\n123123\r\n" in prompt.machine.transcript


def test_reclaim_keeps_it(prompt):
    prompt.run("PFM.reclaim(); PFM.check()")
    prompt.soft_reset()
    assert prompt.value(FRAMES) == [3]
    assert prompt.run("print('x' * 10000)") == "x" * 10000 + "\n"


def test_select_sees_input(prompt):
    prompt.send(
        "import select, sys\np = select.poll()\np.register(sys.stdin, 1)\n"
        "print('ready')\nprint(len(p.poll(60000)), sys.stdin.read(1))"
    )
    prompt.machine.read_until(b"ready\r\n")
    prompt.machine.write(b"k")
    prompt.machine.read_until(b"1 k\r\n")
    prompt.finish()


def test_nothing_of_what_several_processors_print_is_lost(micropython, tmp_path):
    boot = qemu.Boot(
        qemuflags="-smp 4 -accel tcg,thread=multi", cmdline="processors=4", memory="256M"
    )
    log = tmp_path / "serial.log"
    source = """
import _thread
done = []
def talk(name):
    for i in range(200):
        sys.stdout.write("%s%s%s\\n" % (name, i, name))
    done.append(name)
import sys
for name in "abc":
    _thread.start_new_thread(talk, (name,))
while len(done) < 3:
    pass
"""
    with at_prompt(boot, micropython, TIMEOUT, SILENCE, serial_log=log) as prompt:
        output = prompt.run(source)
        # A line and its end are written one after the other: lines may follow without one.
        texts = [match[0] for match in re.finditer(r"([abc])\d+\1", output)]
        assert sorted(texts) == sorted(f"{n}{i}{n}" for n in "abc" for i in range(200))
        assert output.count("\n") == len(texts)
        prompt.soft_reset()
        prompt.run("PFM.check()")


def test_smallest_machine(micropython, stand_in, tmp_path):
    boot = replace(stand_in.with_cmdline(""), memory="32M")
    with at_prompt(boot, micropython, TIMEOUT, SILENCE, serial_log=tmp_path / "log") as prompt:
        assert prompt.value(FRAMES) == [3]


def test_fault_report_reaches_it(micropython, stand_in, tmp_path):
    boot = stand_in.with_cmdline("")
    with at_prompt(boot, micropython, TIMEOUT, SILENCE, serial_log=tmp_path / "log") as prompt:
        prompt.run(MACHINE_CODE)
        # ud2
        prompt.send("execute('0f0b')")
        report = prompt.machine.read_all()
        assert b"fault: vector 6 (invalid opcode)" in report
        assert report.endswith(b"in <module>\r\n") or b"Python (most recent call last)" in report
        assert prompt.machine.wait(TIMEOUT) == qemu.Ending.FAULT


def test_last_words_arrive_before_power_off(micropython, stand_in, tmp_path):
    boot = stand_in.with_cmdline("")
    with at_prompt(boot, micropython, TIMEOUT, SILENCE, serial_log=tmp_path / "log") as prompt:
        prompt.send("import machine; print('x' * 100000 + 'end'); machine.poweroff()")
        assert prompt.machine.read_all().endswith(b"x" * 100000 + b"end\r\n")
        assert prompt.machine.wait(TIMEOUT) == qemu.Ending.OK


def test_restart_begins_anew(micropython, stand_in, tmp_path):
    boot = stand_in.with_cmdline("")
    options = {"serial_log": tmp_path / "log", "extra": ["-action", "reboot=reset"]}
    with at_prompt(boot, micropython, TIMEOUT, SILENCE, **options) as prompt:
        prompt.send("import machine; machine.reset()")
        prompt.machine.read_until(b"\n" + repl.PROMPT)
        prompt.machine.write(b"6 * 7\r")
        prompt.machine.read_until(b"\n42\r\n" + repl.PROMPT)


def test_input_ends_a_halt(micropython, stand_in, tmp_path):
    log = tmp_path / "interrupts"
    # Of each interrupt that is taken a line: here of the one by a message.
    options = {"serial_log": tmp_path / "log", "extra": ["-d", "int", "-D", str(log)]}
    boot = stand_in.with_cmdline("")
    with qemu.Machine(boot, TIMEOUT, SILENCE, **options) as machine:
        machine.read_until(b"\n" + repl.PROMPT)
        # A line that comes while the machine does not halt needs no interrupt.
        deadline = time.monotonic() + SILENCE
        while b"Servicing hardware INT=0xf0" not in log.read_bytes():
            assert time.monotonic() < deadline
            machine.write(b"\r")
            machine.read_until(b"\n" + repl.PROMPT)


@contextlib.contextmanager
def _beside(stand_in, micropython, options):
    """A prompt on the serial port of a machine with more options."""
    with at_prompt(stand_in.with_cmdline(""), micropython, TIMEOUT, SILENCE, extra=options) as p:
        yield p


def test_a_host_that_does_not_read_does_not_hang_the_machine(stand_in, micropython, console):
    with _beside(stand_in, micropython, qemu.console(console.chardev)) as prompt:
        console.accept()
        # More than the socket holds; the second time is not waited for.
        for _ in range(2):
            assert prompt.run("print('x' * 120000)") == "x" * 120000 + "\n"
        # What was lost is lost; once somebody reads, what comes is whole.  Something comes:
        # what was not lost, or else this.
        data = b""
        while b"again\r\n" not in data:
            prompt.run("print('again')")
            data += console.read()
        assert data.count(b"x") < 240000
        # Nobody is there: nothing is waited for.
        console.close()
        assert prompt.run("PFM.check(); print('x' * 10000)") == "x" * 10000 + "\n"


def test_a_device_that_others_reset_is_left_alone(stand_in, micropython, console):
    with _beside(stand_in, micropython, qemu.console(console.chardev)) as prompt:
        console.accept()
        prompt.run(
            "import kernel, virtio, virtioconsole\n"
            "virtio.Transport(virtio.functions(0x1043, 0x1003)[0], 'console').close()"
        )
        prompt.run("print('x' * 10000)")
        assert prompt.run("print(kernel.console())") == "False\n"
        assert prompt.run("print(virtioconsole.start(), kernel.console())") == "None True\n"
        assert prompt.value(FRAMES) == [3]
        prompt.run("print('again')")
        console.read_until(b"again\r\n\x04\x04>")


@pytest.mark.parametrize("ports", ["", ",max_ports=1"])
def test_the_console_port_of_other_machines(stand_in, console, ports):
    options = [
        *["-chardev", f"{console.chardev},id=other"],
        *["-device", f"virtio-serial-pci{ports}", "-device", "virtconsole,chardev=other"],
    ]
    with qemu.Machine(stand_in.with_cmdline(""), TIMEOUT, SILENCE, options):
        console.accept()
        console.read_until(b"\n" + repl.PROMPT)
        console.write(b"6 * 7\r")
        console.read_until(b"\n42\r\n" + repl.PROMPT)


def test_ports_of_others_are_no_console(stand_in, micropython):
    options = [
        *["-device", "virtio-serial-pci", "-chardev", "null,id=agent"],
        *["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"],
    ]
    with _beside(stand_in, micropython, options) as prompt:
        why = "virtio console 00:02.0: it has no port that is a console"
        assert f"Console: not used: {why}\r\n" in prompt.report
        assert prompt.value(FRAMES) == []
        prompt.run("PFM.check()")


def test_machine_without_one(stand_in, micropython):
    with _beside(stand_in, micropython, []) as prompt:
        assert "Console" not in prompt.report
        assert prompt.run("import kernel; print(kernel.console())") == "False\n"
        assert prompt.value(FRAMES) == []
