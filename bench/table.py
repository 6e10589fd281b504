"""The figures as text: what was measured, and the goals."""

import goals

_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "us"))


def binary(size):
    """Return a size in binary units, `64 Ki`."""
    for shift, prefix in ((40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")):
        if size >= 1 << shift and size % (1 << shift) == 0:
            return f"{size >> shift} {prefix}"
    return str(size)


def duration(nanoseconds):
    """Return nanoseconds in the unit that reads best."""
    for scale, unit in _UNITS:
        if abs(nanoseconds) >= scale:
            return f"{nanoseconds / scale:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def figures(rows):
    """Yield (work, size, unit, who, median, min, max, ratio) as text, for each row.

    The ratio is pfm's figure to this one.
    """
    for row in rows:
        ours = goals.find(rows, row["work"], "pfm", row["size"]) or goals.find(
            rows, row["work"], "pfm, every entry written", row["size"]
        )
        ratio = ""
        if ours and not row["who"].startswith(("pfm", "empty")) and row["median"] > 0:
            ratio = f"{ours['median'] / row['median']:.2f}"
        yield (
            row["work"],
            binary(row["size"]),
            row["unit"],
            row["who"],
            *(duration(row[key]) for key in ("median", "min", "max")),
            ratio,
        )


FIGURES_HEAD = ("work", "size", "for each", "who", "median", "min", "max", "pfm / it")


def _peers(row, rows):
    """Return the figures of the others for the same work, and of the host, as text."""
    texts = [
        f"{other['who']} {duration(other['median'])}"
        for other in rows
        if (other["work"], other["size"]) == (row["work"], row["size"])
        and other["who"] not in (row["who"], "empty loop")
    ]
    if "host" in row:
        before, after = row["host"]
        texts.insert(0, f"host {before:.2f} before, {after:.2f} after")
    return ", ".join(texts)


def _figure(verdict, rows):
    """Return what the limited number is made from, as text."""
    row = verdict.row
    if verdict.goal.kind is goals.Kind.PARALLEL:
        least, median = (goals.parallel(rows, row, key) for key in ("min", "median"))
        return f"{least:.2f} x, {median:.2f} x by medians"
    return duration(row["p90" if verdict.goal.kind is goals.Kind.MOST else "median"])


_WORDS = {True: "met", False: "MISSED", None: f"skipped: host below {goals.HOST_LEAST}"}


def verdicts(found, rows):
    """Yield (work, size, who, figure, goal, reached, verdict, peers) as text.

    One for each Verdict on `rows`.
    """
    for verdict in found:
        goal = verdict.goal
        yield (
            goal.work,
            binary(verdict.row["size"]),
            goal.who,
            _figure(verdict, rows),
            goal.text,
            f"{verdict.reached:.3g}",
            _WORDS[verdict.met],
            _peers(verdict.row, rows),
        )


VERDICTS_HEAD = ("work", "size", "who", "figure", "goal", "reached", "", "the others")


def plain(head, lines):
    """Return the lines of a table for a terminal."""
    lines = [head, *lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return [
        "  ".join(f"{t:{w}}" for t, w in zip(line, widths, strict=True)).rstrip() for line in lines
    ]


def markdown(head, lines):
    """Return the lines of a table in Markdown."""
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines)]
