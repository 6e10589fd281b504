#!/usr/bin/env python3
"""Draw the pictures of docs/: what the screen shows after some lines were typed at the prompt."""

import argparse
import tempfile
import time
from pathlib import Path

import qemu
import qmp
import repl

# Seconds for one machine, and without a byte from it.
TIMEOUT = 120
SILENCE = 60
# Seconds after which the text on the screen must have followed: some of its ticks of 10 ms.
REST = 0.2

PROMPT = b"\n" + repl.PROMPT

# The pictures: the framebuffer, and what is typed.
PICTURES = {
    "console.png": (
        "800x480x32",
        (
            "PFM.meminfo()",
            "pfn = PFM.alloc(order=5, tag='mine')",
            "PFM.describe(pfn)",
        ),
    ),
    "memory.png": (
        "1024x640x32",
        (
            "net = [PFM.alloc_contiguous(40 + n * 7 % 90, tag='net') for n in range(120)]",
            "for pfn in net[1::3]: PFM.free(pfn)\r",
            "cache = [PFM.alloc(order=n % 10, tag='file') for n in range(100)]",
            "many = [PFM.alloc_many(700, tag='anon') for _ in range(6)]",
            "import memorymap",
            "picture = memorymap.Picture(); picture.open()",
        ),
    ),
}


def draw(picture, mode, lines):
    """Boot with a framebuffer of this mode, type the lines, and write the screen to a file."""
    boot = qemu.Boot(options=f"framebuffer={mode}")
    with tempfile.TemporaryDirectory(prefix="pfm-") as folder:
        path = Path(folder, "monitor")
        with qemu.Machine(boot, TIMEOUT, SILENCE, qmp.listen(path)) as machine:
            machine.read_until(PROMPT)
            for line in lines:
                machine.write(line.encode() + b"\r")
                machine.read_until(PROMPT)
            with qmp.Monitor(path) as monitor:
                _shoot_at_rest(monitor, picture)


def _shoot_at_rest(monitor, picture):
    """Write the screen to a file when it does not change any more."""
    before = None
    while True:
        monitor.screendump(picture)
        after = picture.read_bytes()
        if after == before:
            return
        before = after
        time.sleep(REST)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name, (mode, lines) in PICTURES.items():
        draw((folder / name).absolute(), mode, lines)
        print(folder / name)


if __name__ == "__main__":
    main()
