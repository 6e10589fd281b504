"""pfm/check/invariants.py, pfm/check/loops.py, pfm/check/slabs.py: each invariant broken on purpose, and named by `check()` with its frame."""

import uctypes
from allocation import entry, zone
from breaking import (
    MAGAZINE,
    a_cached,
    break_and_check,
    broken,
    free_head,
    poke,
    poke_zone,
    same,
    with_lists_3_and_4,
)
from ktap import equal, raises
from maps import GIB, MIB, SMALL_8M, THREE_ZONES, frames

from pfm import InvariantError, NotInitialisedError, PageFrameManager, Zone
from pfm.check.invariants import INVARIANTS
from pfm.control import STOCK_SHIFT
from pfm.frame.entry import ABSENT, FREE, PART, TAIL, USED, state_of
from pfm.memmap import protocol
from pfm.slab.caches import cache_at
from pfm.slab.classes import class_of
from pfm.slab.slabs import END
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


def test_reserved_frame():
    nvs = frames(48 * MIB)

    def prepare(pfm):
        return nvs + 255

    break_and_check(
        "reserved-frame", nvs + 255, poke("state", state_of(FREE)), THREE_ZONES, prepare
    )
    break_and_check("reserved-frame", 0, lambda pfm, made: poke("state", TAIL)(pfm, 0))


def test_absent_frame():
    def absent(pfn, field, value):
        change = poke(field, value)
        break_and_check("absent-frame", pfn, lambda pfm, made: change(pfm, pfn), THREE_ZONES)

    # Behind a region, and before one.
    absent(frames(4 * MIB) + 1, "state", state_of(FREE))
    absent(frames(12 * MIB) + 4, "state", TAIL)
    # Past the last frame of all.
    last = frames(4 * MIB) + 1
    break_and_check(
        "absent-frame", last, lambda pfm, made: poke("state", TAIL)(pfm, last), THREE_ZONES[:1]
    )


def test_frame_lock():
    def used(pfm):
        return pfm.alloc(4)

    break_and_check("frame-lock", same, poke("lock", 9), prepare=used)
    break_and_check(
        "frame-lock",
        lambda pfm, pfn: pfn + 3,
        lambda pfm, pfn: poke("lock", 9)(pfm, pfn + 3),
        prepare=used,
    )
    break_and_check("frame-lock", 0, lambda pfm, made: poke("lock", 9)(pfm, 0))


def test_blocks_tile():
    def used(pfm):
        return pfm.alloc(4)

    # A head is no head, a block reaches out of its region, a block is too short.
    break_and_check("blocks-tile", same, poke("state", TAIL), prepare=used)
    break_and_check("blocks-tile", same, poke("state", state_of(ABSENT)), prepare=used)

    def grow(pfm, pfn):
        entry(pfm, pfn).state = state_of(USED, 9)
        entry(pfm, pfn).order = 9

    def before_the_array(pfm):
        # The last 512-aligned frame of the first region, whose 512 frames the array cuts.
        pfn = frames(pfm.array.start_phys) >> 9 << 9
        return pfm.alloc_at(pfn)

    break_and_check("blocks-tile", same, grow, prepare=before_the_array)

    def shrink(pfm, pfn):
        entry(pfm, pfn).state = state_of(USED, 3)
        entry(pfm, pfn).order = 3

    break_and_check("blocks-tile", lambda pfm, pfn: pfn + 8, shrink, prepare=used)


def test_block_order():
    def used(pfm):
        return pfm.alloc(4)

    break_and_check("block-order", same, poke("state", state_of(USED, 19)), prepare=used)
    break_and_check(
        "block-order",
        same,
        lambda pfm, pfn: setattr(entry(pfm, pfn), "state", 0x81),
        prepare=a_cached,
    )


def test_block_aligned():
    def shift(pfm, pfn):
        # The pair of blocks pfn, pfn + 1 as one block of two at an odd frame.
        entry(pfm, pfn).state = state_of(USED, 1)
        entry(pfm, pfn).order = 1

    def odd(pfm):
        return pfm.alloc_at(1025)

    break_and_check("block-aligned", 1025, shift, prepare=odd)


def test_block_tail():
    def used(pfm):
        return pfm.alloc(4)

    def inside(pfm, pfn):
        entry(pfm, pfn + 5).state = state_of(FREE)

    break_and_check("block-tail", lambda pfm, pfn: pfn + 5, inside, prepare=used)
    break_and_check("block-tail", lambda pfm, pfn: pfn + 5, inside, prepare=free_head)


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


def test_refcount():
    break_and_check("refcount", same, poke("rc", 0), prepare=lambda pfm: pfm.alloc(2))
    break_and_check("refcount", same, poke("rc", 0), prepare=lambda pfm: pfm.alloc_at(1025, 7))


def test_run():
    def run(pfm):
        # 1025, 1026..1027, 1028..1031, 1032..1035.
        return pfm.alloc_at(1025, 11)

    def at(offset):
        return lambda pfm, pfn: pfn + offset

    def change(offset, field, value):
        return lambda pfm, pfn: setattr(entry(pfm, pfn + offset), field, value)

    # A part names another head, the count is too small or too large, a part is none,
    # a head counts no more frames than its own block has.
    break_and_check("run", at(3), change(3, "prev", 1026), prepare=run)
    break_and_check("run", at(7), change(0, "next", 10), prepare=run)
    break_and_check("run", at(11), change(0, "next", 12), prepare=run)
    break_and_check("run", at(1), change(1, "state", state_of(USED, 1)), prepare=run)
    break_and_check("run", at(0), change(0, "next", 1), prepare=run)
    break_and_check("run", at(0), change(0, "state", state_of(PART)), prepare=run)

    def to_the_array(pfm):
        end = frames(pfm.array.start_phys)
        return pfm.alloc_at(end - 5, 5)

    break_and_check("run", at(0), change(0, "next", 6), prepare=to_the_array)


def test_compound():
    def compound(pfm):
        return pfm.alloc(3, compound=True)

    def change(offset, field, value):
        return lambda pfm, pfn: setattr(entry(pfm, pfn + offset), field, value)

    def at(offset):
        return lambda pfm, pfn: pfn + offset

    break_and_check("compound", at(5), change(5, "next", 1), prepare=compound)
    break_and_check("compound", at(5), change(5, "state", TAIL), prepare=compound)


def test_buddies_merged():
    def pair(pfm):
        return pfm.alloc_at(1024, 2)

    def split(pfm, pfn):
        # As free blocks of one frame each, on the list of order 0.
        state = zone(pfm, Zone.DMA)
        first = state.lists[0].head
        list_virt = pfm.hhdm + pfm.array.control_phys + 32
        for at, before, after in ((pfn, 0, pfn + 1), (pfn + 1, pfn, first)):
            found = entry(pfm, at)
            found.flags = found.order = found.rc = 0
            found.state = state_of(FREE)
            found.prev = before
            found.next = after
            found.freelist_va = list_virt
        if first:
            entry(pfm, first).prev = pfn + 1
        state.lists[0].head = pfn
        state.lists[0].blocks += 2
        state.orders |= 1
        state.free += 2

    break_and_check("buddies-merged", 1024, split, prepare=pair)


def test_list_member():
    def foreign(pfm, pfn):
        state = zone(pfm, Zone.DMA)
        state.lists[4].head = pfn

    def another_zone(pfm, pfn):
        zone(pfm, Zone.DMA).lists[3].head = frames(4 * GIB)

    break_and_check("list-member", same, foreign, prepare=with_lists_3_and_4)
    break_and_check(
        "list-member",
        frames(4 * GIB),
        another_zone,
        THREE_ZONES,
        prepare=lambda pfm: [pfm.alloc(3, Zone.DMA) for _ in range(3)],
    )


def test_list_linked():
    break_and_check("list-linked", same, poke("prev", 1), prepare=free_head)

    def first(pfm, pfn):
        entry(pfm, zone(pfm, Zone.DMA).lists[3].head).prev = pfn

    break_and_check(
        "list-linked",
        lambda pfm, made: zone(pfm, Zone.DMA).lists[3].head,
        first,
        prepare=free_head,
    )


def test_list_head():
    break_and_check("list-head", same, poke("freelist_va", 0), prepare=free_head)

    def high(pfm, pfn):
        entry(pfm, pfn).freelist_va ^= 1 << 40

    def head_of_another(pfm, pfn):
        entry(pfm, pfn).freelist_va += 8

    break_and_check("list-head", same, head_of_another, prepare=free_head)
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        high(pfm, free_head(pfm))
        equal(raises(InvariantError, pfm.check).invariant, "list-head")


def test_list_length():
    def longer(pfm, pfn):
        zone(pfm, Zone.DMA).lists[3].blocks += 1

    def shorter(pfm, pfn):
        zone(pfm, Zone.DMA).lists[3].blocks -= 1

    def circle(pfm, pfn):
        # The last of the list names the first: the walk must end all the same.
        last = pfn
        while entry(pfm, last).next:
            last = entry(pfm, last).next
        entry(pfm, last).next = zone(pfm, Zone.DMA).lists[3].head

    def last_of_list(pfm, pfn):
        while entry(pfm, pfn).next:
            pfn = entry(pfm, pfn).next
        return pfn

    def lost(pfm, pfn):
        # The list ends before its last block, and says so.
        state = zone(pfm, Zone.DMA)
        entry(pfm, state.lists[3].head).next = 0
        state.lists[3].blocks = 1

    break_and_check("list-length", last_of_list, longer, prepare=free_head)
    break_and_check("list-length", last_of_list, shorter, prepare=free_head)
    break_and_check(
        "list-length",
        lambda pfm, made: zone(pfm, Zone.DMA).lists[3].head,
        circle,
        prepare=free_head,
    )
    break_and_check(
        "list-length", lambda pfm, made: zone(pfm, Zone.DMA).lists[3].head, lost, prepare=free_head
    )


def test_orders_mask():
    def set_bit(pfm, made):
        zone(pfm, Zone.DMA).orders ^= 1 << 18

    def clear_bit(pfm, made):
        zone(pfm, Zone.DMA).orders ^= 1 << 3

    break_and_check("orders-mask", 0, set_bit)
    break_and_check(
        "orders-mask",
        lambda pfm, made: zone(pfm, Zone.DMA).lists[3].head,
        clear_bit,
        prepare=free_head,
    )


def test_zone_free():
    break_and_check("zone-free", "DMA", poke_zone(Zone.DMA, "free", 1))
    break_and_check("zone-free", "NORMAL", poke_zone(Zone.NORMAL, "free", -1), THREE_ZONES)


def test_magazine():
    def drop(pfm, pfn):
        uctypes.struct(pfm._magazines, MAGAZINE).count -= 1

    def overflow(pfm, pfn):
        uctypes.struct(pfm._magazines, MAGAZINE).count = 65

    def twice(pfm, pfn):
        magazine = uctypes.struct(pfm._magazines, MAGAZINE)
        magazine.frames[1] = magazine.frames[0]

    def foreign(pfm, pfn):
        uctypes.struct(pfm._magazines, MAGAZINE).frames[2] = 0xFFFFFF

    def used(pfm, pfn):
        uctypes.struct(pfm._magazines, MAGAZINE).frames[2] = pfm.alloc(1)

    def first(pfm, pfn):
        return uctypes.struct(pfm._magazines, MAGAZINE).frames[0]

    break_and_check("magazine", "DMA", drop, prepare=a_cached)
    break_and_check("magazine", 0, overflow, prepare=a_cached)
    break_and_check("magazine", first, twice, prepare=a_cached)
    break_and_check("magazine", 0xFFFFFF, foreign, prepare=a_cached)
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        used(pfm, a_cached(pfm))
        equal(raises(InvariantError, pfm.check).invariant, "magazine")


def _slab(pfm):
    """Return the frame of a slab of two objects in use, of malloc(1024)."""
    virt = pfm.malloc(1024)
    pfm.malloc(1024)
    return pfm.as_phys(virt) >> 12


def _cache(pfm):
    return cache_at(pfm._caches, class_of(1024))


def _stock(pfm):
    return struct_of(pfm._stocks + (class_of(1024) << STOCK_SHIFT))


def struct_of(virt):
    return uctypes.struct(virt, {"first": 0 | uctypes.UINT64, "count": 8 | uctypes.UINT32})


def _drained(pfm):
    """Return the frame of such a slab whose other two objects are on its own list."""
    pfn = _slab(pfm)
    pfm._trim()
    return pfn


def test_slab_class():
    for number in (0, 100, 128, 255):
        break_and_check("slab-class", same, poke("size_class", number), prepare=_slab)


def test_slab_objects():
    def lose(pfm, pfn):
        entry(pfm, pfn).freelist_va = END

    def inside(pfm, pfn):
        entry(pfm, pfn).freelist_va += 16

    def unmarked(pfm, pfn):
        free = uctypes.struct(entry(pfm, pfn).freelist_va, {"mark": 8 | uctypes.UINT32})
        free.mark ^= 1

    def circle(pfm, pfn):
        first = entry(pfm, pfn).freelist_va
        struct_of(first).first = first

    for change in (lose, inside, unmarked, circle, poke("rc", 3), poke("rc", 5)):
        break_and_check("slab-objects", same, change, prepare=_drained)


def test_slab_objects_with_frames_of_their_own():
    def large(pfm):
        return pfm.as_phys(pfm.malloc(40000)) >> 12

    break_and_check("slab-objects", same, poke("rc", 3), prepare=large)
    break_and_check("slab-objects", same, poke("freelist_va", 4096), prepare=large)


def test_slab_list():
    def drop(pfm, pfn):
        _cache(pfm).partial = 0

    def circle(pfm, pfn):
        entry(pfm, pfn).prev = pfn

    def other(pfm, pfn):
        _cache(pfm).partial = pfm.as_phys(pfm.malloc(64)) >> 12

    break_and_check("slab-list", "malloc 1024", drop, prepare=_drained)
    break_and_check("slab-list", same, circle, prepare=_drained)
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        other(pfm, _drained(pfm))
        equal(raises(InvariantError, pfm.check).invariant, "slab-list")


def test_slab_counts():
    for field in ("slabs", "partials", "empty", "taken"):

        def count(pfm, pfn, field=field):
            cache = _cache(pfm)
            setattr(cache, field, getattr(cache, field) + 1)

        break_and_check("slab-counts", "malloc 1024", count, prepare=_drained)


def test_stock():
    def overflow(pfm, pfn):
        _stock(pfm).count = 65

    def drop(pfm, pfn):
        _stock(pfm).count -= 1

    def used(pfm, pfn):
        _stock(pfm).first = pfm.as_virt(pfn << 12) + 2 * 1024

    def circle(pfm, pfn):
        first = _stock(pfm).first
        struct_of(first).first = first

    break_and_check("stock", "malloc 1024", overflow, prepare=_slab)
    for change in (drop, used, circle):
        with FakeMachine(SMALL_8M) as machine:
            pfm = machine.boot()
            change(pfm, _slab(pfm))
            equal(raises(InvariantError, pfm.check).invariant, "stock")


def test_zz_every_invariant_has_been_broken():
    # Tests run in the order of their names, so this one is the last.
    equal(sorted(broken), sorted(INVARIANTS[1:]))
