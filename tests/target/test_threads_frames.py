"""The frame manager on all processors at once."""

from array import array

import machine
from ktap import equal
from tests.target.team import Team

from pfm import PFM, Cache, LockTimeoutError, PageFlags

# Rounds of work.
_ROUNDS = 300
# Objects that a processor hands on before it waits for those of another, which the host may not
# run just then.
_HANDED = 30


def _quiet():
    """Return the number of free frames, after a check of all invariants."""
    PFM.check()
    return sum(PFM.count_free())


def test_frames_have_one_owner():
    free = _quiet()

    def work(number):
        mine = []
        for i in range(_ROUNDS):
            order = (0, 0, 3, 9, 1)[i % 5]
            pfn = PFM.alloc(order)
            with PFM.get(pfn) as frame:
                frame.size_class = number + 1
            mine.append(pfn)
            if len(mine) > 6:
                pfn = mine.pop(i % 6)
                with PFM.get(pfn) as frame:
                    assert frame.size_class == number + 1
                PFM.free(pfn)
        for pfn in mine:
            PFM.free(pfn)

    Team(work).run()
    equal(_quiet(), free)


def test_frames_are_freed_by_others():
    """Each block that one allocates is freed by the next."""
    orders = (0, 0, 3, 0, 9, 1)
    free = _quiet()
    count = machine.cpus()
    handed = [array("I", [0] * _ROUNDS) for _ in range(count)]

    def work(number):
        mine = handed[number]
        taken = handed[(number + 1) % count]
        for i in range(_ROUNDS):
            mine[i] = PFM.alloc(orders[i % len(orders)])
            while not taken[i]:
                pass
            PFM.free(taken[i])

    Team(work).run()
    equal(_quiet(), free)


def test_flags_of_one_frame():
    pfn = PFM.alloc()
    bits = [1 << bit for bit in range(16) if not PFM.check_flags(pfn, 1 << bit)]
    shared = max(machine.cpus() - len(bits), 0)

    def work(number):
        at = number % len(bits)
        flag = bits[at]
        for _ in range(_ROUNDS):
            PFM.set_flags(pfn, flag)
            assert at < shared or PFM.check_flags(pfn, flag)
            PFM.clear_flags(pfn, flag)

    Team(work).run()
    for flag in bits:
        assert not PFM.check_flags(pfn, flag), flag
    PFM.free(pfn)


def test_references_are_counted_whole():
    pfn = PFM.alloc()

    def work(_):
        for _ in range(_ROUNDS):
            PFM.ref(pfn)
        for _ in range(_ROUNDS):
            PFM.unref(pfn)

    Team(work).run()
    equal(PFM.unref(pfn), 0)


def test_many_at_a_time():
    free = _quiet()

    def work(number):
        for _ in range(20):
            frames = PFM.alloc_many(200)
            PFM.set_flags_many(frames, PageFlags.DIRTY)
            PFM.clear_flags_range(frames[0], 1, PageFlags.DIRTY)
            assert not PFM.check_flags(frames[0], PageFlags.DIRTY)
            assert PFM.check_flags(frames[199], PageFlags.DIRTY)
            PFM.free_many(frames)
            PFM.free(PFM.alloc_contiguous(3))
            PFM.drain()

    Team(work).run()
    equal(_quiet(), free)


def test_frame_that_another_has_in_stock_can_be_allocated_by_number():
    stock = array("I", [0] * machine.cpus())

    def work(number):
        if number:
            pfn = PFM.alloc()
            PFM.free(pfn)
            stock[number] = pfn

    Team(work).run()
    for pfn in stock:
        if pfn:
            PFM.free(PFM.alloc_at(pfn))
    PFM.check()


def test_guard_is_released_where_it_was_taken():
    pfn = PFM.alloc()
    guards = []
    done = bytearray(1)
    found = []

    def work(number):
        if number == 0:
            guards.append(PFM.get(pfn))
            while not done[0]:
                pass
            guards[0].release()
        elif number == 1:
            while not guards:
                pass
            try:
                guards[0].release()
            except LockTimeoutError as error:
                found.append(error.owner)
            done[0] = 1

    Team(work).run()
    equal(found, [1])
    PFM.free(pfn)


def test_array_pages_are_populated_once():
    free = _quiet()

    def work(number):
        for _ in range(60):
            pfn = PFM.alloc(7)
            PFM.set_flags(pfn + 64, PageFlags.DIRTY)
            PFM.clear_flags(pfn + 64, PageFlags.DIRTY)
            PFM.free(pfn)

    Team(work).run()
    equal(_quiet(), free)


def test_objects_are_freed_by_others():
    """Each object that `malloc` gave to one is freed by the next; none is given out twice or lost."""
    sizes = (16, 100, 1000, 5000, 20000)
    PFM.drain()
    free = _quiet()
    count = machine.cpus()
    handed = [array("q", [0] * _ROUNDS) for _ in range(count)]

    def work(number):
        mine = handed[number]
        taken = handed[(number + 1) % count]
        for start in range(0, _ROUNDS, _HANDED):
            for i in range(start, start + _HANDED):
                virt = PFM.malloc(sizes[i % len(sizes)])
                machine.mem64[virt] = number << 32 | i
                mine[i] = virt
            for i in range(start, start + _HANDED):
                while not taken[i]:
                    pass
                equal(machine.mem64[taken[i]], (number + 1) % count << 32 | i)
                PFM.mfree(taken[i])

    Team(work).run()
    PFM.drain()
    equal(_quiet(), free)


def test_cache_is_closed_whoever_has_its_free_objects():
    PFM.drain()
    free = _quiet()
    cache = Cache(100, "threads")

    def work(number):
        for _ in range(_ROUNDS):
            mine = [cache.alloc() for _ in range(20)]
            equal(len(set(mine)), len(mine))
            for virt in mine:
                cache.free(virt)

    try:
        Team(work).run()
    finally:
        cache.close()
    PFM.drain()
    equal(_quiet(), free)
