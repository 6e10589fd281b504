"""Object caches: objects smaller or larger than a frame, cut from slabs, found again by a frame's entry.

docs/slab.md has the design and its sources.
"""

from .cache import Cache

__all__ = ("Cache",)
