"""The text on the screen, as a camera would see it: QEMU's picture of it, read back by tests/host/screen.py."""

import contextlib
import re
from dataclasses import replace

import boots
import prompt as prompts
import pytest
import qemu
import qmp
from screen import UNKNOWN, Screen, at_prompt

TIMEOUT = 120

GREY, BLACK = b"\xaa\xaa\xaa", b"\0\0\0"


@pytest.fixture
def shown(micropython, tmp_path):
    """`at_prompt` with this test's folders."""

    def start(boot, scale=1, extra=()):
        return at_prompt(boot, micropython, tmp_path, scale, extra)

    return start


def _with(stand_in, options="", cmdline="", qemuflags=""):
    boot = stand_in.with_cmdline(cmdline)
    return replace(boot, options=options, qemuflags=f"{boot.qemuflags} {qemuflags}".strip())


def _lines(report):
    return report.replace("\r", "").split("\n")


def _end_of(report, text):
    """As many lines of what was printed, from its end, as this text of a screen has."""
    return [line.rstrip() for line in _lines(report)][-len(text) :]


def _without_blanks(text):
    """The text without empty rows at its end."""
    return "\n".join(text).rstrip("\n").split("\n")


MODES = {
    # Mode: columns, rows and scale of the text.
    "640x480x16": (80, 30, 1),
    "800x600x24": (100, 37, 1),
    "1920x1080x32": (240, 67, 1),
    "2560x1600x32": (320, 100, 1),
    "2600x1000x16": (162, 31, 2),
}


@pytest.mark.parametrize("mode", MODES)
def test_report_and_prompt(stand_in, shown, mode):
    layout = MODES[mode]
    with shown(_with(stand_in, f"framebuffer={mode}", "verbose"), layout[2]) as (prompt, screen):
        # The raw prompt, by which tests run programs, comes last.
        text = _without_blanks(screen.until(lambda text: _without_blanks(text)[-1] == ">"))
        report = prompt.machine.transcript.decode()
        assert (
            f"\nScreen       {layout[0]} x {layout[1]} characters, scale {layout[2]}\r\n" in report
        )
        assert UNKNOWN not in "".join(text)
        assert text == _end_of(report, text)
        assert prompt.value("__import__('kernel').screen()") == list(layout)


@pytest.fixture
def screen_of(stand_in, shown):
    """A machine with the usual screen."""
    with shown(_with(stand_in)) as (prompt, screen):
        yield prompt, screen


def _colours(cell):
    return cell.foreground, cell.background


def test_output(screen_of):
    """One machine: text, colours, motion, scrolling, and what a program does with the screen."""
    prompt, screen = screen_of
    prompt.run(
        r"print('\x1b[2J\x1b[H', end='')"
        "\n"
        r"print('plain \x1b[31mred\x1b[0m \x1b[1;44mbold\x1b[0m \x1b[7mback\x1b[0m \x1b[38;5;208mcube\x1b[0m')"
        "\n"
        r"print('12345\x1b[2D_\x1b[C!\x1b[8Gx\r>')"
        "\n"
        r"print('erased\x1b[3D\x1b[K')"
        "\n"
        r"print('┌──┐ äß€ÿ\b░ \u4e2d')"
        "\n"
        r"print('\ttab')"
        "\n"
        r"print('\x1b[20;5Hhere', end='')"
    )
    screen.until(lambda text: text[19].startswith("    here"))
    cells = screen.cells()
    text = ["".join(cell.character for cell in row).rstrip() for row in cells]
    assert text[:5] == [
        "plain red bold back cube",
        ">23_5! x",
        "era",
        "┌──┐ äß€░ ?",
        "        tab",
    ]
    first = cells[0]
    assert _colours(first[0]) == (GREY, BLACK)
    assert _colours(first[6]) == (b"\xaa\0\0", BLACK)
    assert _colours(first[10]) == (b"\xff\xff\xff", b"\0\0\xaa")
    assert _colours(first[15]) == (BLACK, GREY)
    assert _colours(first[20]) == (b"\xff\x87\x00", BLACK)

    lines = [f"line {number} of a thousand" for number in range(1000)]
    prompt.run("for number in range(1000): print('line', number, 'of a thousand')")
    text = screen.until(lambda text: lines[-1] in text)
    last = text.index(lines[-1])
    assert last >= 47 and text[:last] == lines[999 - last : 999]

    # A program draws, and what is printed meanwhile does not disturb it.
    assert prompt.value("__import__('kernel').screen(False)") == [160, 50, 1]
    prompt.run(
        "import limine, uctypes\n"
        "from pfm.memmap import protocol\n"
        "response = uctypes.struct(limine.response('framebuffer'), protocol.FRAMEBUFFER_RESPONSE)\n"
        "pointer = uctypes.struct(response.framebuffers, {'value': 0 | uctypes.UINT64})\n"
        "frame = uctypes.struct(pointer.value, protocol.FRAMEBUFFER_STRUCT)\n"
        "size = frame.pitch * frame.height\n"
        "uctypes.bytearray_at(frame.address, size)[:] = b'\\x40' * size\n"
        "print('hidden')\n"
    )
    assert set(screen.picture()[-3 * 1280 * 800 :]) == {0x40}
    prompt.run("import kernel; kernel.screen(True); print('\\nshown')")
    text = screen.until_shows("shown")
    assert any("hidden" in row for row in text)

    assert prompt.value("kernel.screen_scale(2) or kernel.screen()") == [80, 25, 2]
    screen.scale = 2
    prompt.run("print('\\nlarge')")
    screen.until_shows("large")
    assert "ValueError: scale 9 is not in 0..8" in prompt.try_run("kernel.screen_scale(9)")[1]


WC = """
from pfm import PFM
from pfm.memmap import protocol
from pfm.paging.tables import WRITE, WRITE_COMBINE
import limine, uctypes
def framebuffer():
    response = uctypes.struct(limine.response("framebuffer"), protocol.FRAMEBUFFER_RESPONSE)
    pointer = uctypes.struct(response.framebuffers, {"value": 0 | uctypes.UINT64})
    return uctypes.struct(pointer.value, protocol.FRAMEBUFFER_STRUCT)
def types():
    # The memory types of the framebuffer's pages, and of the page before and after if there is one.
    frame = framebuffer()
    pages = frame.pitch * frame.height + 4095 >> 12
    inside = {PFM.space.query(frame.address + (page << 12))[2] for page in range(pages)}
    beside = [PFM.space.query(frame.address + (page << 12)) for page in (-1, pages)]
    return inside == {WRITE | WRITE_COMBINE} and not any(b and b[2] & ~WRITE & WRITE_COMBINE for b in beside)
"""


def _survives(prompt, screen):
    """What holds on every machine with a screen, over `reclaim` and a soft reset."""
    prompt.run(WC)
    assert prompt.value("types()")
    before = prompt.value(
        "(framebuffer().address, framebuffer().width, framebuffer().blue_mask_size)"
    )
    prompt.run("PFM.reclaim(); print('\\nreclaimed')")
    screen.until_shows("reclaimed")
    assert (
        prompt.value("(framebuffer().address, framebuffer().width, framebuffer().blue_mask_size)")
        == before
    )
    prompt.run("import kernel; kernel.screen(False)")
    prompt.soft_reset()
    screen.until_shows("MPY: soft reboot")
    prompt.run(WC + "print('\\nagain')")
    screen.until_shows("again")
    assert prompt.value("types()")
    prompt.run("PFM.check()")


def test_reclaim_and_soft_reset(screen_of):
    _survives(*screen_of)


UNMAP = """
frame = framebuffer()
PFM.space.unmap(frame.address, frame.pitch * frame.height >> 12)
import kernel, time
try:
    print("drawn on nothing")
    time.sleep_ms(100)
except kernel.AccessFault as error:
    print("raised", 0 <= error.args[2] - frame.address < frame.pitch * frame.height)
"""


def test_unmapped_framebuffer_is_left_alone(screen_of):
    """Drawing on it raises in the script, once, and the prompt goes on without it."""
    prompt, _ = screen_of
    prompt.run(WC)
    assert prompt.run(UNMAP).endswith("raised True\n")
    assert prompt.run("print('serial'); time.sleep_ms(100); print('only')") == "serial\nonly\n"


LIMINE = [way for way in boots.parametrize() if re.fullmatch("limine.*-(bios|uefi)", way.id)]


@pytest.mark.parametrize("way", LIMINE)
def test_under_limine(way, shown):
    with shown(way.with_cmdline("verbose scale=2"), 2) as (prompt, screen):
        screen.until(lambda text: _without_blanks(text)[-1] == ">")
        assert ", scale 2\r\n" in prompt.report
        _survives(prompt, screen)


UEFI = [way for way in LIMINE if way.id.endswith("-uefi")]
SECOND_SCREEN = "-device secondary-vga,id=second"


def _shows_on_both(prompt, screen):
    assert prompt.report.count("  framebuffer\r\n") == 2
    prompt.run("print('\\nboth')")
    first = screen.until_shows("both")
    screen.until(lambda text: text == first, device="second")


def test_two_screens(stand_in, shown):
    boot = _with(stand_in, "framebuffer=800x600x24", "verbose", SECOND_SCREEN)
    with shown(boot) as (prompt, screen):
        _shows_on_both(prompt, screen)


# Under a BIOS there is one framebuffer, whatever adapters there are.
@pytest.mark.parametrize("way", UEFI)
def test_two_screens_under_uefi(way, shown):
    boot = way.with_cmdline("verbose")
    with shown(replace(boot, qemuflags=f"{boot.qemuflags} {SECOND_SCREEN}")) as (prompt, screen):
        _shows_on_both(prompt, screen)


@pytest.mark.parametrize("options", ["omit=framebuffer", "framebuffer=none"])
def test_no_framebuffer(stand_in, micropython, options):
    with prompts.at_prompt(_with(stand_in, options, "verbose"), micropython) as prompt:
        assert "\nScreen " not in prompt.report
        prompt.run("import kernel, limine\nassert limine.response('framebuffer') is None")
        assert (
            prompt.value("[kernel.screen(), kernel.screen(False), kernel.screen_scale(2)]")
            == [None] * 3
        )
        for call in ("fb.Screen()", "memorymap.Picture()", "memorymap.show()"):
            _, traceback = prompt.try_run(f"import fb, memorymap\n{call}")
            assert traceback.endswith("\nNoScreenError: this machine has no screen\n")
        assert prompt.value("len(fb.screens())") == 0


def test_no_display(stand_in, micropython):
    with prompts.at_prompt(_with(stand_in, qemuflags="-vga none"), micropython) as prompt:
        assert prompt.value("__import__('kernel').screen()") is None


GARBLED = {
    "pitch:0": ("pitch", "1280x800, 32 bits, pitch 0, model 1"),
    "width:0x100000000": ("size", "4294967296x800, 32 bits, pitch 5120, model 1"),
    "height:0": ("size", "1280x0, 32 bits, pitch 5120, model 1"),
    "memory_model:7": ("memory model", "1280x800, 32 bits, pitch 5120, model 7"),
    "bpp:15": ("bits per pixel", "1280x800, 15 bits, pitch 5120, model 1"),
    "red_mask_shift:30": ("masks", "1280x800, 32 bits, pitch 5120, model 1"),
    "address:0": ("address", "1280x800, 32 bits, pitch 5120, model 1, at v0x0000000000000000"),
    "address:0xffff800000100000": (
        "address",
        "1280x800, 32 bits, pitch 5120, model 1, at v0xffff800000100000",
    ),
}


@pytest.mark.parametrize("field", GARBLED)
def test_garbled(stand_in, micropython, field):
    """A framebuffer that cannot be is left out with one line; the kernel boots as ever."""
    defect, values = GARBLED[field]
    with prompts.at_prompt(_with(stand_in, f"garble={field}"), micropython) as prompt:
        lines = [line for line in _lines(prompt.report) if line.startswith("Framebuffer ")]
        assert len(lines) == 1
        assert lines[0].startswith(f"Framebuffer 0 not used for its {defect}: {values}")
        assert prompt.value("__import__('kernel').screen()") is None
        assert prompt.value("len(__import__('fb').screens())") == 0


def test_one_garbled_of_two(stand_in, shown):
    boot = _with(stand_in, "garble=pitch:0", qemuflags="-device secondary-vga,id=second")
    with shown(boot) as (prompt, screen):
        prompt.run("print('\\nthe other')")
        text = screen.until_shows("the other", device="second")
        assert prompt.report.startswith("Framebuffer 0 not used for its pitch: ")
        assert len(text) == 50


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("scale=big", "Command line: 'scale=big' ignored"),
        ("scale=0", "Command line: 'scale=0' ignored"),
        ("scale=8", "Command line: scale of 4 (8 asked for)"),
    ],
)
def test_scales(stand_in, micropython, word, line):
    with prompts.at_prompt(_with(stand_in, cmdline=word), micropython) as prompt:
        assert line in _lines(prompt.report)


@contextlib.contextmanager
def _without_debug_exit(boot, path):
    """The screen of a machine where nothing takes the kernel's exit code: it runs on, as a PC does."""
    argv = qemu.command(boot, "null", qmp.listen(path))
    device = argv.index(qemu.DEBUG_EXIT)
    del argv[device - 1 : device + 1]
    with qemu.Process(argv, TIMEOUT), Screen(path) as screen:
        yield screen


def test_panic(stand_in, tmp_path):
    line = "panic: the loader gave no memmap response (base revision 6)"
    with _without_debug_exit(_with(stand_in, "omit=memmap"), tmp_path / "qmp") as screen:
        assert screen.until_shows(line)[0] == line


def test_fault(stand_in, tmp_path):
    with _without_debug_exit(_with(stand_in), tmp_path / "qmp") as screen:
        screen.until_shows(">>>")
        screen.monitor.command("inject-nmi")
        text = screen.until_shows("CR0=")
    start = text.index("fault: vector 2 (non-maskable interrupt), error code 0x0")
    assert re.match("RIP=[0-9a-f]{16} CS=0008 ", text[start + 1])
