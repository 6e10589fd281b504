"""pfm/alloc/zone.py: the bounds of the zones and their watermarks."""

from allocation import lists, zone
from ktap import equal
from maps import GIB, KIB, MIB, TIB, frames

from pfm import Zone
from pfm.address import PFN_LIMIT
from pfm.alloc.zone import watermark, zone_of
from pfm.memmap import protocol
from pfm.testing import FakeMachine


def test_bounds():
    for pfn, expected in (
        (0, 0),
        (frames(16 * MIB) - 1, 0),
        (frames(16 * MIB), 1),
        (frames(4 * GIB) - 1, 1),
        (frames(4 * GIB), 2),
        (PFN_LIMIT - 1, 2),
    ):
        equal(zone_of(pfn), expected)


def test_text_at_the_prompt():
    equal(
        repr(Zone),
        "<Zone: DMA = 0 below 16 MiB, DMA32 = 1 below 4 GiB, NORMAL = 2 below 16.0 TiB>",
    )


def test_watermark_is_a_share_with_a_limit():
    equal([watermark(managed) for managed in (0, 127, 128, 4096, 1 << 20)], [0, 0, 1, 32, 2048])


def _top_of_memory(base, end):
    """Boot a machine whose highest RAM is `base`..`end`, use it, and expect each invariant to hold."""
    with FakeMachine(
        [(MIB, 64 * MIB, protocol.USABLE), (base, end - base, protocol.USABLE)]
    ) as machine:
        pfm = machine.boot()
        last = min(frames(end), PFN_LIMIT) - 1
        state = zone(pfm, Zone.NORMAL)
        equal((pfm.max(), state.end, state.present), (last, last + 1, last + 1 - frames(base)))
        pfm.check()
        before = lists(pfm)
        free = state.free
        taken = pfm.alloc_many(free, Zone.NORMAL)
        equal((min(taken), len(set(taken)), state.free), (frames(base), free, 0))
        assert max(taken) <= last
        pfm.check()
        # One by one, so that each merges with what was freed before it.
        for pfn in taken:
            pfm.free(pfn)
        equal(lists(pfm), before)
        run = pfm.alloc_contiguous(free)
        equal(run, frames(base))
        pfm.check()
        pfm.free(run)
        equal(lists(pfm), before)
        pfm.check()


def test_ram_up_to_and_past_16_tib():
    for end in (
        16 * TIB - 8 * KIB,
        16 * TIB - 4 * KIB,
        16 * TIB,
        16 * TIB + 4 * KIB,
        16 * TIB + 4 * MIB,
        1 << 52,
    ):
        _top_of_memory(16 * TIB - 4 * MIB, end)
