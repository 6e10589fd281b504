"""Zones: which one serves, what each keeps for itself, and the magazine of the highest."""

from allocation import lists, refused, zone
from ktap import equal
from maps import GIB, KIB, MIB, SMALL_8M, THREE_ZONES, TIB, frames

from pfm import OutOfFramesError, Zone
from pfm.address import PFN_LIMIT
from pfm.alloc.magazine import MAGAZINE_FRAMES
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


def test_watermark_is_a_share_with_a_limit():
    equal([watermark(managed) for managed in (0, 127, 128, 4096, 1 << 20)], [0, 0, 1, 32, 2048])


def test_counters():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        present = [zone(pfm, number).present for number in range(3)]
        equal(present[0] + present[1], frames(41 * MIB) - 5)
        equal(present[2], frames(16 * MIB))
        for number in range(3):
            state = zone(pfm, number)
            equal((state.free, state.free), (state.managed, pfm.count_free()[number]))
            equal(state.watermark, watermark(state.managed))
            assert state.managed <= state.present


def test_each_zone_by_name():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        for number in (Zone.DMA, Zone.DMA32, Zone.NORMAL):
            for order in (0, 1, 5):
                equal(zone_of(pfm.alloc(order, number)), number)
            equal(zone_of(pfm.alloc_contiguous(33, zone=number)), number)
            equal([zone_of(pfn) for pfn in pfm.alloc_many(40, number)], [number] * 40)
        equal(zone_of(pfm.alloc()), Zone.NORMAL)
        pfm.check()


def test_zone_above_the_highest_is_the_highest():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for number in range(3):
            equal(zone_of(pfm.alloc(0, number)), Zone.DMA)


def test_fallback_downward_stops_at_the_watermark():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        taken = []
        found = []
        while True:
            try:
                taken.append(pfm.alloc())
            except OutOfFramesError as error:
                equal(error.zone, Zone.NORMAL)
                break
            if not found or found[-1] != zone_of(taken[-1]):
                found.append(zone_of(taken[-1]))
        equal(found, [Zone.NORMAL, Zone.DMA32, Zone.DMA])
        free = pfm.count_free()
        equal(free, (zone(pfm, 0).watermark, zone(pfm, 1).watermark, 0))
        # What is left is for those who need it.
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, 1)
        refused(pfm, OutOfFramesError, pfm.alloc_many, 1)
        for number in (Zone.DMA32, Zone.DMA):
            for _ in range(free[number]):
                taken.append(pfm.alloc(0, number))
                assert zone_of(taken[-1]) == number
        equal(pfm.count_free(), (0, 0, 0))
        for pfn in taken:
            pfm.free(pfn)
        equal(lists(pfm), before)
        pfm.check()


def test_fallback_of_a_block_keeps_the_watermark_too():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        while True:
            try:
                pfm.alloc(6)
            except OutOfFramesError:
                break
        for number in (Zone.DMA, Zone.DMA32):
            assert pfm.count_free()[number] >= zone(pfm, number).watermark
        pfm.check()


def test_fallback_to_the_last_frame_above_the_watermark():
    entries = [
        (0x1000, MIB, protocol.USABLE),
        (16 * MIB, 16 * MIB, protocol.USABLE),
        (4 * GIB, 2 * MIB, protocol.USABLE),
    ]
    with FakeMachine(entries) as machine:
        pfm = machine.boot()
        pfm.alloc_many(pfm.count_free()[Zone.NORMAL])
        spare = [pfm.count_free()[number] - zone(pfm, number).watermark for number in (0, 1)]
        equal(spare[1], 4096 - 32)
        refused(pfm, OutOfFramesError, pfm.alloc_contiguous, spare[1] + 1)
        run = pfm.alloc_contiguous(spare[1])
        equal(zone_of(run), Zone.DMA32)
        pfm.free(run)
        refused(pfm, OutOfFramesError, pfm.alloc_many, sum(spare) + 1)
        refused(pfm, OutOfFramesError, pfm.alloc_many, sum(spare) + 2)
        pfm.free_many(pfm.alloc_many(sum(spare)))
        # Its own zone may be asked for all of it.
        pfm.free(pfm.alloc_contiguous(4096, zone=Zone.DMA32))
        pfm.check()


def test_nothing_for_dma_comes_from_above():
    with FakeMachine(
        [(frames(MIB) << 12, MIB, protocol.USABLE), (32 * MIB, 32 * MIB, protocol.USABLE)]
    ) as machine:
        pfm = machine.boot()
        count = pfm.count_free()[0]
        pfm.alloc_many(count, Zone.DMA)
        error = refused(pfm, OutOfFramesError, pfm.alloc, 0, Zone.DMA)
        equal((error.zone, error.free[0]), (Zone.DMA, 0))
        assert error.free[1] > 0


def test_magazine_serves_single_frames():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        total = pfm.count_free()
        pfn = pfm.alloc()
        cached = pfm.check().cached
        assert 0 < cached < MAGAZINE_FRAMES
        # The last one freed is the next one given.
        pfm.free(pfn)
        equal(pfm.check().cached, cached + 1)
        equal(pfm.alloc(), pfn)
        pfm.free(pfn)
        equal(pfm.count_free(), total)
        pfm.drain()
        equal((pfm.check().cached, pfm.count_free()), (0, total))


def test_magazine_overflows_to_the_lists():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        taken = [pfm.alloc() for _ in range(3 * MAGAZINE_FRAMES)]
        for pfn in taken:
            pfm.free(pfn)
            assert pfm.check().cached <= MAGAZINE_FRAMES
        equal(pfm.check().used, 0)


def test_magazine_is_of_the_highest_zone_only():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        low = [pfm.alloc(0, number) for number in (Zone.DMA, Zone.DMA32)]
        equal(pfm.check().cached, 0)
        for pfn in low:
            pfm.free(pfn)
        equal(pfm.check().cached, 0)


def test_magazine_is_merged_before_giving_up():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.alloc_at(1, 1023)
        pfm.alloc_at(1024 + 16, pfm.count_free()[0] - 16)
        # 16 frames are left, all of them in the magazine now.
        pfm.free(pfm.alloc())
        equal(pfm.check().cached, 16)
        equal(pfm.alloc(4), 1024)
        equal(pfm.count_free()[0], 0)
        pfm.free(1024)
        pfm.free(pfm.alloc())
        equal(pfm.alloc_contiguous(16), 1024)
        pfm.free(1024)
        pfm.free(pfm.alloc())
        equal(sorted(pfm.alloc_many(16)), list(range(1024, 1040)))
        pfm.check()


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


def test_largest_blocks_below_16_tib():
    base = 16 * TIB - 4 * GIB
    with FakeMachine([(base, 4 * GIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        before = lists(pfm)
        blocks = [pfm.alloc(18) for _ in range(before[Zone.NORMAL][18])]
        equal(sorted(blocks), [frames(base) + (n << 18) for n in range(3)])
        pfm.check()
        halves = []
        for block in blocks:
            pfm.free(block)
            halves += [pfm.alloc(17), pfm.alloc(17)]
        for half in halves:
            pfm.free(half)
        equal(lists(pfm), before)
        pfm.check()
