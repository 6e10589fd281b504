"""The plot of cost against size."""

import goals
import matplotlib
import table
from matplotlib import pyplot

# Makes the file reproducible: names of elements hash with this salt, and dates are left out.
matplotlib.use("agg")
matplotlib.rcParams["svg.hashsalt"] = "pfm"
matplotlib.rcParams["svg.fonttype"] = "path"
_NO_DATE = {"svg": {"Date": None}, "png": {"Software": None}}

# Work, title, and unit of the cost.
_PANELS = (
    (("init",), "Init, the whole job", "ns a frame"),
    (("flags of a range",), "Flags of a range", "ns a frame"),
    (goals.HOT, "Hot calls", "ns a call"),
)

_COLOURS = {
    "pfm": "tab:blue",
    "pfm, every entry written": "tab:cyan",
    "pfm, pages shared": "tab:purple",
    "C memset": "tab:green",
    "C loop": "tab:olive",
    "C reference": "tab:red",
}


def _draw(axes, rows, works, title, unit):
    lines = {}
    for row in rows:
        if row["work"] not in works or row["who"] == "empty loop":
            continue
        if len(works) > 1 and row["who"] != "pfm":
            continue
        lines.setdefault(row["who"] if len(works) == 1 else row["work"], []).append(row)
    for name, points in sorted(lines.items()):
        points.sort(key=lambda row: row["size"])
        sizes = [row["size"] for row in points]
        medians = [row["median"] for row in points]
        below = [row["median"] - row["min"] for row in points]
        above = [row["max"] - row["median"] for row in points]
        axes.errorbar(
            sizes,
            medians,
            (below, above),
            marker="o",
            capsize=3,
            label=name,
            color=_COLOURS.get(name),
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({row["size"] for points in lines.values() for row in points})
    axes.set_xticks(ticks, [table.binary(size) for size in ticks])
    axes.set_xlabel("frames")
    axes.set_ylabel(unit)
    axes.set_title(title)
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(fontsize="small")


def draw(rows, title, path):
    """Draw the rows of a port to `path` with .svg and .png appended."""
    figure, panels = pyplot.subplots(1, len(_PANELS), figsize=(16, 5.5), layout="constrained")
    for axes, panel in zip(panels, _PANELS, strict=True):
        _draw(axes, rows, *panel)
    figure.suptitle(title)
    for kind, metadata in _NO_DATE.items():
        figure.savefig(f"{path}.{kind}", metadata=metadata, dpi=100)
    pyplot.close(figure)
