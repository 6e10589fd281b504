"""Writes the last benchmark's figures into docs/: the plot, and the page figures.md.

python bench/document.py --json build/bench.json --docs docs
"""

import argparse
import json
from pathlib import Path

import goals
import plot
import table

HEAD = """\
# Figures

Written by `make figures`; do not edit. [speed.md](speed.md) says how they are measured and what they mean.

![Cost against size](speed.svg)
"""

_PORTS = {
    goals.UNIX: "Unix port",
    goals.TARGET: "Target, under QEMU's translator: only ratios count",
    goals.PROCESSORS: "Target, two processors at once",
}


def generated(figures):
    """Return the page docs/figures.md, as lines."""
    lines = [
        HEAD,
        f"Measured {figures['date']} on {figures['machine']}; load {figures['load']:.1f} at the start.",
    ]
    for port, title in _PORTS.items():
        verdicts = goals.judge(port, figures[port])
        lines += ["", f"## {title}", "", f"{goals.summary(verdicts)}.", ""]
        lines += table.markdown(table.VERDICTS_HEAD, table.verdicts(verdicts, figures[port]))
        lines += ["", "Everything that was measured:", ""]
        lines += table.markdown(table.FIGURES_HEAD, table.figures(figures[port]))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, help="the figures")
    parser.add_argument("--docs", required=True, help="the folder of the documents", type=Path)
    options = parser.parse_args()
    figures = json.loads(Path(options.json).read_text())
    page = options.docs / "figures.md"
    page.write_text("\n".join(generated(figures)) + "\n")
    plot.draw(
        figures[goals.UNIX],
        f"Cost against size, unix port, {figures['date']}",
        options.docs / "speed",
    )
    print(f"written: {page}, {options.docs / 'speed.svg'}, {options.docs / 'speed.png'}")


if __name__ == "__main__":
    main()
