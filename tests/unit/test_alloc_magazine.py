"""pfm/alloc/magazine.py: the magazine of the highest zone."""

from ktap import equal, raises
from maps import SMALL_8M, THREE_ZONES

from pfm import ArgumentError, PageFrameManager, Zone
from pfm.alloc.magazine import MAGAZINE_FRAMES, fill
from pfm.control import MAGAZINE_SIZE
from pfm.testing import FakeMachine


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


def _with_frames_of_another(machine):
    """Return a manager for three processors, of which the third has frames in its magazine."""
    pfm = PageFrameManager()
    pfm.init(machine, processors=3)
    total = pfm.count_free()
    fill(pfm._zones[pfm._top], pfm._base, pfm._magazines + 2 * MAGAZINE_SIZE, 20)
    equal((pfm.count_free(), pfm.check().cached), (total, 20))
    return pfm


def test_number_of_processors():
    with FakeMachine(SMALL_8M) as machine:
        for bad in (0, 256):
            raises(ArgumentError, PageFrameManager().init, machine, processors=bad)
        pfm = _with_frames_of_another(machine)
        pfm.free(pfm.alloc())
        pfm.check()


def test_drain_takes_the_frames_of_all_processors():
    with FakeMachine(SMALL_8M) as machine:
        pfm = _with_frames_of_another(machine)
        pfm.drain()
        equal(pfm.check().cached, 0)


def test_frames_of_another_processor_are_allocated_when_memory_runs_out():
    with FakeMachine(SMALL_8M) as machine:
        pfm = _with_frames_of_another(machine)
        pfm.alloc_many(sum(pfm.count_free()))
        equal(sum(pfm.count_free()), 0)


def test_frame_of_another_processor_can_be_allocated_by_its_number():
    with FakeMachine(SMALL_8M) as machine:
        pfm = _with_frames_of_another(machine)
        cached = [pfn for pfn in range(pfm.max()) if pfm.describe(pfn) == "cached"]
        equal(len(cached), 20)
        for pfn in cached:
            pfm.free(pfm.alloc_at(pfn))
        pfm.check()
