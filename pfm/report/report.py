"""What every report is: values, a printed table, and a verdict on the counters that the manager keeps."""

from ..address import PFN_LIMIT


def spans(regions, low=0, high=PFN_LIMIT):
    """Yield (start, end) of each unbroken stretch of RAM in the frames `low`..`high`.

    Blocks may reach over the edges of regions, but not of these.
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

    `differences` lists, in words, where a recount of the entries came to
    something else than was kept; it is empty when the report is `verified`.
    """

    def __init__(self):
        self.differences = []

    @property
    def verified(self):
        """Whether the recount agreed with everything that it was compared with."""
        return not self.differences

    def compare(self, what, counted, kept):
        """Note a difference where what was counted is not what was kept."""
        if counted != kept:
            self.differences.append("{}: {} counted, {} kept".format(what, counted, kept))

    def verdict(self):
        """Return `"verified"`, or what differs."""
        if not self.differences:
            return "verified"
        return "differs: " + "; ".join(self.differences)

    def lines(self):
        """Yield the lines of the printed table."""
        raise NotImplementedError("lines of " + type(self).__name__)

    def __repr__(self):
        return "\n".join(self.lines())
