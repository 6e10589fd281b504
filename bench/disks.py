"""Rows of a disk: those of bench/diskrows.py on the target, and the host's own on the same file."""

import os
import random
import subprocess
import tempfile
import time
from pathlib import Path

import disk
import qemu

# Seconds that the machine may take.
TIMEOUT = 270
RUNS = 5

MIB = 1 << 20
SIZE = 64 * MIB
PAGE = 4096
PAGES = 2000
CMDLINE = "run=bench.diskrows heap=64M"

DD = "host dd"
# dd starts anew for each block, which would be all that is measured.
PREAD = "host pread and pwrite"


def _row(work, who, unit, samples):
    samples = sorted(samples)
    return {
        "work": work,
        "who": who,
        "size": SIZE,
        "unit": unit,
        "median": samples[len(samples) // 2],
        "min": samples[0],
        "max": samples[-1],
    }


def _timed(job, units):
    samples = []
    for _ in range(RUNS):
        start = time.perf_counter_ns()
        job()
        samples.append((time.perf_counter_ns() - start) / units)
    return samples


def _dd(*operands):
    subprocess.run(["dd", "bs=64K", *operands], check=True, stderr=subprocess.DEVNULL)


def _at_random(path, writes):
    """Access PAGES pages at random; have the host keep what was written."""
    draw = random.Random(PAGES)
    content = bytes(PAGE)
    file = os.open(path, os.O_RDWR)
    try:
        for _ in range(PAGES):
            at = draw.randrange(SIZE // PAGE) * PAGE
            if writes:
                os.pwrite(file, content, at)
            else:
                os.pread(file, PAGE, at)
        os.fdatasync(file)
    finally:
        os.close(file)


def _host(path):
    """Return the rows of the host."""
    mib = SIZE // MIB
    write = ("if=/dev/zero", f"of={path}", f"count={SIZE >> 16}", "conv=notrunc,fdatasync")
    return [
        _row("write a disk in sequence", DD, "MiB", _timed(lambda: _dd(*write), mib)),
        _row(
            "read a disk in sequence",
            DD,
            "MiB",
            _timed(lambda: _dd(f"if={path}", "of=/dev/null"), mib),
        ),
        _row(
            "write a disk at random",
            PREAD,
            "4 KiB",
            _timed(lambda: _at_random(path, True), PAGES),
        ),
        _row(
            "read a disk at random",
            PREAD,
            "4 KiB",
            _timed(lambda: _at_random(path, False), PAGES),
        ),
    ]


def rows(kernel, parse):
    """Return the rows of a machine with an image of its own, and of the host on that image."""
    with tempfile.TemporaryDirectory(prefix="pfm-") as folder:
        path = Path(folder, "disk.img")
        # Not as a lasting disk, which the kernel would have mounted.
        disk.prepare(path, SIZE)
        flags = f"-drive if=none,id=raw,format=raw,file={path} -device virtio-blk-pci,drive=raw"
        boot = qemu.Boot(cmdline=CMDLINE, kernel=Path(kernel), qemuflags=flags)
        with qemu.Machine(boot, TIMEOUT, silence=TIMEOUT) as machine:
            output = machine.read_all().decode("ascii", "replace")
            ending = machine.wait()
        if ending != qemu.Ending.OK:
            raise SystemExit(f"{output}\n{ending.name}: {ending.meaning}")
        return parse(output) + _host(path)
