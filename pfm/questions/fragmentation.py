"""How fragmented free memory is, as the field measures it.

The index here is the *unusable free space index* of an order: the share of the free frames that
lie in blocks too small for it, 0 while all serve and 1 when none does.  It is defined at any
time.  Beside it stands Linux's *fragmentation index*, which explains a failure, so is defined
only when an allocation of the order would fail: towards 0 for want of memory, towards 1 because
it is fragmented.
Sources: Gorman and Whitcroft, "The What, The Why and the Where To of Anti-Fragmentation", Ottawa
Linux Symposium 2006; Linux, mm/vmstat.c, `unusable_free_index` and `__fragmentation_index`.
"""

from collections import namedtuple

from ..alloc.zone import ORDER_MAX, Zone
from ..report.report import Report

# Of the `free` frames on a zone's lists `suitable` are in blocks of the order or a higher one.
# `index` is the unusable free space index, None if no frame is free; `failure` the
# fragmentation index, None where the zone has a block.
ZoneIndex = namedtuple("ZoneIndex", ("name", "free", "suitable", "index", "failure"))


def _row(name, blocks, order):
    free = sum([count << at for at, count in enumerate(blocks)])
    suitable = sum([blocks[at] << at for at in range(order, ORDER_MAX + 1)])
    index = failure = None
    if free:
        index = (free - suitable) / free
        if not suitable:
            failure = 1 - (1 + free / (1 << order)) / sum(blocks)
    return ZoneIndex(name, free, suitable, index, failure)


class Fragmentation(Report):
    """Each zone's indices for `order`: `zones` has a `ZoneIndex` for each, `total` for all.

    `index`, 0 to 1, is the total's.  Frames in magazines are on no list and do not count.
    """

    def __init__(self, manager, order):
        super().__init__()
        self.order = order
        buddy = manager.buddyinfo()
        self.differences.extend(buddy.differences)
        self.zones = [_row(Zone.NAMES[zone], row, order) for zone, row in enumerate(buddy.blocks)]
        sums = [sum([row[at] for row in buddy.blocks]) for at in range(ORDER_MAX + 1)]
        self.total = _row("all", sums, order)
        self.index = self.total.index

    def lines(self):
        """Yield the lines of the printed table."""
        yield "{:<6} {:>10} {:>10} {:>9} {:>14}".format(
            "Zone", "Free", "Suitable", "Unusable", "Fragmentation"
        )
        for row in self.zones + [self.total]:
            yield "{:<6} {:>10} {:>10} {:>9} {:>14}".format(
                row.name, row.free, row.suitable, _text(row.index), _text(row.failure)
            )
        yield "Order {}: {}".format(self.order, self.verdict())


def _text(index):
    return "-" if index is None else "{:.3f}".format(index)
