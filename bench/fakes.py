"""Machines of any size to build an array for, whose memory is there for the array alone."""

from pfm import limine
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.frame import ENTRY_SIZE

# Besides the entries: the control page and the pages that stand for many.
_EXTRA_PAGES = 16


def entries(frames):
    """Return the memory map of a machine with that many frames, all but the first usable RAM."""
    return [(PAGE_SIZE, (frames - 1) << PAGE_SHIFT, limine.USABLE)]


class WindowMemory:
    """The top of a fake machine's RAM, in frames of the machine that the kernel runs on."""

    def __init__(self, manager, frames):
        self._manager = manager
        pages = (frames * ENTRY_SIZE >> PAGE_SHIFT) + _EXTRA_PAGES
        self._pfn = manager.alloc_pages(pages)
        window_virt = manager.as_virt(self._pfn << PAGE_SHIFT)
        # The array lies at the top of RAM without holes, and init touches nothing else.
        self.virt = window_virt - ((frames - pages) << PAGE_SHIFT)

    def space(self, take_table):
        """Return that the array lies in the fake HHDM."""
        return None

    def close(self):
        """Give the frames back."""
        self._manager.free(self._pfn)
