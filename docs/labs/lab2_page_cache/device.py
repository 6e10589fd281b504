"""A block device on the Python heap that notes what it is asked to do, and can fail."""

import errno

from pfm.address import PAGE_SIZE


class Device:
    """Blocks of a page each, read and written as those of MicroPython's `vfs.AbstractBlockDev`.

    `reads` and `writes` list the blocks in the order of the requests.  While `broken`, every
    request raises OSError(EIO).  `during_write` is called while a block is being written.
    """

    def __init__(self, blocks):
        self.data = bytearray(blocks * PAGE_SIZE)
        self.reads = []
        self.writes = []
        self.broken = False
        self.during_write = None

    def _begin(self, block, noted):
        if self.broken:
            raise OSError(errno.EIO)
        noted.append(block)
        return block * PAGE_SIZE

    def readblocks(self, block, buf):
        """Fill `buf` from the block."""
        start = self._begin(block, self.reads)
        buf[:] = self.data[start : start + PAGE_SIZE]

    def writeblocks(self, block, buf):
        """Write `buf` to the block."""
        if self.during_write:
            self.during_write(block)
        start = self._begin(block, self.writes)
        self.data[start : start + PAGE_SIZE] = buf
