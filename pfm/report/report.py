"""What all reports share: values, a printed table, a comparison with the manager's counters."""

from ..address import PFN_LIMIT


def spans(regions, low=0, high=PFN_LIMIT):
    """Yield (start, end) of each contiguous range of RAM in the frames `low`..`high`.

    A block may extend over the edge of a region, but not of a span.
    """
    start = end = low
    for region in regions:
        if not region.present or region.end <= low:
            continue
        if region.start >= high:
            break
        if region.start > end:
            if start < end:
                yield start, end
            start = region.start
        end = min(region.end, high)
    if start < end:
        yield start, end


class Report:
    """A report that prints itself at the prompt.

    `differences` lists, in words, where a recount of the entries differs from the manager's
    counters; it is empty if the report is `verified`.
    """

    def __init__(self):
        self.differences = []

    @property
    def verified(self):
        """Whether the recount agreed with every counter that it was compared with."""
        return not self.differences

    def compare(self, what, counted, kept):
        """Record a difference if `counted` is not `kept`."""
        if counted != kept:
            self.differences.append("{}: {} counted, {} kept".format(what, counted, kept))

    def verdict(self):
        """Return `"verified"`, or the differences."""
        if not self.differences:
            return "verified"
        return "differs: " + "; ".join(self.differences)

    def lines(self):
        """Yield the lines of the printed table."""
        raise NotImplementedError("lines of " + type(self).__name__)

    def __repr__(self):
        return "\n".join(self.lines())
