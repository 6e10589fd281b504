"""The C peers (peers/peers.h): through ffi on the unix port, as a kernel module on the target.

On the unix port BENCH_PEERS in the environment names the shared library.
"""

try:
    import ffi
except ImportError:
    ffi = None

# Functions without a result, then those with one, and their numbers of arguments.
_ACTIONS = {
    "peer_memset": 2,
    "peer_fill": 3,
    "peer_memcpy": 3,
    "peer_copy_bytes": 3,
    "peer_copy_movsb": 3,
    "peer_copy_movsq": 3,
    "peer_copy_words": 3,
    "peer_copy_sse": 3,
    "peer_set_range": 4,
    "peer_clear_range": 4,
    "peer_set_many": 4,
    "peer_clear_many": 4,
    "peer_flip_one": 4,
    "peer_bitmap_fill": 4,
    "peer_exchange": 2,
    "reference_init": 6,
    "reference_set_range": 4,
    "reference_clear_range": 4,
    "reference_set_many": 4,
    "reference_clear_many": 4,
    "reference_flip_one": 4,
    "reference_write_five": 3,
    "buddy_open": 4,
    "buddy_free": 2,
    "buddy_pairs": 3,
    "buddy_many": 3,
    "slab_open": 4,
    "slab_pairs": 2,
}
_RESULTS = {
    "peer_count_entries": 3,
    "peer_bitmap_count": 2,
    "peer_differs": 4,
    "reference_count": 3,
    "reference_differs": 4,
    "buddy_size": 0,
    "buddy_alloc": 2,
    "buddy_blocks": 2,
    "walk_used": 3,
    "walk_longest": 3,
    "slab_size": 0,
}


class _Library:
    """The shared library at `path`, its functions as attributes."""

    def __init__(self, path):
        library = ffi.open(path)
        for result, functions in (("v", _ACTIONS), ("L", _RESULTS)):
            for name, arguments in functions.items():
                setattr(self, name, library.func(result, name, "L" * arguments))


if ffi:
    import os

    peers = _Library(os.getenv("BENCH_PEERS"))
else:
    peers = __import__("peers")
