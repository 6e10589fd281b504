"""pfm/alloc/heads.py: what the head of an allocated block says."""

from allocation import entry
from ktap import equal
from maps import SMALL_8M

from pfm.testing import FakeMachine


def test_tag_says_who_allocated():
    for debug in (False, True):
        with FakeMachine(SMALL_8M) as machine:
            pfm = machine.boot(debug)
            for tag in (0, 7, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x2A756E6B):
                pfm.drain()
                taken = [
                    pfm.alloc_at(601, 3, tag=tag),
                    pfm.alloc(tag=tag),
                    pfm.alloc(3, tag=tag),
                    pfm.alloc(1, compound=True, tag=tag),
                    pfm.alloc_contiguous(5, tag=tag),
                    pfm.alloc_many(2, tag=tag)[1],
                ]
                for pfn in taken:
                    equal(entry(pfm, pfn).tag, tag)
                for pfn in taken:
                    pfm.free(pfn)
            # The next owner does not inherit it.
            equal(entry(pfm, pfm.alloc()).tag, 0)
            pfm.check()
