"""A fake machine for tests: real Limine structures and real memory, from a list of entries.

    machine = FakeMachine([(0x100000, 64 << 20, USABLE)])
    pfm = machine.boot()

Physical memory is a sparse file of the host, mapped through `ffi`, so a machine of a terabyte
takes only the memory that is written.  Without `ffi` it is a buffer on the Python heap, for
machines of a few MiB.
"""

import uctypes
from micropython import const

from .address import PAGE_SHIFT, PAGE_SIZE, PFN_LIMIT
from .array import populate
from .manager import PageFrameManager
from .memmap import protocol
from .memmap.regions import RAM
from .memmap.response import Response
from .paging.tables import WRITE

try:
    import ffi
except ImportError:
    ffi = None

# <sys/mman.h> of Linux on x86-64.
_PROT_READ = const(1)
_PROT_WRITE = const(2)
_MAP_SHARED = const(0x01)
_MAP_PRIVATE = const(0x02)
_PROT_READ_WRITE = const(0x01 | 0x02)
_MAP_SHARED_FIXED = const(0x01 | 0x10)
_MAP_FIXED = const(0x10)
_MAP_ANONYMOUS = const(0x20)
_MAP_NORESERVE = const(0x4000)
_MAP_POPULATE = const(0x8000)
_MAP_FIXED_NOREPLACE = const(0x100000)

# The pattern file has 1/256 of the shared pages to map, within these bounds: each mapping of
# the file takes as long as writing three pages.
_PATTERN_SHIFT = const(8)
_PATTERN_MIN = const(512)
_PATTERN_MAX = const(8192)
# Pages written per call.
_WRITTEN_PAGES = const(16)

_BUFFER_MAX = const(64 << 20)


class OutOfAddressesError(MemoryError):
    """The host cannot map that many bytes, or not at the wanted address."""


if ffi:
    _libc = ffi.open(None)
    _mmap = _libc.func("P", "mmap", "PLiiil")
    _munmap = _libc.func("i", "munmap", "PL")
    _memfd_create = _libc.func("i", "memfd_create", "sI")
    _ftruncate = _libc.func("i", "ftruncate", "il")
    _close = _libc.func("i", "close", "i")
    _write = _libc.func("l", "write", "iPL")


def _map(virt, size, protection, flags, file=-1, offset=0):
    found = _mmap(virt, size, protection, flags, file, offset)
    if found % PAGE_SIZE or (virt and found != virt):
        raise OutOfAddressesError("cannot map {} bytes at 0x{:x}".format(size, virt))
    return found


def _file(size, name):
    file = _memfd_create(name, 0)
    if file < 0 or _ftruncate(file, size):
        raise OutOfAddressesError("no file of {} bytes".format(size))
    return file


def _map_page(virt, file, phys):
    """Map the page at `virt` to the file's page at `phys`, without the Python heap."""
    if _mmap(virt, PAGE_SIZE, _PROT_READ_WRITE, _MAP_SHARED_FIXED, file, phys) != virt:
        raise OutOfAddressesError("cannot map the page at 0x{:x}".format(virt))


populate.host_map = _map_page


class _Pattern:
    """A file of copies of one page, mapped wherever many pages share that page.

    Writing it takes longer than mapping it, so each is kept for the life of the process.
    """

    kept = []

    def __init__(self, page):
        self.page = bytes(page)
        self.pages = 0
        self.file = _file(0, "pfm-shared")

    def reach(self, pages):
        """Extend the file to at least `pages` pages."""
        size = _WRITTEN_PAGES * PAGE_SIZE
        copies = self.page * _WRITTEN_PAGES
        while self.pages < pages:
            if _write(self.file, copies, size) != size:
                raise OutOfAddressesError("no file of {} bytes".format(pages * PAGE_SIZE))
            self.pages += _WRITTEN_PAGES

    @staticmethod
    def of(page):
        """Return the pattern for a page with the contents `page`."""
        for pattern in _Pattern.kept:
            if pattern.page == page:
                return pattern
        pattern = _Pattern(page)
        _Pattern.kept.append(pattern)
        return pattern


class FileMemory:
    """Physical memory of `size` bytes in a sparse file, mapped whole at `virt` (anywhere if 0)."""

    def __init__(self, size, virt, lazy):
        self.size = size
        self.lazy = lazy
        self.file = _file(size, "pfm")
        self._mapped = []
        self._shared = []
        place = _MAP_FIXED_NOREPLACE if virt else 0
        flags = _MAP_SHARED | _MAP_NORESERVE | place
        self.virt = _map(virt, size, _PROT_READ | _PROT_WRITE, flags, self.file)

    def forget(self):
        """Unmap all arrays; their managers must not be used afterwards."""
        for virt, size in self._mapped:
            _munmap(virt, size)
        self._mapped.clear()
        self._shared.clear()

    def close(self):
        """Return the memory and everything mapped from it to the host."""
        self.forget()
        _munmap(self.virt, self.size)
        _close(self.file)

    def space(self, take_table):
        """Return the address space for the array: this object, which maps by `mmap`."""
        return self

    def reserve(self, pages):
        """Return the address of `pages` pages that are inaccessible until they are mapped."""
        size = pages * PAGE_SIZE
        flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_NORESERVE
        virt = _map(0, size, 0, flags)
        self._mapped.append((virt, size))
        return virt

    def abandon(self):
        """Undo the last `reserve`."""
        if self._mapped:
            _munmap(*self._mapped.pop())

    def map(self, virt, phys, count, flags=0):
        """Map as `PageTables.map` does."""
        protection = _PROT_READ | (_PROT_WRITE if flags & WRITE else 0)
        # Prefaulted, since all of it is written next.
        how = _MAP_SHARED | _MAP_FIXED | _MAP_POPULATE
        _map(virt, count * PAGE_SIZE, protection, how, self.file, phys)

    def map_same(self, virt, phys, count, flags=0):
        """Map as `PageTables.map_same` does, but to copies of the frame's current contents."""
        self.map_shared(virt, phys, count)

    def open(self, state):
        """Note in the pool's struct `state` (array/populate.py) that `mmap` maps the array."""
        state.has_tables = 0
        state.file = self.file

    def map_shared(self, virt, phys, count, flags=0):
        """Map as `PageTables.map_shared` does, but to copies of the frame's current contents."""
        self._shared.append((virt, virt + count * PAGE_SIZE, phys))
        pattern = _Pattern.of(uctypes.bytearray_at(self.virt + phys, PAGE_SIZE))
        wanted = max(_PATTERN_MIN, min(_PATTERN_MAX, count >> _PATTERN_SHIFT))
        pattern.reach(min(count, wanted))
        while count:
            pages = min(count, pattern.pages)
            _map(virt, pages * PAGE_SIZE, _PROT_READ, _MAP_SHARED | _MAP_FIXED, pattern.file)
            virt += pages * PAGE_SIZE
            count -= pages

    def query(self, virt):
        """Return what `PageTables.query` would, for pages mapped here and for the HHDM."""
        if self.virt <= virt < self.virt + self.size:
            return virt - self.virt, PAGE_SIZE, WRITE
        # `populate` remaps pages without notifying this object, so the host is asked first.
        with open("/proc/self/maps") as mappings:
            for mapping in mappings:
                bounds, rights, offset, _, _, *name = mapping.split()
                start, end = [int(bound, 16) for bound in bounds.split("-")]
                if start <= virt < end and name and name[0] == "/memfd:pfm":
                    return int(offset, 16) + virt - start, PAGE_SIZE, WRITE if "w" in rights else 0
        for start, end, phys in self._shared:
            if start <= virt < end:
                return phys + virt % PAGE_SIZE, PAGE_SIZE, 0
        return None


class BufferMemory:
    """Physical memory of `size` bytes on the Python heap; the array lies in it without holes."""

    def __init__(self, size, virt, lazy):
        if size > _BUFFER_MAX or virt:
            raise OutOfAddressesError("{} bytes at 0x{:x} need ffi".format(size, virt))
        self._buffer = bytearray(size + PAGE_SIZE)
        self.virt = (uctypes.addressof(self._buffer) + PAGE_SIZE - 1) & -PAGE_SIZE

    def close(self):
        """Release the memory."""
        self._buffer = None

    def space(self, take_table):
        """Return None: the array is not mapped, it lies in the HHDM."""
        return None


class FakeMachine:
    """A machine with the memory map `entries`, a list of (base, length, type) in bytes.

    Request, response, pointers and entries are laid out in memory as the Limine boot protocol
    defines.  `hhdm` is the offset of the HHDM (default: wherever the host has room).  With
    `sparse` False the array lies in the HHDM; with `lazy` False its pages have frames of their
    own from the start.  `memory` is used as physical memory instead of a `FileMemory` or
    `BufferMemory`.  Close the machine, or use it in a `with` statement.
    """

    def __init__(self, entries, hhdm=None, sparse=True, lazy=True, memory=None):
        self._made = Response(entries)
        self._response = self._made.fields
        self._request = self._made.struct(protocol.REQUEST)
        self._request.response = self._made.virt
        limit = PFN_LIMIT << PAGE_SHIFT
        ends = [min(b + n, limit) for b, n, kind in entries if n and kind in RAM and b < limit]
        size = (max(ends + [PAGE_SIZE]) + PAGE_SIZE - 1) & -PAGE_SIZE
        self.memory = memory or (FileMemory if ffi else BufferMemory)(size, hhdm or 0, lazy)
        self._sparse = sparse
        self.manager = None

    @property
    def memmap_virt(self):
        """The address of the memory map response."""
        return self._request.response or None

    @property
    def hhdm(self):
        """The offset of the HHDM."""
        return self.memory.virt

    def space(self, take_table):
        """Return the address space for the array, None if the machine is not sparse."""
        return self.memory.space(take_table) if self._sparse else None

    def leave_loader(self, manager):
        """Do nothing: the responses are not in the fake machine's memory."""

    def leave_acpi(self, manager):
        """Do nothing: there are no ACPI tables."""

    def soft_reset(self):
        """Forget the manager, as a restart of the interpreter does."""
        self.manager = None

    def boot(self, debug=False):
        """Return a `PageFrameManager` initialised on this machine, as after power-on."""
        self.manager = None
        manager = PageFrameManager()
        manager.init(self, debug)
        return manager

    def close(self):
        """Return the memory to the host; the machine's managers must not be used afterwards."""
        self.memory.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.close()
