"""Machines of any size to build an array for, and memory for the peers' arrays.

On the unix port memory is in huge pages where the host has them, like a kernel's HHDM; on the
target it is in frames of the kernel.
"""

from pfm import PFM
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.frame.entry import ENTRY_SIZE
from pfm.memmap import protocol
from pfm.testing import FakeMachine, ffi

# Besides the entries: the control page and the shared pages.
_EXTRA_PAGES = 16

# <sys/mman.h> of Linux on x86-64: PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
# MADV_HUGEPAGE.
_READ_WRITE = 1 | 2
_PRIVATE = 0x02 | 0x20 | 0x4000
_HUGE = 14
_HUGE_SIZE = 2 << 20

# With fewer entries, writing all is faster than sharing pages: the host takes some six
# microseconds per mapping, and more for each page when it is first written.
SHARED_MIN = 1 << 20

if ffi:
    _libc = ffi.open(None)
    _mmap = _libc.func("P", "mmap", "PLiiil")
    _munmap = _libc.func("i", "munmap", "PL")
    _madvise = _libc.func("i", "madvise", "PLi")


class HugeMemory:
    """`size` bytes of zeroed host memory at `virt`, in huge pages where the host has them."""

    def __init__(self, size):
        self._size = size + _HUGE_SIZE
        self._start = _mmap(0, self._size, _READ_WRITE, _PRIVATE, -1, 0)
        self.virt = (self._start + _HUGE_SIZE - 1) & -_HUGE_SIZE
        _madvise(self._start, self._size, _HUGE)

    def space(self, take_table):
        """Return None: an array in this memory is not mapped."""
        return None

    def close(self):
        """Unmap the memory."""
        _munmap(self._start, self._size)


class KernelMemory:
    """`size` bytes of zeroed frames of the kernel's machine, at `virt` in the HHDM."""

    def __init__(self, size):
        self._pfn = PFM.alloc_contiguous((size + PAGE_SIZE - 1) >> PAGE_SHIFT, zero=True)
        self.virt = PFM.as_virt(self._pfn << PAGE_SHIFT)

    def space(self, take_table):
        """Return None: an array in this memory is not mapped."""
        return None

    def close(self):
        """Free the frames."""
        PFM.free(self._pfn)


def memory(size):
    """Return `size` bytes of zeroed memory, as an object with `virt` and `close()`."""
    return (HugeMemory if ffi else KernelMemory)(size)


def machine(frames):
    """Return a machine of `frames` frames, all RAM but the first.

    Its array is at the top of RAM and is not mapped.
    """
    pages = (frames * ENTRY_SIZE >> PAGE_SHIFT) + _EXTRA_PAGES
    # Only the array is backed by memory: init writes nothing else.
    top = memory(pages << PAGE_SHIFT)
    top.virt -= (frames - pages) << PAGE_SHIFT
    return FakeMachine(_entries(frames), memory=top)


def lazy_machine(frames):
    """Return such a machine whose array pages are shared until written.

    On the target it is a plain one.
    """
    return FakeMachine(_entries(frames)) if ffi else machine(frames)


def _entries(frames):
    return [(PAGE_SIZE, (frames - 1) << PAGE_SHIFT, protocol.USABLE)]
