"""Simulates how `alloc` and `free` scale to many processors: docs/scaling.md.

python bench/scaling.py --docs docs

Discrete events: processors compute, wait for the zone's lock and hold it.  The free lists are
simulated too, since how often blocks split and merge depends on what the others hold.
"""

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

import simpy
import table

PROCESSORS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ORDERS = (0, 3, 9)
# Blocks that a processor allocates before it frees them: one, or more than a magazine holds.
BURSTS = (1, 128)

# As alloc/zone.py has it, and a zone that 256 bursts of 128 blocks of order 9 fit in four times.
ORDER_MAX = 18
ZONE_ORDER = 26

ZONE_LOCK, MAGAZINES, REGIONS = DESIGNS = (
    "zone lock, magazine for order 0",
    "magazines for orders 3 and 9 too",
    "a region for each processor",
)

# Bursts that every processor has done before time counts, and how many each does then on average.
_WARM = 1
_COUNTED = {1: 40, 128: 1}


# The zone's words, and its lists of the lowest orders.
LOCK_LINE = ("list", 0)


@dataclass(frozen=True)
class Costs:
    """Times in nanoseconds, and what else the simulation takes as given."""

    # By bench/costs.py on the host of docs/figures.md: an alloc and a free together but for
    # what lies under a lock, from the magazine and from the zone; of what lies under it, a
    # take and a give together, and a split and the merge that undoes it.
    magazine_pair: float = 108
    zone_pair: float = 217
    take_give: float = 48
    split_merge: float = 10
    # Each frame of a refill and of a drain together, splits left out.
    refill_drain: float = 88
    # A locked instruction on a line in the own cache, by bench/costs.py too: 19 cycles, as
    # uops.info has for CMPXCHG_LOCK (M64, R64) on the same core, Alder Lake-P.
    locked: float = 6
    # A line that another core wrote last, within a socket and across: Xeon Platinum 8375C of
    # 32 cores. Source: the table in github.com/nviennot/core-to-core-latency.
    near: float = 51
    far: float = 108
    socket: int = 32
    # Of the processors that wait, those who get the lock's line before the next holder does.
    # 0: a queue lock.  Source: the model of ticket locks in Boyd-Wickizer et al., Non-scalable
    # locks are dangerous, Linux Symposium 2012 (pdos.csail.mit.edu/papers/linux:lock.pdf): with
    # k waiting, a section of s is passed on every s + c k / 2, where c is one line's way.  Those
    # who wait here ask for the line by compare-exchange, over and over, so it is no less.
    retries: float = 0.5
    # Blocks in a magazine, refilled and drained to half, by order.
    magazine: tuple = ((0, 64), (3, 16), (9, 4))
    # Frames of a processor's region, 64 MiB.
    region_order: int = 14
    # Work outside locks varies by as much, either way.
    jitter: float = 0.1

    def transfer(self, one, other):
        """Return the time that a line takes from a processor's cache to another's."""
        if one is None or one == other:
            return 0
        return self.near if one // self.socket == other // self.socket else self.far


class Buddy:
    """The free lists of a zone or region, as pfm/alloc/buddy.py keeps them.

    `lines` has the cache lines that calls have touched since it was cleared: two entries are in
    one, and the zone's struct has its words and the lists of orders 0 to 3 in the first.
    """

    def __init__(self, order, start=0):
        self._top = min(order, ORDER_MAX)
        self._heads = [None] * (self._top + 1)
        # (next, previous) of each free head, by order.
        self._free = [{} for _ in self._heads]
        self.lines = set()
        for block in range(start, start + (1 << order), 1 << self._top):
            self._push(block, self._top)

    def _touch(self, block):
        self.lines.add(block >> 1)

    def _touch_list(self, order):
        self.lines.add(("list", (order + 4) // 8))

    def _push(self, block, order):
        first = self._heads[order]
        self._touch(block)
        self._touch_list(order)
        if first is not None:
            self._touch(first)
            self._free[order][first][1] = block
        self._free[order][block] = [first, None]
        self._heads[order] = block

    def _remove(self, block, order):
        after, before = self._free[order].pop(block)
        self._touch(block)
        if after is not None:
            self._touch(after)
            self._free[order][after][1] = before
        if before is not None:
            self._touch(before)
            self._free[order][before][0] = after
        else:
            self._heads[order] = after
        self._touch_list(order)

    def take(self, order):
        """Return a block and how often one was split for it, or None."""
        found = order
        while self._heads[found] is None:
            if found == self._top:
                return None
            found += 1
        block = self._heads[found]
        self._remove(block, found)
        for lower in range(found - 1, order - 1, -1):
            self._push(block + (1 << lower), lower)
        return block, found - order

    def give(self, block, order):
        """Give a block back; return how often it merged."""
        merges = 0
        self._touch(block)
        while order < self._top:
            buddy = block ^ 1 << order
            self._touch(buddy)
            if buddy not in self._free[order]:
                break
            self._remove(buddy, order)
            block &= buddy
            order += 1
            merges += 1
        self._push(block, order)
        return merges


class _Zone:
    """A zone with its lock, and who touched which of its lines last."""

    def __init__(self, env, costs):
        self._env = env
        self._costs = costs
        self._turn = simpy.Resource(env)
        self._last = {}
        self.lists = Buddy(ZONE_ORDER)

    def section(self, me, work):
        """Hold the lock while `work`, which returns its nanoseconds without any line's way here."""
        costs = self._costs
        with self._turn.request() as turn:
            yield turn
            lock = costs.transfer(self._last.get("lock"), me)
            self._last["lock"] = me
            self.lists.lines.clear()
            spent = costs.locked + work() + lock * (1 + costs.retries * len(self._turn.queue))
            for line in self.lists.lines:
                # The line of the lists of orders 0 to 3 came with the lock.
                if line != LOCK_LINE:
                    spent += costs.transfer(self._last.get(line), me)
                    self._last[line] = me
            yield self._env.timeout(spent)


class _Processor:
    """Allocates a burst of blocks, frees them, and so on."""

    def __init__(self, machine, number):
        self._machine = machine
        self._number = number
        self._costs = machine.costs
        self._random = random.Random(number)
        # Time spent since the last event.
        self._spent = 0
        self._mine = []
        self._stock = []
        self._regions = []

    def run(self):
        """Run for ever."""
        machine = self._machine
        take, give, pair = {
            True: (self._take_cached, self._give_cached, self._costs.magazine_pair),
            False: (self._take, self._give, self._costs.zone_pair),
        }[machine.magazine > 0]
        if machine.design == REGIONS:
            take, give = self._take_own, self._give_own
        while True:
            for step in (take, give):
                for _ in range(machine.burst):
                    self._spend(pair / 2 * (1 + self._costs.jitter * self._random.uniform(-1, 1)))
                    yield from step()
            yield machine.env.timeout(self._spent)
            self._spent = 0
            machine.done(self._number)

    def _spend(self, nanoseconds):
        self._spent += nanoseconds

    def _locked(self, work, *args):
        """Do `work` under the zone's lock."""
        yield self._machine.env.timeout(self._spent)
        self._spent = 0
        yield from self._machine.zone.section(self._number, lambda: work(*args))

    def _work(self, ways, pair):
        """Time of takes or gives of which each splits or merges so often."""
        return (pair * len(ways) + self._costs.split_merge * sum(ways)) / 2

    # A block at a time, from the zone

    def _take(self):
        yield from self._locked(self._take_from_zone)

    def _take_from_zone(self):
        block, splits = self._machine.zone.lists.take(self._machine.order)
        self._mine.append(block)
        return self._work([splits], self._costs.take_give)

    def _give(self):
        yield from self._locked(self._give_to_zone)

    def _give_to_zone(self):
        merges = self._machine.zone.lists.give(self._mine.pop(), self._machine.order)
        return self._work([merges], self._costs.take_give)

    # From a magazine

    def _take_cached(self):
        if not self._stock:
            yield from self._locked(self._fill, self._machine.magazine // 2)
        self._mine.append(self._stock.pop())

    def _fill(self, count):
        taken = [self._machine.zone.lists.take(self._machine.order) for _ in range(count)]
        self._stock += [block for block, _ in taken]
        ways = [splits for _, splits in taken]
        return self._work(ways, self._costs.refill_drain)

    def _give_cached(self):
        if len(self._stock) == self._machine.magazine:
            yield from self._locked(self._drain, self._machine.magazine // 2)
        self._stock.append(self._mine.pop())

    def _drain(self, count):
        ways = [
            self._machine.zone.lists.give(self._stock.pop(), self._machine.order)
            for _ in range(count)
        ]
        return self._work(ways, self._costs.refill_drain)

    # From regions of its own, whose lock nobody else takes

    def _take_own(self):
        order = self._machine.order
        for region in reversed(self._regions):
            found = region.take(order)
            if found:
                break
        else:
            yield from self._locked(self._reserve)
            region = self._regions[-1]
            found = region.take(order)
        block, splits = found
        self._mine.append((region, block))
        self._spend_own(splits)

    def _give_own(self):
        region, block = self._mine.pop()
        self._spend_own(region.give(block, self._machine.order))
        yield from ()

    def _spend_own(self, ways):
        self._spend(self._costs.locked + self._work([ways], self._costs.take_give))

    def _reserve(self):
        order = self._costs.region_order
        start, splits = self._machine.zone.lists.take(order)
        self._regions.append(Buddy(order, start))
        return self._work([splits], self._costs.take_give)


class _Machine:
    """Processors and a zone; `run` says how many pairs of calls they do."""

    def __init__(self, processors, design, order, burst, costs):
        self.env = simpy.Environment()
        self.costs = costs
        self.design = design
        self.order = order
        self.burst = burst
        self.zone = _Zone(self.env, costs)
        cached = design == MAGAZINES or order == 0
        self.magazine = dict(costs.magazine)[order] if cached and design != REGIONS else 0
        self._bursts = [0] * processors
        self._cold = processors
        self._counted = 0
        self._start = 0
        self._end = self.env.event()

    def done(self, number):
        """Count a burst of a processor."""
        self._bursts[number] += 1
        if self._cold:
            self._cold -= self._bursts[number] == _WARM
            self._start = self.env.now
            return
        self._counted += 1
        if self._counted == _COUNTED[self.burst] * len(self._bursts):
            self._end.succeed()

    def run(self):
        """Return the pairs a microsecond of all processors together."""
        for number in range(len(self._bursts)):
            self.env.process(_Processor(self, number).run())
        self.env.run(self._end)
        return self._counted * self.burst / (self.env.now - self._start) * 1000


def simulate(processors, design, order, burst, costs=None):
    """Return pairs of `alloc` and `free` a microsecond."""
    return _Machine(processors, design, order, burst, costs or Costs()).run()


def simulate_all():
    """Return the results by (burst, order, design), each a list by processors."""
    return {
        (burst, order, design): [simulate(n, design, order, burst) for n in PROCESSORS]
        for burst in BURSTS
        for order in ORDERS
        for design in DESIGNS
        # With a magazine for order 0 there is nothing else to be had there.
        if order or design != MAGAZINES
    }


def limit(rates):
    """Return from how many processors on twice as many do less than 1.25 times the work, or None."""
    for number, one, two in zip(PROCESSORS[:-1], rates[:-1], rates[1:], strict=True):
        if two < 1.25 * one:
            return number
    return None


_HEAD = ("blocks at a time", "order", "design", *map(str, PROCESSORS), "limit")


def _number(rate):
    return f"{rate:.3g}" if rate < 1000 else f"{rate:.0f}"


def rows(results):
    """Yield the lines of the table."""
    for (burst, order, design), rates in results.items():
        found = limit(rates)
        yield (
            str(burst),
            str(order),
            design,
            *(_number(rate) for rate in rates),
            str(found or ""),
        )


def draw(results, path):
    """Draw the plot to `path`."""
    # The tests do without.
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "pfm"
    matplotlib.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        len(BURSTS), len(ORDERS), figsize=(13, 7.5), layout="constrained", sharex=True, sharey=True
    )
    for line, burst in zip(panels, BURSTS, strict=True):
        for axes, order in zip(line, ORDERS, strict=True):
            for design in DESIGNS:
                if (burst, order, design) in results:
                    axes.plot(PROCESSORS, results[burst, order, design], label=design)
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_xticks(PROCESSORS[::2], list(map(str, PROCESSORS[::2])))
            axes.set_title(f"order {order}, {burst} at a time")
            axes.grid(True, alpha=0.3)
            axes.minorticks_off()
    for axes in panels[-1]:
        axes.set_xlabel("processors")
    for axes in panels[:, 0]:
        axes.set_ylabel("alloc and free, pairs/us")
    panels[0, 1].legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", required=True, help="the folder of the documents", type=Path)
    options = parser.parse_args()
    results = simulate_all()
    lines = list(rows(results))
    print("\n".join(table.plain(_HEAD, lines)))
    draw(results, options.docs / "scaling.svg")
    page = options.docs / "scaling.md"
    text = page.read_text()
    begin, end = "<!-- by `make scaling` -->\n", "<!-- end -->"
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    made = "\n".join(table.markdown(_HEAD, lines))
    page.write_text(f"{before}{begin}{made}\n{end}{after}")


if __name__ == "__main__":
    main()
