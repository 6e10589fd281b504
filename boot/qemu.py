"""QEMU: its command line, a process that cannot be left behind, and how it ended.

boot = Boot(loader=DIRECT, memory="6G", cmdline="selftest")
with Machine(boot, timeout=120) as machine:
    report = machine.read_all()
    ending = machine.wait()
"""

import ctypes
import enum
import os
import re
import select
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import iso
from disk import Disk

ROOT = Path(__file__).resolve().parent.parent
STAND_IN = ROOT / "build" / "direct" / "direct.elf"

# The stand-in loader; any other is a limine.Release.
DIRECT = "direct"

# The port for the guest's exit code: QEMU ends with status (code << 1) | 1.
DEBUG_EXIT = "isa-debug-exit,iobase=0xf4,iosize=0x04"

# The chardevs of the serial port and of the virtio console, whose port has this name, too:
# kernel/modules/virtioconsole.py knows it by that.
SERIAL = "serial"
CONSOLE = "console"

# The word of the command line by which the kernel formats a blank disk.
FORMAT = "format=fat"

# More guest memory than this is not reserved on the host, which may have less.
RESERVED_MEMORY = 4 << 30
# Physical address bits of QEMU's `max` processor under TCG.
DEFAULT_PHYS_BITS = 40

# Paths on Debian and on other distributions; OVMF_CODE and OVMF_VARS override both.
FIRMWARE = (
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
)

# prctl(2)
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Ending(enum.IntEnum):
    """How a machine ended; the value is the exit status of the command that ran it.

    OK to LOADER are the guest's own exit codes."""

    OK = 0
    FAIL = 1
    PANIC = 2
    FAULT = 3
    LOADER = 4
    RESET = 123
    TIMED_OUT = 124
    QEMU_FAILED = 125

    @property
    def meaning(self):
        return {
            Ending.OK: "powered off",
            Ending.FAIL: "the program or the input raised, or a self test failed",
            Ending.PANIC: "kernel panic",
            Ending.FAULT: "processor exception in the kernel",
            Ending.LOADER: "the stand-in loader refused to boot",
            Ending.RESET: "reset without an exit code, or QEMU was told to quit",
            Ending.TIMED_OUT: "ended by the watchdog",
            Ending.QEMU_FAILED: "QEMU itself failed",
        }[self]


class FirmwareMissing(Exception):
    """No UEFI firmware for QEMU on this host."""

    def __init__(self):
        super().__init__(
            "UEFI firmware: not found; install Debian's package ovmf or set OVMF_CODE"
        )


class MachineEnded(Exception):
    """The machine ended before it was expected to; carries its Ending."""

    def __init__(self, ending):
        super().__init__(f"the machine ended: {ending.name} ({ending.meaning})")
        self.ending = ending


class MachineSilent(Exception):
    """The machine's serial port was silent for that many seconds."""

    def __init__(self, seconds):
        super().__init__(f"no output from the machine for {seconds} s")


@dataclass(frozen=True)
class Boot:
    """One way to boot: loader, firmware and machine.

    loader is DIRECT or a limine.Release, options are for the stand-in loader only, image is
    where the ISO for Limine is written, medium is "cdrom" or "disk". menu shows Limine's menu,
    which boots the first entry after its countdown. app is an image that app.pack made, disk is
    what disk.prepare found; the kernel formats it if it is blank."""

    loader: object = DIRECT
    firmware: str = "bios"
    memory: str = "512M"
    cmdline: str = ""
    options: str = ""
    qemuflags: str = ""
    kernel: Path = iso.KERNEL
    image: Path = ROOT / "build" / "run.iso"
    medium: str = "cdrom"
    menu: bool = False
    app: Path | None = None
    disk: Disk | None = None

    @property
    def name(self):
        """Short name: "direct-bios", "limine-8.2.0-uefi"."""
        loader = self.loader if self.loader == DIRECT else f"limine-{self.loader.version}"
        return f"{loader}-{self.firmware}"


def firmware_files():
    """Return the paths of OVMF's code and pristine variables. Raises FirmwareMissing."""
    code = os.environ.get("OVMF_CODE")
    pairs = [(code, os.environ.get("OVMF_VARS"))] if code else FIRMWARE
    for code, variables in pairs:
        if os.path.exists(code):
            return code, variables
    raise FirmwareMissing


def parse_size(text):
    """Return the bytes of a size in the form of QEMU's -m ("6G", "size=512M", "64").

    Returns None if it is no such size."""
    match = re.fullmatch(r"(?:size=)?(\d+)([KMGT]?)B?(?:,.*)?", text, re.IGNORECASE)
    if not match:
        return None
    return int(match[1]) << 10 * " KMGT".index(match[2].upper() or "M")


def _machine_options(boot):
    """Return options for processor, board and memory; those in boot.qemuflags win."""
    flags = shlex.split(boot.qemuflags)
    memory = boot.memory
    if "-m" in flags[:-1]:
        at = flags.index("-m")
        memory = flags[at + 1]
        del flags[at : at + 2]
    size = parse_size(memory) or 0
    options = ["-m", memory]
    if "-accel" not in flags:
        options += ["-accel", "tcg"]
    if "-cpu" not in flags:
        # One bit more than the size needs: the hole below 4 GiB moves some RAM up.
        bits = max(DEFAULT_PHYS_BITS, (2 * size).bit_length())
        options += ["-cpu", "max" if bits == DEFAULT_PHYS_BITS else f"max,phys-bits={bits}"]
    if not {"-M", "-machine"} & set(flags):
        options += ["-machine", "q35"]
    if size > RESERVED_MEMORY and not any(f == "-numa" or "memory-backend" in f for f in flags):
        options += ["-object", f"memory-backend-ram,id=ram,size={size},reserve=off"]
        flags += ["-machine", "memory-backend=ram"]
    return options + flags


def _loader_options(boot):
    """Return the options for what the machine boots from; makes the ISO for Limine.

    Raises iso.IsoFailed, FirmwareMissing."""
    if boot.loader == DIRECT:
        if boot.firmware != "bios":
            raise ValueError("the stand-in loader boots under BIOS only")
        # In -initrd a comma starts the next module; the words after the file are its string.
        modules = [
            f"{boot.kernel} {_cmdline(boot)}".strip(),
            *([str(boot.app)] if boot.app else []),
        ]
        initrd = ",".join(module.replace(",", ",,") for module in modules)
        options = ["-kernel", str(STAND_IN), "-initrd", initrd]
        return options + (["-append", boot.options] if boot.options else [])
    configuration = iso.with_cmdline(iso.CONFIGURATION.read_text(), _cmdline(boot))
    if not boot.menu:
        configuration = iso.unattended(configuration)
    disk = boot.medium == "disk"
    iso.make_iso(
        boot.image, boot.loader, configuration, kernel=boot.kernel, disk=disk, program=boot.app
    )
    options = ["-drive", f"media={boot.medium},format=raw,snapshot=on,file={boot.image}"]
    if boot.firmware == "uefi":
        code, variables = firmware_files()
        options += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"]
        if variables:
            options += ["-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={variables}"]
    return options


def _disk_options(boot):
    """Return the options for the lasting disk, from which nothing boots."""
    if not boot.disk:
        return []
    return [*boot.disk.options, *(["-boot", "order=d"] if boot.loader != DIRECT else [])]


def _cmdline(boot):
    """Return the kernel's command line: a blank disk is to be formatted, by default as FAT."""
    blank = boot.disk and boot.disk.blank and "format=" not in boot.cmdline
    return f"{boot.cmdline} {FORMAT}".strip() if blank else boot.cmdline


def to_file(path):
    """Return the chardev that writes to a file."""
    return "file,path=" + str(path).replace(",", ",,")


def console(chardev):
    """Return the options for a virtio console on this chardev, beside the serial port."""
    return [
        *["-chardev", f"{chardev},id={CONSOLE}"],
        # Without ioeventfd output is on its way at once, not after a turn of QEMU's main loop.
        *["-device", "virtio-serial-pci,disable-legacy=on,max_ports=2,ioeventfd=off"],
        # A virtserialport waits for its reader, where a virtconsole loses output.
        *["-device", f"virtserialport,chardev={CONSOLE},name={CONSOLE}"],
    ]


def read_device(process, timeout, name=SERIAL):
    """Return the name of the pty that a Process has for its chardev "pty".

    It is the one of the serial port, or with the name CONSOLE of the virtio console. The
    process's standard output is a pipe. Returns None if QEMU names none within timeout seconds.
    """
    said = b""
    deadline = time.monotonic() + timeout
    named = rb"redirected to (/dev/\S+) \(label " + name.encode()
    while not (match := re.search(named, said)):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.popen.stdout], [], [], left)[0]:
            return None
        data = process.popen.stdout.read(4096)
        if not data:
            return None
        said += data
    return match[1].decode()


def command(boot, chardev, extra=()):
    """Return QEMU's command line, with the guest's serial port on this chardev.

    If chardev is None, the guest has no serial port."""
    serial = ["-chardev", f"{chardev},id={SERIAL}", "-serial", f"chardev:{SERIAL}"]
    return [
        "qemu-system-x86_64",
        *["-display", "none", "-no-reboot", "-nic", "none", "-device", DEBUG_EXIT],
        *(serial if chardev else ["-serial", "none"]),
        *_machine_options(boot),
        *_loader_options(boot),
        *_disk_options(boot),
        *extra,
    ]


def die_with_parent(parent):
    """Have the kernel kill this process when that parent dies, however it dies."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(Ending.QEMU_FAILED)


def _decode(status, complaint):
    """Return the Ending for QEMU's exit status and its standard error."""
    # QEMU's own failure has status 1 too; only then is there an error without "warning:".
    failed = re.search(r"(?m)^qemu-system-x86_64: (?!warning:|terminating on signal)", complaint)
    if status == 0:
        return Ending.RESET
    if status % 2 == 1 and status >> 1 <= Ending.LOADER and not (status == 1 and failed):
        return Ending(status >> 1)
    return Ending.QEMU_FAILED


class Process:
    """A running QEMU, killed when this process dies or after timeout seconds, if given."""

    def __init__(self, argv, timeout=None, **streams):
        parent = os.getpid()
        self._stderr = tempfile.TemporaryFile()
        self.timed_out = False
        self.popen = subprocess.Popen(
            argv,
            bufsize=0,
            stderr=self._stderr,
            preexec_fn=lambda: die_with_parent(parent),
            **streams,
        )
        self._watchdog = threading.Timer(timeout or 0, self._bite)
        self._watchdog.daemon = True
        if timeout:
            self._watchdog.start()

    def _bite(self):
        self.timed_out = True
        self.popen.kill()

    def wait(self, timeout=None):
        """Return how it ended; kill it if that takes longer than timeout seconds."""
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._bite()
            status = self.popen.wait()
        return Ending.TIMED_OUT if self.timed_out else _decode(status, self.complaint())

    def complaint(self):
        """Return what QEMU has written to standard error so far."""
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")

    def close(self):
        self._watchdog.cancel()
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout, self._stderr):
            if stream:
                stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Machine(Process):
    """A machine whose serial port this process reads and writes.

    read, write and inWaiting are what MicroPython's pyboard.py needs of a serial port. silence
    is how many seconds may pass without expected output. transcript holds every byte received.
    Each reader raises MachineEnded or MachineSilent.

    With a file serial_log this process has a virtio console instead, and what the serial port
    says goes to the file."""

    def __init__(self, boot, timeout, silence=None, extra=(), serial_log=None):
        mine = "stdio,signal=off"
        if serial_log:
            argv = command(boot, to_file(serial_log), [*console(mine), *extra])
        else:
            argv = command(boot, mine, extra)
        super().__init__(argv, timeout, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.silence = silence
        self.transcript = bytearray()
        self._taken = 0
        self.consumer = None

    def _fill(self, wait):
        """Receive what is there, waiting for it if told to; return False at the end."""
        output = self.popen.stdout
        if not select.select([output], [], [], self.silence if wait else 0)[0]:
            if wait:
                raise MachineSilent(self.silence)
            return True
        data = output.read(1 << 16)
        self.transcript += data
        if self.consumer and data:
            self.consumer(data)
        return bool(data)

    def inWaiting(self):
        if self._taken == len(self.transcript) and not self._fill(wait=False):
            raise MachineEnded(self.wait())
        return len(self.transcript) - self._taken

    def read(self, size=1):
        while len(self.transcript) - self._taken < size:
            if not self._fill(wait=True):
                raise MachineEnded(self.wait())
        self._taken += size
        return bytes(self.transcript[self._taken - size : self._taken])

    def read_until(self, ending):
        """Return everything up to and including these bytes."""
        start = self._taken
        while True:
            found = self.transcript.find(ending, max(start, self._taken - len(ending)))
            if found >= 0:
                self._taken = found + len(ending)
                return bytes(self.transcript[start : self._taken])
            self._taken = len(self.transcript)
            if not self._fill(wait=True):
                raise MachineEnded(self.wait())

    def read_all(self):
        """Return everything until the machine ends."""
        while self._fill(wait=True):
            pass
        data = bytes(self.transcript[self._taken :])
        self._taken = len(self.transcript)
        return data

    def write(self, data):
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self.popen.stdin.write(rest) :]
        except BrokenPipeError:
            raise MachineEnded(self.wait()) from None
        return len(data)
