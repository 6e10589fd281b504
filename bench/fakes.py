"""Machines of any size to build an array for, and memory for the peers' arrays.

On the unix port memory is in huge pages, where the host has them, as the HHDM of
a kernel is; on the target it is frames of the kernel's own.
"""

from pfm import PFM
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.frame.entry import ENTRY_SIZE
from pfm.memmap import protocol
from pfm.testing import FakeMachine, ffi

# Besides the entries: the control page and the pages that stand for many.
_EXTRA_PAGES = 16

# <sys/mman.h> of Linux on x86-64: PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
# MADV_HUGEPAGE.
_READ_WRITE = 1 | 2
_PRIVATE = 0x02 | 0x20 | 0x4000
_HUGE = 14
_HUGE_SIZE = 2 << 20

# Of fewer entries to write all is quicker than to share pages, for which the host
# takes some six microseconds for each mapping, and more for each page when it is first written.
SHARED_MIN = 1 << 20

if ffi:
    _libc = ffi.open(None)
    _mmap = _libc.func("P", "mmap", "PLiiil")
    _munmap = _libc.func("i", "munmap", "PL")
    _madvise = _libc.func("i", "madvise", "PLi")


class HugeMemory:
    """`size` bytes of the host's memory at `virt`, zeroed, in huge pages where it has them."""

    def __init__(self, size):
        self._size = size + _HUGE_SIZE
        self._start = _mmap(0, self._size, _READ_WRITE, _PRIVATE, -1, 0)
        self.virt = (self._start + _HUGE_SIZE - 1) & -_HUGE_SIZE
        _madvise(self._start, self._size, _HUGE)

    def space(self, take_table):
        """Return that an array lies in this memory as it is."""
        return None

    def close(self):
        """Give the memory back."""
        _munmap(self._start, self._size)


class KernelMemory:
    """`size` bytes in frames of the machine that the kernel runs on, zeroed, at `virt` in the HHDM."""

    def __init__(self, size):
        self._pfn = PFM.alloc_contiguous((size + PAGE_SIZE - 1) >> PAGE_SHIFT, zero=True)
        self.virt = PFM.as_virt(self._pfn << PAGE_SHIFT)

    def space(self, take_table):
        """Return that an array lies in this memory as it is."""
        return None

    def close(self):
        """Give the frames back."""
        PFM.free(self._pfn)


def memory(size):
    """Return `size` bytes of zeroed memory, as an object with `virt` and `close()`."""
    return (HugeMemory if ffi else KernelMemory)(size)


def machine(frames):
    """Return a machine whose RAM is all of that many frames but the first, and whose array lies at RAM's top as it is."""
    pages = (frames * ENTRY_SIZE >> PAGE_SHIFT) + _EXTRA_PAGES
    # Only the array is there: init touches nothing else.
    top = memory(pages << PAGE_SHIFT)
    top.virt -= (frames - pages) << PAGE_SHIFT
    return FakeMachine(_entries(frames), memory=top)


def lazy_machine(frames):
    """Return such a machine whose array shares pages until they are written; a plain one on the target."""
    return FakeMachine(_entries(frames)) if ffi else machine(frames)


def _entries(frames):
    return [(PAGE_SIZE, (frames - 1) << PAGE_SHIFT, protocol.USABLE)]
