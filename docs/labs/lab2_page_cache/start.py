"""Lab 2: a page cache.  It is right so far, but it keeps nothing."""

from pfm.address import PAGE_SIZE


class PageCache:
    """Keeps up to `pages` blocks of `device` in frames of `manager`.

    The flags of a frame that holds a block say what it is: FILE and LRU as long as it does,
    UPTODATE once its contents are valid, DIRTY while they are newer than the device's,
    WRITEBACK while they are being written.
    """

    def __init__(self, manager, device, pages):
        self._manager = manager
        self._device = device
        self._pages = pages

    def read(self, block, offset=0, size=PAGE_SIZE):
        """Return `size` bytes of the block.  Raises OSError, OutOfFramesError."""
        pfn = self._manager.alloc(tag="page")
        try:
            page = self._manager.memory(pfn)
            self._device.readblocks(block, page)
            return bytes(page[offset : offset + size])
        finally:
            self._manager.free(pfn)

    def write(self, block, offset, data):
        """Replace bytes of the block, on the device at the next `sync`.  Raises as `read`."""
        pfn = self._manager.alloc(tag="page")
        try:
            page = self._manager.memory(pfn)
            self._device.readblocks(block, page)
            page[offset : offset + len(data)] = data
            self._device.writeblocks(block, page)
        finally:
            self._manager.free(pfn)

    def sync(self):
        """Write all dirty pages to the device, in the order of the blocks.  Raises OSError."""

    def close(self):
        """Write what is dirty and give all frames back.  Raises OSError, and keeps them then."""
