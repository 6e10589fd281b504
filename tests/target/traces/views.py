"""Pages that any processor maps anew while the others read them, and reads of no page."""

import _thread
from array import array

import kernel
import machine
from tests.target.traces.disagreement import Disagreement

from pfm import PFM
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.lock import critical as section
from pfm.paging.tables import WRITE

# The first page: a top level entry that nothing else uses.
_VIRT = 0xFFFF_9100_0000_0000
_PAGES = 8
# Nothing is mapped there.
_NOWHERE = 0xFFFF_9180_0000_0000


def _virt(at):
    return _VIRT + at * PAGE_SIZE


def _read(virt):
    return machine.mem32[virt]


class Pages:
    """The pages, and what each must show; `kept` is a frame to map behind them."""

    def __init__(self, kept):
        self.lock = _thread.allocate_lock()
        self.frames = array("I", [PFM.alloc() for _ in range(_PAGES)])
        # By page: whether it is mapped, and to which frame.
        self.mapped = bytearray(_PAGES)
        self.shows = array("I", bytes(4 * _PAGES))
        # By frame.
        self.contents = dict.fromkeys(self.frames, 0)
        # A soft reset leaves them mapped.
        self._unmap()
        # So that their page tables stay.
        PFM.space.map(_virt(_PAGES), kept << PAGE_SHIFT, 1, 0)

    def _unmap(self):
        for at in range(_PAGES + 1):
            if PFM.space.query(_virt(at)):
                PFM.space.unmap(_virt(at), 1)

    def look_at(self, at):
        """Compare what a page shows with what was written to the frame that it is mapped to."""
        if self.mapped[at]:
            found = _read(_virt(at))
            wanted = self.contents[self.shows[at]]
            if found != wanted:
                raise Disagreement("view {}: {}, not {}".format(at, hex(found), hex(wanted)))

    def look(self):
        """Compare all pages."""
        for at in range(_PAGES):
            self.look_at(at)

    def close(self):
        """Unmap all pages, and free their frames."""
        self._unmap()
        for pfn in self.frames:
            PFM.free(pfn)


class Views:
    """The part of `Actor` that maps and reads pages."""

    def _view(self):
        """Read a page that another may have mapped anew, and map it anew."""
        pages = self.traces.pages
        at = self._random(_PAGES)
        virt = _virt(at)
        with pages.lock:
            with section():
                pages.look_at(at)
                if self._chance(2):
                    return
                if pages.mapped[at]:
                    pages.mapped[at] = 0
                    PFM.space.unmap(virt, 1)
            self._expect(kernel.AccessFault, _read, virt)
            if self._chance(8):
                return
            pfn = pages.frames[self._random(len(pages.frames))]
            stamp = self._stamp()
            with section():
                PFM.space.map(virt, pfn << PAGE_SHIFT, 1, WRITE)
                machine.mem32[virt] = stamp
                pages.mapped[at] = 1
                pages.shows[at] = pfn
                # Other pages may show the same frame.
                pages.contents[pfn] = stamp

    def _fault(self):
        self._expect(kernel.AccessFault, _read, _NOWHERE + self._random(1000) * PAGE_SIZE)
