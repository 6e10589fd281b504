#!/usr/bin/env python3
"""Boot the kernel in QEMU: interactively at a terminal, else run standard input.

Reads the Makefile's variables MEMORY, CMDLINE, QEMUFLAGS, TIMEOUT (seconds), SERIAL (stdio or
pty), APP (a folder), SCRIPT (a file, run in place of standard input), SCREENSHOT (a file to
write), DISK (an image file) and DISK_SIZE from the environment. Exits with 0 if the machine powered off, else with qemu.Ending's
value and a line that says why.
"""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import app
import disk
import fetch
import iso
import limine
import qemu
import qmp
import repl

# Seconds without output after which a boot counts as hung.
SILENCE = 120
# Seconds from the request to power off until QEMU must have ended.
POWER_OFF_TIMEOUT = 10
# What the kernel and a loader need beside one's own program, in bytes.
LEFT_BY_APP = 24 << 20
# Seconds until QEMU has named the device of SERIAL=pty.
DEVICE_TIMEOUT = 20

MIB = 1 << 20
BUILD = qemu.ROOT / "build"
# The name that the device of SERIAL=pty always has.
SERIAL_LINK = BUILD / "serial"

# What the machine's serial port says then; the device is the virtio console.
SERIAL_LOG = BUILD / "serial.log"

# At an automated boot a reset ends QEMU (-no-reboot); a user's machine starts again.
RESTARTS = ["-action", "reboot=reset"]

GDB_PORT = 1234

# What the machine is asked before anything that could disturb the answer.
PROGRAM_RAISED = "print(int(__import__('kernel').program_raised()), end='')"


def say(text):
    print(text, file=sys.stderr, flush=True)


def choose_loader(wanted, firmware):
    """Return the loader for "auto", "limine" or "direct".

    Raises SystemExit with one line if there is none."""
    if wanted not in ("auto", "limine", "direct"):
        sys.exit(f"LOADER={wanted}: must be auto, limine or direct")
    if wanted != "direct":
        try:
            return limine.releases()[0]
        except limine.NotFound as e:
            if firmware == "uefi":
                sys.exit(f"{e}; the stand-in loader boots under BIOS only")
            if wanted == "limine":
                sys.exit(str(e))
            say(f"{e}; booting with the stand-in loader")
        except (limine.Incomplete, fetch.WrongHash) as e:
            sys.exit(str(e))
    if firmware == "uefi":
        sys.exit(f"LOADER=direct boots under BIOS only; for UEFI {limine.HOW_TO_GET}")
    return qemu.DIRECT


def report(ending, process):
    """Print how the machine ended unless all is well; return the exit status."""
    complaint = process.complaint()
    if complaint:
        say(complaint.rstrip())
    if ending != qemu.Ending.OK:
        say(f"{ending.name}: {ending.meaning}")
    return int(ending)


@contextlib.contextmanager
def named(device):
    """Have SERIAL_LINK point to a device in the context. Raises SystemExit with one line."""
    if SERIAL_LINK.exists() and not SERIAL_LINK.is_symlink():
        sys.exit(f"{SERIAL_LINK}: in the way of the serial port's name; remove it")
    new = SERIAL_LINK.with_name(f"{SERIAL_LINK.name}-{os.getpid()}")
    new.symlink_to(device)
    new.replace(SERIAL_LINK)
    try:
        yield SERIAL_LINK
    finally:
        # A machine that was started later has the name now.
        if os.path.lexists(SERIAL_LINK) and os.readlink(SERIAL_LINK) == device:
            SERIAL_LINK.unlink()


def on_device(boot, timeout, extra):
    """Boot with a virtio console at a device of its own, and wait for the end."""
    log = qemu.to_file(SERIAL_LOG)
    argv = qemu.command(boot, log, [*RESTARTS, *qemu.console("pty"), *extra])
    with qemu.Process(argv, timeout, stdout=subprocess.PIPE) as process:
        device = qemu.read_device(process, DEVICE_TIMEOUT, qemu.CONSOLE)
        if device is None:
            return report(process.wait(DEVICE_TIMEOUT), process)
        with named(device) as link:
            say(f"serial port: {link} is {device}; mpremote connect {link}")
            say(f"what it says from the start on is in {SERIAL_LOG}")
            ending = process.wait()
        return 0 if ending == qemu.Ending.RESET else report(ending, process)


def interactive(boot, timeout, extra):
    """Connect the user's terminal to the machine's serial port."""
    monitor = ["-mon", "chardev=serial,mode=readline"]
    argv = qemu.command(boot, "stdio,mux=on,signal=off", [*monitor, *RESTARTS, *extra])
    say("Ctrl-A, then X ends QEMU at once; Ctrl-A Ctrl-A sends a Ctrl-A.")
    terminal = termios.tcgetattr(sys.stdin)
    with qemu.Process(argv, timeout) as process:
        try:
            ending = process.wait()
        finally:
            # A killed QEMU leaves the terminal raw.
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, terminal)
        # Quitting QEMU at a terminal is not an error.
        return 0 if ending == qemu.Ending.RESET else report(ending, process)


@contextlib.contextmanager
def camera(picture):
    """Yield options for QEMU, and a function that writes its screen to the file `picture`.

    Without a file it does nothing."""
    if picture is None:
        yield [], lambda: None
        return
    with tempfile.TemporaryDirectory(prefix="pfm-") as folder:
        path = Path(folder, "monitor")

        def shoot():
            with qmp.Monitor(path) as monitor:
                if not monitor.has_display():
                    raise qmp.MonitorFailed("the machine has no display")
                monitor.screendump(picture, format=picture.suffix[1:])

        yield qmp.listen(path), shoot


def piped():
    """Return what is piped to standard input, nothing from a terminal."""
    return "" if sys.stdin.isatty() else sys.stdin.buffer.read().decode(errors="replace")


def unattended(boot, timeout, silence, extra, micropython, script, shoot):
    """Boot, run a program at the prompt, call `shoot()`, power off.

    The program is `script`, (file name, text), whose values are not printed, or else standard
    input. The machine's own program, that of APP, fails the run too if it has raised."""
    with qemu.Machine(boot, timeout, silence, extra) as machine:
        try:
            if boot.app:
                # It may compute for any time before there is a prompt.
                machine.read_until(b"\n")
                repl.show(machine.transcript)
                machine.silence = None
            machine.consumer = repl.show
            machine.read_until(b"\n" + repl.PROMPT)
            machine.consumer = None
            print(flush=True)
            prompt = repl.Repl(machine, micropython)
            machine.silence = None
            raised = prompt.run(PROGRAM_RAISED)[0] == b"1"
            name, text = script or (None, piped())
            traceback = repl.run_input(prompt, text, repl.show, name)
            sys.stderr.write(traceback.replace(b"\r", b"").decode(errors="replace"))
            code = qemu.Ending.FAIL if traceback or raised else qemu.Ending.OK
            try:
                shoot()
            except qmp.MonitorFailed as e:
                say(f"SCREENSHOT: {e}")
                code = qemu.Ending.FAIL
            prompt.run(f"__import__('kernel').exit({int(code)})")
            ending = machine.wait(POWER_OFF_TIMEOUT)
        except qemu.MachineEnded as e:
            ending = e.ending
        except qemu.MachineSilent as e:
            say(str(e))
            return int(qemu.Ending.TIMED_OUT)
        return report(ending, machine)


def check_size(boot):
    """Raise app.BadApp if one's own program leaves too little memory to boot at all.

    Limine would say so on the screen only, and wait."""
    memory = qemu.parse_size(boot.memory)
    size = boot.app.stat().st_size
    if memory and size + LEFT_BY_APP > memory:
        raise app.BadApp(
            f"APP: its {size / MIB:.1f} MiB and {LEFT_BY_APP // MIB} MiB for the kernel "
            f"are more than the machine has; MEMORY={boot.memory} sets it"
        )


def read_script(path):
    """Return the name and the text of the file SCRIPT. Raises SystemExit with one line."""
    try:
        return Path(path).name, Path(path).read_text(errors="replace")
    except OSError as e:
        sys.exit(f"SCRIPT={path}: {e.strerror}")


def choose_disk(path, size):
    """Return the disk of DISK and DISK_SIZE, None for none; a line says when it is made."""
    if not path:
        return None
    new = not os.path.lexists(path)
    found = disk.prepare(path, qemu.parse_size(size or disk.DEFAULT_SIZE))
    if new:
        say(f"DISK={path}: made, {found.path.stat().st_size / MIB:g} MiB")
    return found


def check_picture(path):
    """Return the path of the file SCREENSHOT, absolute. Raises SystemExit with one line."""
    path = Path(path).absolute()
    if path.suffix not in (".png", ".ppm"):
        sys.exit(f"SCREENSHOT={path}: must end in .png or .ppm")
    if not path.parent.is_dir():
        sys.exit(f"SCREENSHOT={path}: there is no folder {path.parent}")
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loader", default="auto", help="auto, limine or direct")
    parser.add_argument("--firmware", default="bios", choices=("bios", "uefi"))
    parser.add_argument("--gdb", action="store_true", help="stop at once and wait for gdb")
    parser.add_argument("--micropython", required=True, help="MicroPython's source folder")
    arguments = parser.parse_args()
    # The parent may be killed without a chance to end QEMU.
    qemu.die_with_parent(os.getppid())

    environment = os.environ.get
    timeout = float(environment("TIMEOUT") or 0) or None
    serial = environment("SERIAL") or "stdio"
    if serial not in ("stdio", "pty"):
        sys.exit(f"SERIAL={serial}: must be stdio or pty")
    script = read_script(environment("SCRIPT")) if environment("SCRIPT") else None
    picture = check_picture(environment("SCREENSHOT")) if environment("SCREENSHOT") else None
    if serial == "pty" and (script or picture):
        sys.exit("SERIAL=pty: leaves the prompt to you; SCRIPT and SCREENSHOT need it")
    extra = []
    if arguments.gdb:
        extra = ["-S", "-gdb", f"tcp:127.0.0.1:{GDB_PORT}"]
        say(f"gdb {shlex.quote(str(iso.KERNEL))} -ex 'target remote :{GDB_PORT}'")
    try:
        with app.packed(environment("APP"), BUILD) as program, camera(picture) as (options, shoot):
            boot = qemu.Boot(
                loader=choose_loader(arguments.loader, arguments.firmware),
                firmware=arguments.firmware,
                memory=environment("MEMORY") or qemu.Boot.memory,
                cmdline=environment("CMDLINE", ""),
                qemuflags=environment("QEMUFLAGS", ""),
                app=program,
                disk=choose_disk(environment("DISK"), environment("DISK_SIZE")),
            )
            if program:
                check_size(boot)
            if serial == "pty":
                return on_device(boot, timeout, extra)
            if sys.stdin.isatty() and not script and not picture:
                return interactive(boot, timeout, extra)
            # Under gdb the user may stop the machine for any time.
            silence = None if arguments.gdb else SILENCE
            extra += options
            return unattended(boot, timeout, silence, extra, arguments.micropython, script, shoot)
    except (iso.IsoFailed, qemu.FirmwareMissing, app.BadApp, disk.BadDisk) as e:
        sys.exit(str(e))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has closed the pipe: end as SIGPIPE would, without a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(main())
