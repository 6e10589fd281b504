"""What the manager handed out, as the model knows it."""

from pfm import PFM


class Block:
    """Frames that were allocated as one."""

    def __init__(self, kind, pfn, count, compound=False, tag=0):
        self.kind = kind
        self.pfn = pfn
        self.count = count
        self.compound = compound
        self.tag = tag
        self.references = 1
        self.stamp = 0
        # One frame of it has these flags.
        self.flagged = pfn
        self.flags = 0


class Object:
    """Memory that `malloc` gave, or a cache."""

    def __init__(self, virt, size, cache):
        self.virt = virt
        self.size = size
        self.cache = cache
        self.stamp = 0


def give_back(block):
    """Drop all references to a block, and free it."""
    while block.references > 1:
        PFM.unref(block.pfn)
        block.references -= 1
    PFM.free(block.pfn)
