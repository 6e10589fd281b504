"""Threads, one on each further processor; and the frame manager on all processors at once."""

import _thread
import gc
import heapq
from array import array
from collections import deque

import apic
import cpu
import critical
import machine
from ktap import equal, raises
from tests.target.team import Team

from pfm import PFM, Cache, LockTimeoutError, PageFlags

# Intel SDM volume 3, 11.12.1: IA32_APIC_BASE and its bit EXTD; CPUID leaf 1, ECX.
_APIC_BASE = 0x1B
_APIC_BASE_X2APIC = 1 << 10
_CPUID_X2APIC = 1 << 21

# Rounds of work.
_ROUNDS = 300
# Objects that a processor hands on before it waits for those of another, which the host may not
# run just then.
_HANDED = 30


def _quiet():
    """Return the number of free frames, after a check of all invariants."""
    PFM.check()
    return sum(PFM.count_free())


def _meet(here, number):
    """Wait until all of a team are here, each on a processor of its own."""
    here[number] = 1
    while sum(here) < len(here):
        pass


def test_each_thread_has_a_processor():
    seen = bytearray(machine.cpus())
    here = bytearray(machine.cpus())

    def work(number):
        seen[number] = machine.cpu()
        _meet(here, number)

    Team(work).run()
    equal(sorted(seen), list(range(1, machine.cpus() + 1)))


def test_every_local_apic_is_in_x2apic_mode_where_there_is_one():
    modes = bytearray(machine.cpus())
    ids = array("I", [0] * machine.cpus())
    here = bytearray(machine.cpus())

    def work(number):
        _meet(here, number)
        modes[number] = cpu.rdmsr(_APIC_BASE) & _APIC_BASE_X2APIC != 0
        ids[number] = apic.read_id(virt)

    virt = apic.registers(PFM)
    Team(work).run()
    has_mode = cpu.cpuid(1)[2] & _CPUID_X2APIC != 0
    equal(list(modes), [has_mode] * machine.cpus())
    equal(len(set(ids)), machine.cpus())


def test_no_thread_without_a_free_processor():
    if machine.cpus() == 1:
        raises(OSError, _thread.start_new_thread, _quiet, ())
        return
    go = bytearray(1)

    def wait():
        while not go[0]:
            pass

    for _ in range(machine.cpus() - 1):
        _thread.start_new_thread(wait, ())
    try:
        raises(OSError, _thread.start_new_thread, wait, ())
    finally:
        go[0] = 1
    while not critical.alone():
        pass


def test_objects_survive_the_collections_of_others():
    def work(number):
        kept = []
        for i in range(_ROUNDS):
            kept.append([number, i, float(i), str(i)])
            if len(kept) > 40:
                kept.pop(0)
            if i % 50 == number:
                gc.collect()
            for own, at, real, text in kept:
                assert (own, at, real, text) == (number, int(real), float(at), str(at))

    Team(work).run()


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


# Containers that all change at once.


def test_list_keeps_what_all_add_and_remove():
    shared = []

    def work(number):
        for i in range(_ROUNDS):
            mine = number << 16 | i
            shared.append(mine)
            shared.extend([mine, mine])
            equal(shared.count(mine), 3)
            shared.remove(mine)
            shared.remove(mine)

    Team(work).run()
    shared.sort()
    equal(shared, [number << 16 | i for number in range(machine.cpus()) for i in range(_ROUNDS)])


def _add_and_delete(shared, number):
    for i in range(_ROUNDS):
        for key in (number << 16 | i, "%d %d" % (number, i)):
            shared[key] = 0
            shared[key] = i
            equal(shared.setdefault(key, -1), i)
            if i % 3:
                equal(shared.pop(key), i)
                assert key not in shared


def test_dict_keeps_what_all_add_and_delete():
    shared = {}
    Team(lambda number: _add_and_delete(shared, number)).run()
    kept = range(0, _ROUNDS, 3)
    expected = {number << 16 | i: i for number in range(machine.cpus()) for i in kept}
    expected.update({"%d %d" % (n, i): i for n in range(machine.cpus()) for i in kept})
    equal(len(shared), len(expected))
    equal(shared, expected)


def test_key_that_stays_is_always_found():
    """While the table grows, shrinks and moves."""
    shared = {"stays": 1, -7: 2}

    def work(number):
        if number == 0:
            return _add_and_delete(shared, number)
        while not ended[0]:
            equal((shared["stays"], shared.get(-7), "stays" in shared), (1, 2, True))

    team = Team(work)
    ended = team._ended
    team.run()


def test_attributes_and_names_keep_what_all_store():
    class Shared:
        pass

    shared = Shared()

    def work(number):
        for i in range(_ROUNDS // 3):
            name = "n%d_%d" % (number, i)
            for value in (0, i):
                setattr(shared, name, value)
                setattr(Shared, "c" + name, value)
                globals()[name] = value
                equal((getattr(shared, name), getattr(Shared, "c" + name)), (value, value))
                equal(globals()[name], value)
            delattr(Shared, "c" + name)
            del globals()[name]

    Team(work).run()
    for number in range(machine.cpus()):
        for i in range(_ROUNDS // 3):
            equal(getattr(shared, "n%d_%d" % (number, i)), i)
            assert not hasattr(Shared, "cn%d_%d" % (number, i))


def test_set_keeps_what_all_add_and_remove():
    shared = set()

    def work(number):
        for i in range(_ROUNDS):
            mine = number << 16 | i
            shared.add(mine)
            assert mine in shared
            if i % 3:
                shared.remove(mine)
                assert mine not in shared

    Team(work).run()
    kept = range(0, _ROUNDS, 3)
    equal(shared, {number << 16 | i for number in range(machine.cpus()) for i in kept})


def test_queues_hand_over_each_item_once():
    fifo = deque((), machine.cpus() * _ROUNDS)
    heap = []
    # How often each item was taken from either: once, so no two change one count.
    from_fifo = [0] * (machine.cpus() * _ROUNDS)
    from_heap = from_fifo[:]

    def work(number):
        for i in range(_ROUNDS):
            fifo.append(number * _ROUNDS + i)
            heapq.heappush(heap, number * _ROUNDS + i)
            from_fifo[fifo.popleft()] += 1
            from_heap[heapq.heappop(heap)] += 1

    Team(work).run()
    equal((len(fifo), len(heap)), (0, 0))
    equal(from_fifo, [1] * len(from_fifo))
    equal(from_heap, from_fifo)


def test_bytearray_keeps_what_all_append():
    shared = bytearray()

    def work(number):
        for _ in range(_ROUNDS):
            shared.append(number)
            shared.extend(bytes((number, number)))

    Team(work).run()
    for number in range(machine.cpus()):
        equal(shared.count(bytes((number,))), 3 * _ROUNDS)


def test_random_changes_end_in_named_exceptions():
    items, keyed, members, text = [], {}, set(), bytearray()

    def replace(sequence, part):
        sequence[1:4] = part

    calls = (
        lambda i: items.extend(range(i % 20)),
        lambda i: items.sort(key=lambda item: -item),
        lambda i: replace(items, items[: i % 9]),
        lambda i: (items.pop(), items[i % 5], items + items, items == [i], list(items)),
        lambda i: items.clear() if i % 7 == 0 or len(items) > 200 else items.reverse(),
        lambda i: keyed.update({i: i, "a%d" % (i % 9): i}),
        lambda i: (keyed.popitem(), keyed == dict(keyed), str(keyed), sorted(keyed.values())),
        lambda i: keyed.clear() if i % 7 == 0 else [keyed[key] for key in keyed],
        lambda i: (members.add(i), members.pop(), members ^ {i}, members <= {i}, list(members)),
        lambda i: members.intersection_update({1, 2, i}) if i % 7 else members.clear(),
        lambda i: (text.extend(b"abc" * (i % 9)), bytes(text), memoryview(text)[:1], text == b"a"),
        lambda i: replace(text, text[: i % 5]),
    )

    def work(number):
        random = number + 1
        for _ in range(_ROUNDS):
            random = (random * 1103515245 + 12345) & 0x7FFFFFFF
            try:
                calls[(random >> 8) % len(calls)](random >> 16 & 0x3FF)
            except (IndexError, KeyError):
                pass
            if random >> 24 & 31 == 0:
                gc.collect()

    Team(work).run()


def test_comparison_in_python_waits_without_the_lock():
    """An `__eq__` under a list's lock that waits for what another does to it; then one that raises."""
    step = bytearray(1)

    class Item:
        def __eq__(self, _):
            if step[0] == 0:
                step[0] = 1
                while step[0] == 1:
                    pass
            if step[0] == 3:
                raise ValueError
            return True

    shared = [Item()]

    def work(number):
        if number == 0:
            equal(shared.count(5), 1)
            step[0] = 3
            raises(ValueError, shared.count, 5)
            step[0] = 4
        elif number == 1:
            while step[0] != 1:
                pass
            shared.append("while it waits")
            step[0] = 2
            while step[0] != 4:
                pass
            shared.append("after it raised")

    Team(work).run()
    equal(shared[1:], ["while it waits", "after it raised"])
