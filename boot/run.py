#!/usr/bin/env python3
"""Boot the kernel in QEMU: interactively at a terminal, else run standard input.

Reads the Makefile's variables MEMORY, CMDLINE, QEMUFLAGS, TIMEOUT (seconds) and SERIAL (stdio
or pty) from the environment. Exits with 0 if the machine powered off, else with qemu.Ending's
value and a line that says why.
"""

import argparse
import os
import shlex
import signal
import sys
import termios

import fetch
import iso
import limine
import qemu
import repl

# Seconds without output after which a boot counts as hung.
SILENCE = 120
# Seconds from the request to power off until QEMU must have ended.
POWER_OFF_TIMEOUT = 10

GDB_PORT = 1234


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


def interactive(boot, serial, timeout, extra):
    """Connect the user to the machine's serial port: on this terminal, or on a pty."""
    if serial == "pty":
        # QEMU prints the device's name.
        argv = qemu.command(boot, "pty", extra)
        with qemu.Process(argv, timeout) as process:
            ending = process.wait()
            return 0 if ending == qemu.Ending.RESET else report(ending, process)
    monitor = ["-mon", "chardev=serial,mode=readline"]
    argv = qemu.command(boot, "stdio,mux=on,signal=off", [*monitor, *extra])
    say("To leave: machine.reset(), or Ctrl-A and then X. Ctrl-A Ctrl-A sends a Ctrl-A.")
    terminal = termios.tcgetattr(sys.stdin)
    with qemu.Process(argv, timeout) as process:
        try:
            ending = process.wait()
        finally:
            # A killed QEMU leaves the terminal raw.
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, terminal)
        # Quitting QEMU at a terminal is not an error.
        return 0 if ending == qemu.Ending.RESET else report(ending, process)


def piped(boot, timeout, silence, extra, micropython):
    """Boot, run standard input at the prompt, power off."""
    with qemu.Machine(boot, timeout, silence, extra) as machine:
        try:
            machine.consumer = repl.show
            machine.read_until(b"\n" + repl.PROMPT)
            machine.consumer = None
            print(flush=True)
            prompt = repl.Repl(machine, micropython)
            source = sys.stdin.buffer.read().decode(errors="replace")
            machine.silence = None
            traceback = repl.run_input(prompt, source, repl.show)
            sys.stderr.write(traceback.replace(b"\r", b"").decode(errors="replace"))
            code = qemu.Ending.FAIL if traceback else qemu.Ending.OK
            prompt.run(f"__import__('kernel').exit({int(code)})")
            ending = machine.wait(POWER_OFF_TIMEOUT)
        except qemu.MachineEnded as e:
            ending = e.ending
        except qemu.MachineSilent as e:
            say(str(e))
            return int(qemu.Ending.TIMED_OUT)
        return report(ending, machine)


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
    extra = []
    if arguments.gdb:
        extra = ["-S", "-gdb", f"tcp:127.0.0.1:{GDB_PORT}"]
        say(f"gdb {shlex.quote(str(iso.KERNEL))} -ex 'target remote :{GDB_PORT}'")
    try:
        boot = qemu.Boot(
            loader=choose_loader(arguments.loader, arguments.firmware),
            firmware=arguments.firmware,
            memory=environment("MEMORY") or qemu.Boot.memory,
            cmdline=environment("CMDLINE", ""),
            qemuflags=environment("QEMUFLAGS", ""),
        )
        serial = environment("SERIAL") or "stdio"
        if serial == "pty" or sys.stdin.isatty():
            return interactive(boot, serial, timeout, extra)
        # Under gdb the user may stop the machine for any time.
        silence = None if arguments.gdb else SILENCE
        return piped(boot, timeout, silence, extra, arguments.micropython)
    except (iso.IsoFailed, qemu.FirmwareMissing) as e:
        sys.exit(str(e))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has closed the pipe: end as SIGPIPE would, without a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(main())
