"""Runs the benchmark on the unix port and on the target, prints the table and writes the figures.

python bench/run.py --unix build/unix/micropython --json build/bench.json
"""

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "boot"))

import qemu  # noqa: E402

# Seconds that each port may take.
TIMEOUT = 300

# The target's array of 16 Mi frames takes 512 MiB, and Python's heap no share of it.
TARGET_MEMORY = "4G"
TARGET_CMDLINE = "bench heap=64M"

PREFIX = "BENCH "


def parse(lines):
    """Return the rows among `lines` of output."""
    return [json.loads(line[len(PREFIX) :]) for line in lines if line.startswith(PREFIX)]


def on_unix(micropython):
    """Return the rows of the unix port."""
    command = [micropython, "-X", "heapsize=64M", "-m", "bench.benchmark"]
    done = subprocess.run(
        command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT, check=True
    )
    return parse(done.stdout.splitlines())


def on_target():
    """Return the rows of the target, booted by the stand-in loader."""
    boot = qemu.Boot(memory=TARGET_MEMORY, cmdline=TARGET_CMDLINE)
    with qemu.Machine(boot, TIMEOUT, silence=TIMEOUT) as machine:
        output = machine.read_all()
    return parse(output.decode("ascii", "replace").replace("\r", "").splitlines())


def table(port, rows):
    """Return the rows as lines of text."""
    lines = [
        port,
        f"  {'work':36} {'frames':>9} {'unit':>6} {'median':>11} {'min':>11} {'max':>11}  ns per unit",
    ]
    memset = {row["size"]: row["median"] for row in rows if row["name"].startswith("memset")}
    for row in rows:
        ratio = ""
        if row["name"].startswith("init") and memset.get(row["size"]):
            ratio = f"  {row['median'] / memset[row['size']]:.2f} x memset"
        lines.append(
            f"  {row['name']:36} {row['size']:9} {row['unit']:>6}"
            f" {row['median']:11.2f} {row['min']:11.2f} {row['max']:11.2f}{ratio}"
        )
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unix", required=True, help="the unix port's executable")
    parser.add_argument("--json", required=True, help="where the figures go")
    options = parser.parse_args()
    figures = {
        "machine": platform.platform(),
        "unix": on_unix(options.unix),
        "target": on_target(),
    }
    for port in ("unix", "target"):
        print("\n".join(table(port, figures[port])))
    Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")
    print(f"figures: {options.json}")
    return 0 if figures["unix"] and figures["target"] else 1


if __name__ == "__main__":
    sys.exit(main())
