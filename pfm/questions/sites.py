"""Who allocated, by the line of Python that called: allocated frames by call site."""

from collections import namedtuple

from ..address import PAGE_SHIFT
from ..alloc.sites import site_text
from ..report.report import Report
from ..units import human_size
from .owners import tallied

# `frames` in `allocations` were allocated at the call site with that number, whose text is
# `place`.
Site = namedtuple("Site", ("site", "place", "frames", "allocations"))


class CallSites(Report):
    """The allocated frames by call site: `sites` has a `Site` for each, the largest first.

    With `tag` only those of that tag.  What was allocated before the record began is at `"-"`.
    """

    def __init__(self, manager, tag):
        super().__init__()
        self.sites = [
            Site(site, site_text(site), frames, allocations)
            for site, (frames, allocations) in tallied(manager, tag, manager._sites).items()
        ]
        self.sites.sort(key=lambda site: (-site.frames, site.site))
        self.total = sum([site.frames for site in self.sites])
        if tag is None:
            self.compare("used frames", self.total, manager.meminfo().total.used)

    def lines(self):
        """Yield the lines of the printed table."""
        yield "{:>11} {:>10} {:>11}  Call site".format("Frames", "Size", "Allocations")
        for site in self.sites:
            yield "{:>11} {:>10} {:>11}  {}".format(
                site.frames, human_size(site.frames << PAGE_SHIFT), site.allocations, site.place
            )
        yield "Frames: {} ({})".format(self.total, self.verdict())
