"""pfm/check/invariants.py: what `check()` counts, what is no fault, and the invariants of zones broken on purpose."""

from allocation import entry
from breaking import a_cached, all_are_broken, break_and_check, free_head, poke_zone
from ktap import equal, raises
from maps import MIB, SMALL_8M, THREE_ZONES, frames

from pfm import InvariantError, NotInitialisedError, PageFrameManager, Zone
from pfm.frame.entry import ABSENT, TAIL, USED, state_of
from pfm.memmap import protocol
from pfm.testing import FakeMachine


def test_before_init():
    raises(NotInitialisedError, PageFrameManager().check)


def test_counts_what_it_walks():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        before = pfm.check()
        equal(before.frames, frames(4 * MIB + 36 * MIB + MIB + 16 * MIB) - 5)
        equal((before.free, before.cached, before.used), (sum(pfm.count_free()), 0, 0))
        taken = [pfm.alloc(), pfm.alloc(4), pfm.alloc(5, compound=True), pfm.alloc_contiguous(77)]
        after = pfm.check()
        equal(after.used, 1 + 16 + 32 + 77)
        equal(after.cached, 31)
        equal(after.free + after.cached + after.used, before.free)
        for pfn in taken:
            pfm.free(pfn)
        pfm.drain()
        equal(pfm.check(), before)


def test_run_across_zones_is_whole():
    with FakeMachine([(0x1000, 64 * MIB, protocol.USABLE)]) as machine:
        pfm = machine.boot()
        run = pfm.alloc_at(4096 - 70, 200)
        equal(pfm.check().used, 200)
        pfm.free(run)
        pfm.check()


def test_guard_and_its_lock_are_no_fault():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        with pfm.get(42) as frame:
            frame.rc = 1
            pfm.check()
        pfm.check()


def test_flat_array():
    with FakeMachine(SMALL_8M + [(12 * MIB, 8 * MIB, protocol.USABLE)], sparse=False) as machine:
        pfm = machine.boot()
        pfm.check()
        for pfn in (frames(8 * MIB), frames(8 * MIB) + 255, frames(12 * MIB) - 1):
            entry(pfm, pfn).state = 0
            equal(raises(InvariantError, pfm.check).pfn, pfn)
            entry(pfm, pfn).state = state_of(ABSENT)


def test_debug_mode_holds_too():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot(debug=True)
        many = pfm.alloc_many(100)
        pfm.free(pfm.alloc(6))
        pfm.check()
        pfm.free_many(many)
        pfm.check()


def test_flags_are_the_users():
    """Whatever bits a user sets or clears, by calls or by a guard, on a frame of any kind: no fault."""

    def inner(pfm, order, **wishes):
        return pfm.alloc(order, **wishes) + 1

    makers = (
        lambda pfm: pfm.alloc(),
        lambda pfm: pfm.alloc(4),
        lambda pfm: inner(pfm, 4),
        lambda pfm: pfm.alloc(4, compound=True),
        lambda pfm: inner(pfm, 4, compound=True),
        lambda pfm: pfm.alloc_at(601, 11),
        lambda pfm: pfm.alloc_at(601, 11) + 2,
        free_head,
        lambda pfm: free_head(pfm) + 1,
        a_cached,
        lambda pfm: pfm.regions[0].start,
        lambda pfm: frames(pfm.array.start_phys),
        lambda pfm: frames(48 * MIB) + 255,
    )
    for make in makers:
        with FakeMachine(THREE_ZONES) as machine:
            pfm = machine.boot()
            pfn = make(pfm)
            before = pfm.check()
            for bit in range(16):
                pfm.set_flags(pfn, 1 << bit)
                equal(pfm.check(), before)
            pfm.clear_flags(pfn, 0xFFFF)
            equal(pfm.check(), before)
            with pfm.get(pfn) as held:
                held.flags = 0xFFFF
                held.order = 77
                held.size_class = 9
                held.tag = 7
                equal(pfm.check(), before)
            equal(pfm.check(), before)


def test_zone_lock():
    break_and_check("zone-lock", "DMA", poke_zone(Zone.DMA, "lock", 1))
    break_and_check("zone-lock", "DMA32", poke_zone(Zone.DMA32, "lock", 7), THREE_ZONES)


def test_zone_bounds():
    break_and_check("zone-bounds", "DMA", poke_zone(Zone.DMA, "start", 1))
    break_and_check("zone-bounds", "DMA", poke_zone(Zone.DMA, "end", -1))
    break_and_check("zone-bounds", "NORMAL", poke_zone(Zone.NORMAL, "end", 1), THREE_ZONES)


def test_zone_present():
    break_and_check("zone-present", "DMA", poke_zone(Zone.DMA, "present", -1))
    break_and_check("zone-present", "NORMAL", poke_zone(Zone.NORMAL, "present", 1), THREE_ZONES)


def test_zone_managed():
    break_and_check("zone-managed", "DMA", poke_zone(Zone.DMA, "managed", 1))
    break_and_check("zone-managed", "NORMAL", poke_zone(Zone.NORMAL, "managed", -1), THREE_ZONES)


def test_zone_free():
    break_and_check("zone-free", "DMA", poke_zone(Zone.DMA, "free", 1))
    break_and_check("zone-free", "NORMAL", poke_zone(Zone.NORMAL, "free", -1), THREE_ZONES)


def test_watermark():
    break_and_check("watermark", "DMA32", poke_zone(Zone.DMA32, "watermark", 1), THREE_ZONES)


def test_array_reserved():
    def first(pfm, made):
        return frames(pfm.array.start_phys)

    def last(pfm, made):
        return frames(pfm.array.end_phys) - 1

    def tail(at):
        return lambda pfm, made: setattr(entry(pfm, at(pfm, made)), "state", TAIL)

    break_and_check("array-reserved", first, tail(first))
    break_and_check("array-reserved", last, tail(last), THREE_ZONES)
    break_and_check(
        "array-reserved",
        last,
        lambda pfm, made: setattr(entry(pfm, last(pfm, made)), "state", state_of(USED)),
    )

    def too_short(pfm, made):
        pfm.array.end_phys += 4096

    break_and_check("array-reserved", first, too_short)


def test_zz_every_invariant_has_been_broken():
    # Tests run in the order of their names, so this one is the last.
    all_are_broken("zone-lock", "slab-class")
