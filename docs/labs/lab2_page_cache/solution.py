"""Lab 2, a solution."""

from pfm import OutOfFramesError, PageFlags
from pfm.address import PAGE_SIZE


class PageCache:
    """Keeps up to `pages` blocks of `device` in frames of `manager`; the least recently used goes first."""

    def __init__(self, manager, device, pages):
        self._manager = manager
        self._device = device
        self._pages = pages
        # The frame of each block that is cached.
        self._frames = {}
        # These blocks, the one that was used last at the end.
        self._used = []

    def read(self, block, offset=0, size=PAGE_SIZE):
        """Return `size` bytes of the block.  Raises OSError, OutOfFramesError."""
        return bytes(self._manager.memory(self._valid(block))[offset : offset + size])

    def write(self, block, offset, data):
        """Replace bytes of the block, on the device at the next `sync`.  Raises as `read`."""
        # What is replaced whole need not be read.
        pfn = self._frame(block) if len(data) == PAGE_SIZE else self._valid(block)
        self._manager.memory(pfn)[offset : offset + len(data)] = data
        self._manager.set_flags(pfn, PageFlags.DIRTY | PageFlags.UPTODATE)

    def sync(self):
        """Write all dirty pages to the device, in the order of the blocks.  Raises OSError."""
        for block in sorted(self._frames):
            self._clean(block)

    def close(self):
        """Write what is dirty and give all frames back.  Raises OSError, and keeps them then."""
        self.sync()
        while self._used:
            self._evict()

    def _valid(self, block):
        """Return the block's frame with valid contents."""
        pfn = self._frame(block)
        if not self._manager.check_flags(pfn, PageFlags.UPTODATE):
            self._device.readblocks(block, self._manager.memory(pfn))
            self._manager.set_flags(pfn, PageFlags.UPTODATE)
        return pfn

    def _frame(self, block):
        """Return the block's frame, now the one that was used last; of a new one the contents are not valid."""
        if block in self._frames:
            self._used.remove(block)
        else:
            pfn = self._alloc()
            self._manager.set_flags(pfn, PageFlags.FILE | PageFlags.LRU)
            self._frames[block] = pfn
        self._used.append(block)
        return self._frames[block]

    def _alloc(self):
        """Return a new frame, for which others may have to go."""
        while len(self._frames) >= self._pages:
            self._evict()
        while True:
            try:
                return self._manager.alloc(tag="page")
            except OutOfFramesError:
                if not self._used:
                    raise
            self._evict()

    def _evict(self):
        """Give the frame back that was not used for the longest time."""
        block = self._used[0]
        self._clean(block)
        self._used.pop(0)
        # This clears the flags.
        self._manager.free(self._frames.pop(block))

    def _clean(self, block):
        """Write the block's page if it is dirty; if that fails it stays so."""
        pfn = self._frames[block]
        if not self._manager.check_flags(pfn, PageFlags.DIRTY):
            return
        self._manager.set_flags(pfn, PageFlags.WRITEBACK)
        try:
            self._device.writeblocks(block, self._manager.memory(pfn))
            self._manager.clear_flags(pfn, PageFlags.DIRTY)
        finally:
            self._manager.clear_flags(pfn, PageFlags.WRITEBACK)
