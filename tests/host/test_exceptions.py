"""Faults at run time: what a script can cause is its exception, all else one report and exit code 3."""

import re
import socket
import time

import boots
import pytest
import qemu
from prompt import at_prompt

WATCHDOG = 120
# Seconds for QEMU's monitor to answer.
TIMEOUT = 20
# An address of no use: not mapped, of neither half.
UNMAPPED = 0x12_3456_7000
NOT_CANONICAL = 0x1234_5678_9ABC_0000

# Bytes of machine code in place of a compiled function's: mp_obj_fun_bc_t keeps the
# address of the code behind three pointers.
MACHINE_CODE = """
import machine, micropython
@micropython.viper
def victim():
    a = ptr8(0x1000)
    b = int(a[0]) + int(a[1]) + int(a[2]) + int(a[3])
code = machine.mem32[id(victim) + 24] | machine.mem32[id(victim) + 28] << 32
def execute(text):
    for i, byte in enumerate(bytes.fromhex(text)):
        machine.mem8[code + i] = byte
    victim()
"""

# Machine code, and the lines that its report begins with.
EXCEPTIONS = {
    # int3
    "cc": ["fault: vector 3 (breakpoint), error code 0x0"],
    # ud2
    "0f0b": ["fault: vector 6 (invalid opcode), error code 0x0"],
    # mov rsp, a non-canonical address; push rax: the stack fault has no stack to be reported on
    "48bc0000000000008000 50": ["fault: vector 8 (double fault), error code 0x0"],
    # mov ax, 0x1234; mov ds, ax
    "66b83412 8ed8": ["fault: vector 13 (general protection), error code 0x1234"],
    # mov rsp, 0x1000; push rax
    "48bc0010000000000000 50": [
        "fault: vector 14 (page fault), error code 0x2",
        "write of v0x0000000000000ff8: page not mapped",
    ],
    # mov rax, 0x5000; jmp rax
    "48b80050000000000000 ffe0": [
        "fault: vector 14 (page fault), error code 0x10",
        "execution of v0x0000000000005000: page not mapped",
    ],
    # lea rax, [rsp]; jmp rax
    "488d0424 ffe0": [
        "fault: vector 14 (page fault), error code 0x11",
        "execution of v0x",
    ],
}
REGISTERS = re.compile(r"RIP=[0-9a-f]{16} CS=0008 .*\n(?:.*\n)*?CR0=[0-9a-f]{8} CR2=[0-9a-f]{16} ")


@pytest.fixture
def prompt(stand_in, micropython):
    """A machine at its prompt."""
    with at_prompt(stand_in.with_cmdline(""), micropython, WATCHDOG) as prompt:
        yield prompt


def _report(machine):
    """The lines of the report with which the machine ends."""
    said = machine.read_all().decode(errors="replace").replace("\r", "")
    assert machine.wait(WATCHDOG) == qemu.Ending.FAULT, said
    assert said.count("fault: vector ") == 1, said
    report = said[said.index("fault: vector ") :]
    assert REGISTERS.search(report), report
    assert 'Python (most recent call last):\n  File "<stdin>", line 1, in <module>\n' in report
    return report.splitlines()


@pytest.mark.parametrize("code", EXCEPTIONS)
def test_exception_is_reported(prompt, code):
    prompt.run(MACHINE_CODE)
    prompt.send(f"execute('{code}')")
    lines = _report(prompt.machine)
    for line, expected in zip(lines, EXCEPTIONS[code], strict=False):
        assert line.startswith(expected)


# One machine of each loader and firmware; the rest differ in memory.
WAYS = [way for way in boots.all_ways() if way.missing or way.name == way.boot.name]


@pytest.mark.parametrize("way", [pytest.param(w, id=w.name, marks=w.marks) for w in WAYS])
@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("nmi", "fault: vector 2 (non-maskable interrupt), error code 0x0"),
        # An uncorrected error of bank 0: valid, uncorrected, enabled, and an address.
        ("mce 0 0 0xbd00000000000000 4 0 0", "fault: vector 18 (machine check), error code 0x0"),
    ],
)
def test_what_the_machine_sends_is_reported(way, micropython, tmp_path, command, line):
    path = tmp_path / "monitor"
    extra = ["-monitor", f"unix:{path},server=on,wait=off"]
    with at_prompt(way.with_cmdline(""), micropython, WATCHDOG, extra=extra) as prompt:
        prompt.send("while True: pass")
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(TIMEOUT)
            monitor.connect(str(path))
            # What is typed before the monitor's own prompt is lost.
            said = b""
            while b"(qemu) " not in said:
                said += monitor.recv(4096)
            time.sleep(0.5)
            monitor.sendall(command.encode() + b"\n")
            assert _report(prompt.machine)[0] == line


# Statements, each with what the exception's last line holds; the prompt goes on after all.
WILD = [
    (f"machine.mem32[{UNMAPPED}]", f"read of v0x{UNMAPPED:016x}: page not mapped"),
    (
        f"machine.mem8[{UNMAPPED}] = 1",
        f"write of v0x{UNMAPPED:016x}: page not mapped",
    ),
    (f"machine.mem16[{NOT_CANONICAL}]", f"v0x{NOT_CANONICAL:016x}: address not canonical"),
    ("machine.mem32[0]", "read of v0x0000000000000000: page not mapped"),
    (
        "machine.mem32[kernel.segments()[0][0]] = 0",
        "write of v0x{text:016x}: page not writable",
    ),
    (
        f"uctypes.struct({UNMAPPED}, {{'a': 8 | uctypes.UINT64}}).a",
        f"read of v0x{UNMAPPED + 8:016x}: page not mapped",
    ),
    (
        f"uctypes.struct({UNMAPPED}, {{'a': 8 | uctypes.UINT8}}).a = 1",
        f"write of v0x{UNMAPPED + 8:016x}: page not mapped",
    ),
    (f"bytes(uctypes.bytearray_at({NOT_CANONICAL}, 8))", "address not canonical"),
    (f"bytes(uctypes.bytearray_at({UNMAPPED}, 99999))", "page not mapped"),
    (f"peek({UNMAPPED})", f"read of v0x{UNMAPPED:016x}: page not mapped"),
    (f"poke({UNMAPPED})", f"write of v0x{UNMAPPED:016x}: page not mapped"),
    (f"peek({NOT_CANONICAL})", f"v0x{NOT_CANONICAL:016x}: address not canonical"),
    ("poke(kernel.segments()[0][0])", "write of v0x{text:016x}: page not writable"),
    # Native code that is frozen into the kernel.
    (
        f"fill.words({UNMAPPED}, 64, 0)",
        f"write of v0x{UNMAPPED:016x}: page not mapped",
    ),
    (f"fill.words({NOT_CANONICAL}, 64, 0)", "address not canonical"),
    ("fill.words(kernel.segments()[0][0], 64, 0)", "page not writable"),
    (f"lock.release({UNMAPPED}, 0)", f"v0x{UNMAPPED:016x}: page not mapped"),
    # The stack runs over in Python, in native code, and in C.
    ("deeper()", "RuntimeError: maximum recursion depth exceeded"),
    ("viper_deeper(0)", "RuntimeError: maximum recursion depth exceeded"),
    ("repr(nested)", "RuntimeError: maximum recursion depth exceeded"),
    ("re.match('(' * 5000 + ')' * 5000, 'x')", "RuntimeError: maximum recursion depth exceeded"),
]
DEFINITIONS = """
import kernel, machine, micropython, re, uctypes
from pfm import PFM, fill, lock
@micropython.viper
def peek(virt: int) -> int:
    return int(ptr32(virt)[0])
@micropython.viper
def poke(virt: int):
    ptr32(virt)[0] = 1
def deeper():
    return deeper()
@micropython.viper
def viper_deeper(n: int) -> int:
    return int(viper_deeper(n + 1))
nested = []
for _ in range(100000):
    nested = [nested]
"""


def test_wild_accesses_and_deep_stacks_raise(prompt):
    prompt.run(DEFINITIONS)
    text = prompt.value("kernel.segments()[0][0]")
    for _ in range(2):
        for statement, expected in WILD:
            output, traceback = prompt.try_run(statement)
            last = traceback.rstrip("\n").rpartition("\n")[2]
            assert output == "" and expected.format(text=text) in last, (statement, traceback)
            assert last.startswith(("AccessFault: ", "RuntimeError: "))
            assert prompt.run("print(6 * 7)") == "42\n"
    prompt.run("PFM.check()")
    assert prompt.run("import selftest; print(selftest.run('contract'))").endswith("\n0\n")
