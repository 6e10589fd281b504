"""pfm/check/loops.py: the invariants of frames, blocks and free lists broken on purpose."""

import uctypes
from allocation import entry, zone
from breaking import (
    MAGAZINE,
    a_cached,
    all_are_broken,
    break_and_check,
    free_head,
    poke,
    same,
    with_lists_3_and_4,
)
from ktap import equal, raises
from maps import GIB, MIB, SMALL_8M, THREE_ZONES, frames

from pfm import InvariantError, Zone
from pfm.frame.entry import ABSENT, FREE, PART, TAIL, USED, state_of
from pfm.testing import FakeMachine


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


def test_zz_every_invariant_has_been_broken():
    # Tests run in the order of their names, so this one is the last.
    all_are_broken("absent-frame", "zone-lock")
