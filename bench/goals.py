"""The goals, and whether the figures meet them.

A goal limits a figure, its ratio to a peer's or to another call's in the same run, how much
faster than a peer it is, or what two processors do of what the host's own two do.
"""

from dataclasses import dataclass
from enum import Enum

KI = 1 << 10
MI = 1 << 20
GI = 1 << 30

UNIX = "unix"
TARGET = "target"
PROCESSORS = "processors"

ONE = "1 processor"
BOTH = "2 processors"

# Where two plain threads of the host do less of the work of one, others keep it busy, and
# figures of two processors say nothing.
HOST_LEAST = 1.85


class Kind(Enum):
    """What a goal limits."""

    NANOSECONDS = "at most {:g} {}"
    MOST = "nine of ten at most {:g} {}"
    RATIO = "at most {:g} x {}"
    CALL = "at most {:g} x a call of {}"
    FASTER = "at least {:g} x faster than {}"
    GROWTH = "at most {:g} x the smallest machine's"
    PARALLEL = "at least {:g} x the host's own"


@dataclass(frozen=True)
class Goal:
    """One goal: `who`'s figure for `work` on `port`, at `sizes` (all if empty).

    The best of `peers` counts, which are works where the kind is CALL; `scale` is nanoseconds
    per unit of the limit.
    """

    work: str
    kind: Kind
    limit: float
    peers: tuple = ()
    port: str = UNIX
    who: str = "pfm"
    sizes: tuple = ()
    unit: str = "ns"
    scale: float = 1

    @property
    def text(self):
        """The goal in words."""
        if self.kind in (Kind.NANOSECONDS, Kind.MOST):
            return self.kind.value.format(self.limit, self.unit)
        if self.kind in (Kind.GROWTH, Kind.PARALLEL):
            return self.kind.value.format(self.limit)
        what = self.peers[0] if len(self.peers) == 1 else "the best"
        return self.kind.value.format(self.limit, what)


@dataclass(frozen=True)
class Verdict:
    """A goal's result at one size: the goal, the figure's row, the limited number, whether met.

    `met` is None where the host was too busy to say.
    """

    goal: Goal
    row: dict
    reached: float
    met: bool | None


_RANGE = "flags of a range"
_IN_ORDER = "flags of an array, in order"
_AT_RANDOM = "flags of an array, at random"
_ORDER_0 = "alloc and free, order 0"
_SPLITS = "alloc and free, ten splits"
_MANY = "alloc_many and free_many"
_GUARD = "get() and five writes"
_OBJECTS = (
    "malloc and mfree, 64 bytes",
    "malloc and mfree, 1000 bytes",
    "Cache alloc and free, 64 bytes",
    "Cache alloc and free, 1000 bytes",
)
_COPIES = ("C bytes", "rep movsb", "rep movsq", "C words", "SSE")
_WRITTEN = "pfm, every entry written"

_STOP = "stop the other processor"

# What two processors do of the host's own two.
_PARALLEL = (
    ("a viper loop", 0.95),
    ("a native loop", 0.95),
    ("a bytecode loop", 0.95),
    ("floats", 0.9),
    ("lists", 0.9),
    (_ORDER_0, 0.93),
    ("alloc and free, order 3", 0.85),
    ("alloc and free, order 9", 0.85),
    ("flags of different frames", 0.97),
    ("flags of one frame", 0.9),
    ("alloc_many and free_many of 512", 0.8),
)

# Calls whose cost must not grow with memory.
HOT = ("set_flags", "clear_flags", "check_flags", _GUARD, _ORDER_0, _SPLITS, _MANY)

GOALS = (
    Goal("init", Kind.RATIO, 1.5, ("C memset",)),
    Goal("init", Kind.FASTER, 9, ("C reference",)),
    Goal("init", Kind.RATIO, 1.5, ("C memset",), who=_WRITTEN),
    Goal("init", Kind.FASTER, 9, ("C reference",), who=_WRITTEN),
    Goal("init", Kind.RATIO, 1.6, ("C memset",), TARGET, _WRITTEN),
    Goal("init of a large machine", Kind.NANOSECONDS, 20, sizes=(256 * MI,), unit="ms", scale=1e6),
    Goal(_RANGE, Kind.RATIO, 1.6, ("C loop",)),
    Goal("count free frames", Kind.NANOSECONDS, 0.1, sizes=(16 * MI,)),
    Goal("set_flags", Kind.NANOSECONDS, 45),
    Goal("clear_flags", Kind.NANOSECONDS, 45),
    Goal("check_flags", Kind.NANOSECONDS, 45),
    Goal(_IN_ORDER, Kind.RATIO, 1, ("C reference",)),
    Goal(_AT_RANDOM, Kind.RATIO, 1, ("C reference",)),
    Goal(_GUARD, Kind.NANOSECONDS, 450),
    Goal(_ORDER_0, Kind.NANOSECONDS, 100),
    Goal(_SPLITS, Kind.NANOSECONDS, 190),
    Goal(_MANY, Kind.NANOSECONDS, 5),
    Goal(_MANY, Kind.RATIO, 1, ("C buddy",)),
    Goal("largest_free()", Kind.RATIO, 3, ("C walk",)),
    Goal("blocks(), sums", Kind.RATIO, 4, ("C walk",)),
    Goal("fragmentation(9)", Kind.RATIO, 6, ("C walk",)),
    Goal("owners()", Kind.RATIO, 8, ("C walk",)),
    Goal("snapshot()", Kind.RATIO, 15, ("C walk",)),
    Goal("History.sample()", Kind.NANOSECONDS, 400),
    Goal("sandbox, opened and closed", Kind.NANOSECONDS, 2, unit="ms", scale=1e6),
    *(Goal(work, Kind.RATIO, 1.3, ("a frame",)) for work in _OBJECTS),
    *(Goal(work, Kind.RATIO, 1.3, ("a frame",), TARGET) for work in _OBJECTS),
    *(Goal(work, Kind.GROWTH, 1.2) for work in HOT),
    *(Goal(work, Kind.GROWTH, 1.2, port=TARGET) for work in HOT),
    Goal(
        "QEMU's start to prompt",
        Kind.NANOSECONDS,
        1.5,
        (),
        TARGET,
        sizes=(64 * GI,),
        unit="s",
        scale=1e9,
    ),
    Goal(
        "QEMU's start to prompt",
        Kind.NANOSECONDS,
        2,
        (),
        TARGET,
        sizes=(1024 * GI,),
        unit="s",
        scale=1e9,
    ),
    Goal("read a disk at random", Kind.RATIO, 1, ("past the cache",), TARGET),
    Goal("write a disk at random", Kind.RATIO, 2, ("past the cache",), TARGET),
    Goal("copy", Kind.RATIO, 1.3, _COPIES, TARGET, "C memcpy"),
    Goal("set_flags", Kind.CALL, 2, ("check_flags",), TARGET),
    Goal(_ORDER_0, Kind.CALL, 5, ("check_flags",), TARGET),
    *(Goal(work, Kind.PARALLEL, limit, (), PROCESSORS, BOTH) for work, limit in _PARALLEL),
    Goal(_STOP, Kind.NANOSECONDS, 5, (), PROCESSORS, BOTH, unit="us", scale=1e3),
    Goal(_STOP, Kind.MOST, 10, (), PROCESSORS, BOTH, unit="us", scale=1e3),
)


def find(rows, work, who, size):
    """Return the row of that work, who and size, None if there is none."""
    for row in rows:
        if (row["work"], row["who"], row["size"]) == (work, who, size):
            return row
    return None


def parallel(rows, row, key="min"):
    """Return what both processors do in the time that one takes for its part, by these figures."""
    return 2 * find(rows, row["work"], ONE, row["size"])[key] / row[key]


def _reached(goal, rows, row):
    """Return the number that the goal limits, None if it does not apply to this row."""
    if goal.kind is Kind.NANOSECONDS:
        return row["median"] / goal.scale
    if goal.kind is Kind.MOST:
        return row["p90"] / goal.scale
    if goal.kind is Kind.PARALLEL:
        return parallel(rows, row) / max(row["host"])
    if goal.kind is Kind.CALL:
        best = min(find(rows, call, goal.who, row["size"])["median"] for call in goal.peers)
        return row["median"] / best
    if goal.kind is Kind.GROWTH:
        sizes = [r["size"] for r in rows if (r["work"], r["who"]) == (goal.work, goal.who)]
        if row["size"] != max(sizes):
            return None
        return row["median"] / find(rows, goal.work, goal.who, min(sizes))["median"]
    best = min(find(rows, goal.work, peer, row["size"])["median"] for peer in goal.peers)
    return best / row["median"] if goal.kind is Kind.FASTER else row["median"] / best


def judge(port, rows):
    """Return the Verdicts on the rows of a port, in the order of GOALS."""
    verdicts = []
    for goal in GOALS:
        if goal.port != port:
            continue
        found = [r for r in rows if (r["work"], r["who"]) == (goal.work, goal.who)]
        if not found:
            raise LookupError(f"{port}: no row of {goal.who} for {goal.work}")
        for row in found:
            if goal.sizes and row["size"] not in goal.sizes:
                continue
            reached = _reached(goal, rows, row)
            if reached is None:
                continue
            least = goal.kind in (Kind.FASTER, Kind.PARALLEL)
            met = reached >= goal.limit if least else reached <= goal.limit
            verdicts.append(Verdict(goal, row, reached, None if host_is_busy(row) else met))
    return verdicts


def host_is_busy(row):
    """Return whether the host's own processors were too busy for this row to say anything."""
    return min(row.get("host", (HOST_LEAST,))) < HOST_LEAST


def summary(verdicts):
    """Return how many of the goals are met, in words."""
    judged = [verdict for verdict in verdicts if verdict.met is not None]
    text = f"{sum(verdict.met for verdict in judged)} of {len(judged)} goals met"
    skipped = len(verdicts) - len(judged)
    return f"{text}, {skipped} skipped" if skipped else text


def works(port):
    """Return the works that the goals of a port are for, each once."""
    return tuple(dict.fromkeys(goal.work for goal in GOALS if goal.port == port))
