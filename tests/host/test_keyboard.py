"""The keyboard: what is typed on it, as seen from outside; the answers come on the serial port."""

import json
import string
import subprocess
import time
from dataclasses import replace

import keys
import pytest
import qemu
import qmp
import repl

# Seconds for one machine, and without a byte from it.
TIMEOUT = 120
SILENCE = 30
# Seconds between two tries of a machine that cannot answer.
RETRY = 1

# More bytes than the input buffer holds.
MORE_THAN_FITS = 20000

# Of each layout some keys with what they type, as printed on keyboards of that country.
PRINTED = {
    "us": [
        (["alt_r", "q"], ""),
        (["shift", "2"], "@"),
        (["shift", "apostrophe"], '"'),
        (["backslash"], "\\"),
        (["y"], "y"),
    ],
    "uk": [
        (["shift", "2"], '"'),
        (["shift", "3"], "£"),
        (["backslash"], "#"),
        (["shift", "backslash"], "~"),
        (["less"], "\\"),
        (["alt_r", "4"], "€"),
        (["shift", "alt_r", "e"], "É"),
    ],
    "de": [
        (["y"], "z"),
        (["shift", "7"], "/"),
        (["shift", "0"], "="),
        (["semicolon"], "ö"),
        (["shift", "apostrophe"], "Ä"),
        (["minus"], "ß"),
        (["alt_r", "7"], "{"),
        (["alt_r", "0"], "}"),
        (["alt_r", "minus"], "\\"),
        (["alt_r", "q"], "@"),
        (["alt_r", "e"], "€"),
        (["alt_r", "bracket_right"], "~"),
        (["alt_r", "less"], "|"),
    ],
    "fr": [
        (["q"], "a"),
        (["w"], "z"),
        (["semicolon"], "m"),
        (["1"], "&"),
        (["shift", "1"], "1"),
        (["2"], "é"),
        (["5"], "("),
        (["shift", "dot"], "/"),
        (["alt_r", "4"], "{"),
        (["alt_r", "equal"], "}"),
        (["alt_r", "8"], "\\"),
        (["alt_r", "0"], "@"),
        (["alt_r", "6"], "|"),
    ],
}


class Desk:
    """A machine at its prompt, and its keyboard."""

    def __init__(self, machine, monitor):
        self.machine = machine
        self.monitor = monitor
        self.report = self.until_prompt()

    def until_prompt(self):
        return self.machine.read_until(b"\n" + repl.PROMPT).decode(errors="replace")

    def press(self, *codes):
        keys.press(self.monitor, *codes)

    def type(self, text):
        """Type text at the prompt, and see each character echoed."""
        for character in text:
            self.press(*keys.codes(character))
            self.machine.read_until(character.encode())

    def answer(self, line):
        """What the machine prints for a line that is typed on the keyboard."""
        self.type(line)
        self.press("ret")
        return self.until_prompt().removeprefix("\r\n")

    def start(self, source):
        """Run source, sent by the serial port, and wait until it runs."""
        program = f"print('be' + 'gun')\n{source}"
        self.machine.write(f"exec({program!r})\r".encode())
        self.machine.read_until(b"begun\r\n")

    def typed(self, presses, count):
        """The next `count` characters that a program reads after these presses."""
        self.start(f"import json, sys; print(json.dumps(sys.stdin.read({count})))")
        for codes in presses:
            self.press(*codes)
        return json.loads(self.until_prompt().splitlines()[0])


@pytest.fixture(
    scope="module", params=["", "from pfm import PFM; PFM.reclaim()"], ids=["booted", "reclaimed"]
)
def desk(request, tmp_path_factory):
    """A machine as it has booted, and one whose loader's memory is in use again."""
    path = tmp_path_factory.mktemp("keyboard") / "qmp"
    with qemu.Machine(qemu.Boot(), TIMEOUT, SILENCE, extra=qmp.listen(path)) as machine:
        with qmp.Monitor(path) as monitor:
            desk = Desk(machine, monitor)
            desk.answer(request.param)
            yield desk


def test_a_line(desk):
    assert desk.answer("print(6*7)") == "42\r\n>>> "


def test_every_character_of_a_us_keyboard(desk):
    characters = string.ascii_letters + string.digits + string.punctuation + " "
    assert desk.answer(f"print(r'''{characters}''')") == characters + "\r\n>>> "


def test_history_and_editing(desk):
    desk.answer("x = 123")
    desk.press("up")
    for code in ("left", "left", "delete", "backspace", "home", "right", "end"):
        desk.press(code)
    assert desk.answer("7") == ">>> "
    assert desk.answer("x") == "37\r\n>>> "


def test_words(desk):
    desk.type("print(5, 20)")
    desk.press("ctrl", "left")
    assert desk.answer("3").endswith("\r\n5 320\r\n>>> ")
    desk.type("print(5, 20)")
    desk.press("alt", "b")
    assert desk.answer("4").endswith("\r\n5 420\r\n>>> ")


def test_completion_by_tab(desk):
    desk.answer("import sys")
    desk.type("sys.platf")
    desk.press("tab")
    assert desk.answer("") == "orm\r\n'limine'\r\n>>> "


def test_ctrl_c_stops_a_loop(desk):
    desk.start("while True: pass")
    desk.press("ctrl", "c")
    assert "KeyboardInterrupt" in desk.until_prompt()


def test_ctrl_c_waits_for_the_end_of_a_critical_section(desk):
    desk.start(
        "from pfm.lock import critical\n"
        "with critical():\n"
        "  for _ in range(300000): pass\n"
        "  print('whole')\n"
        "while True: pass"
    )
    desk.press("ctrl", "c")
    answer = desk.until_prompt()
    assert "whole\r\n" in answer and "KeyboardInterrupt" in answer


def test_ctrl_c_stops_a_loop_when_nothing_more_fits_into_the_input_buffer(desk):
    desk.start("while True: pass")
    desk.machine.write(MORE_THAN_FITS * b"x")
    desk.press("ctrl", "c")
    assert "KeyboardInterrupt" in desk.until_prompt()
    desk.machine.write(b"\x03")
    desk.until_prompt()


def test_soft_reset(desk):
    desk.press("ctrl", "d")
    desk.machine.read_until(b"soft reboot")
    desk.until_prompt()
    assert desk.answer("6*7") == "42\r\n>>> "


@pytest.mark.parametrize("name", PRINTED)
def test_layout(desk, name):
    desk.answer(f"import keymap; keymap.use('{name}')")
    presses, characters = zip(*PRINTED[name], strict=True)
    expected = "".join(characters)
    try:
        assert desk.typed(presses, len(expected)) == expected
    finally:
        desk.machine.write(b"keymap.use('us')\r")
        desk.until_prompt()


def test_modifiers(desk):
    presses = [["caps_lock"], ["a"], ["shift", "b"], ["1"], ["caps_lock"], ["a"], ["shift_r", "b"]]
    assert desk.typed(presses, 5) == "Ab1aB"
    assert (
        desk.typed([["ctrl", "bracket_left"], ["ctrl_r", "w"], ["ctrl", "1"], ["x"]], 3)
        == "\x1b\x17x"
    )


def test_keypad(desk):
    digits = [["kp_7"], ["kp_add"], ["kp_0"], ["kp_decimal"], ["kp_multiply"], ["kp_divide"]]
    assert desk.typed(digits, 6) == "7+0.*/"
    off_and_on = [["num_lock"], ["kp_8"], ["num_lock"], ["kp_8"]]
    assert desk.typed(off_and_on, 4) == "\x1b[A8"


def test_keys_that_type_nothing(desk):
    silent = ["pause", "print", "menu", "meta_l", "f1", "f12", "scroll_lock", "kp_5"]
    assert desk.typed([[code] for code in silent] + [["x"]], 2) == "5x"


@pytest.fixture
def booted(stand_in, tmp_path):
    """Boots the kernel with this command line."""
    machines = []

    def boot(cmdline):
        path = tmp_path / "qmp"
        machine = qemu.Machine(
            stand_in.with_cmdline(cmdline), TIMEOUT, SILENCE, extra=qmp.listen(path)
        )
        machines.append(machine)
        return Desk(machine, qmp.Monitor(path))

    yield boot
    for machine in machines:
        machine.close()


def test_layout_from_the_command_line_lasts_over_a_soft_reset(booted):
    desk = booted("keymap=de")
    assert desk.typed([["y"]], 1) == "z"
    desk.press("ctrl", "d")
    desk.machine.read_until(b"soft reboot")
    desk.until_prompt()
    assert desk.typed([["y"]], 1) == "z"


def test_unknown_layout(booted):
    desk = booted("keymap=xx")
    assert "Command line: keymap=xx: must be one of de, fr, uk, us" in desk.report.splitlines()
    assert desk.answer("6*7") == "42\r\n>>> "


def test_no_controller(stand_in):
    boot = replace(stand_in.with_cmdline(""), qemuflags="-machine q35,i8042=off")
    with qemu.Machine(boot, TIMEOUT, SILENCE) as machine:
        machine.read_until(b"\n" + repl.PROMPT)
        machine.write(b"print(6 * 7)\r")
        machine.read_until(b"\r\n42\r\n" + repl.PROMPT)


def test_prompt_of_a_machine_without_a_serial_port(stand_in, tmp_path):
    """How the machine ends tells that it ran what was typed."""
    argv = qemu.command(stand_in.with_cmdline(""), None, qmp.listen(tmp_path / "qmp"))
    with qemu.Process(argv, TIMEOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        with qmp.Monitor(tmp_path / "qmp") as monitor:
            # What is typed before the prompt shows may be lost.
            while machine.popen.poll() is None:
                try:
                    for character in "\nimport kernel; kernel.exit(0)\n":
                        keys.press(monitor, *keys.codes(character))
                except qmp.MonitorFailed:
                    break
                time.sleep(RETRY)
        assert machine.wait() == qemu.Ending.OK
