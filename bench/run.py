"""Runs the benchmark on the unix port and on the target, prints the tables and writes the figures.

python bench/run.py --unix build/unix/micropython --peers build/bench/peers.so \
    --kernel build/kernel-bench/kernel.elf --json build/bench.json
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "boot"))

import disks  # noqa: E402
import goals  # noqa: E402
import processors  # noqa: E402
import prompt  # noqa: E402
import qemu  # noqa: E402
import table  # noqa: E402

# Seconds that each port may take.
TIMEOUT = 270

# The arrays of 16 Mi frames, pfm's and the C reference's, take 1.5 GiB.
TARGET_MEMORY = "4G"
TARGET_CMDLINE = "run=bench.benchmark heap=64M"

PREFIX = "BENCH "


def parse(output):
    """Return the rows in the output of bench/benchmark.py."""
    lines = output.replace("\r", "").splitlines()
    return [json.loads(line[len(PREFIX) :]) for line in lines if line.startswith(PREFIX)]


def on_unix(micropython, peers):
    """Return the rows of the unix port."""
    done = subprocess.run(
        [micropython, "-X", "heapsize=64M", "-m", "bench.benchmark"],
        cwd=HERE.parent,
        env={**os.environ, "BENCH_PEERS": peers},
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
    )
    if done.returncode:
        sys.exit(done.stdout)
    return parse(done.stdout)


def on_target(kernel):
    """Return the rows of the target, booted with the stand-in loader."""
    boot = qemu.Boot(memory=TARGET_MEMORY, cmdline=TARGET_CMDLINE, kernel=Path(kernel))
    with qemu.Machine(boot, TIMEOUT, silence=TIMEOUT) as machine:
        output = machine.read_all().decode("ascii", "replace")
        ending = machine.wait()
    if ending != qemu.Ending.OK:
        sys.exit(f"{output}\n{ending.name}: {ending.meaning}")
    return parse(output)


def processor():
    """Return the name of the host's processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def show(port, rows):
    """Print the tables of a port."""
    print(f"\n{port}: what was measured\n")
    print("\n".join(table.plain(table.FIGURES_HEAD, table.figures(rows))))
    print(f"\n{port}: the goals\n")
    found = goals.judge(port, rows)
    print("\n".join(table.plain(table.VERDICTS_HEAD, table.verdicts(found, rows))))
    print(f"\n{port}: {goals.summary(found)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unix", required=True, help="the unix port's executable")
    parser.add_argument("--peers", required=True, help="the C peers as a shared library")
    parser.add_argument("--kernel", required=True, help="the kernel with the C peers in it")
    parser.add_argument("--json", required=True, help="where the figures go")
    options = parser.parse_args()
    figures = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{processor()}, {os.cpu_count()} processors, Linux {platform.release()}",
        "load": os.getloadavg()[0],
    }
    for port, measured in (
        (goals.UNIX, lambda: on_unix(options.unix, options.peers)),
        (
            goals.TARGET,
            lambda: prompt.rows() + on_target(options.kernel) + disks.rows(options.kernel, parse),
        ),
        (goals.PROCESSORS, lambda: processors.rows(options.kernel, options.peers, parse)),
    ):
        figures[port] = measured()
        show(port, figures[port])
    Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")
    print(f"\nfigures: {options.json}")


if __name__ == "__main__":
    main()
