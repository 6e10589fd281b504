"""Rows of memcpy: the C library's, and other ways to copy."""

from .agree import agree
from .cpeers import peers
from .fakes import memory
from .measure import compare

_SIZES = (4 << 10, 64 << 10, 1 << 20, 8 << 20)
_KIB = 1024
_ENTRY_SIZE = 32

_WAYS = (
    ("C memcpy", peers.peer_memcpy),
    ("C bytes", peers.peer_copy_bytes),
    ("rep movsb", peers.peer_copy_movsb),
    ("rep movsq", peers.peer_copy_movsq),
    ("C words", peers.peer_copy_words),
    ("SSE", peers.peer_copy_sse),
)


def copy_rows():
    """Return the rows of copies, in nanoseconds per KiB, by block size in bytes."""
    largest = _SIZES[-1]
    block = memory(2 * largest)
    source, target = block.virt, block.virt + largest
    rows = []
    for size in _SIZES:
        jobs = []
        for mark, (who, copy) in enumerate(_WAYS):
            peers.peer_set_range(source, 0, size // _ENTRY_SIZE, 1 << mark)
            copy(target, source, size)
            count = peers.peer_count_entries(target, size // _ENTRY_SIZE, 1 << mark)
            agree("copy", who, count, size // _ENTRY_SIZE)
            peers.peer_clear_range(source, 0, size // _ENTRY_SIZE, 1 << mark)
            jobs.append((who, lambda copy=copy, size=size: copy(target, source, size)))
        rows += compare("copy", size, "KiB", size / _KIB, jobs)
    block.close()
    return rows
