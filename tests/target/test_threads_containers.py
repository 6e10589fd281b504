"""Containers that all processors change at once."""

import gc
import heapq
from collections import deque

import machine
from ktap import equal, raises
from tests.target.team import Team

# Rounds of work.
_ROUNDS = 300


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


def _take(*given, **named):
    return named


def test_arguments_come_from_a_dict_that_others_change():
    shared = {"stays": 1}

    def work(number):
        # Each round copies what all have left.
        for i in range(_ROUNDS // machine.cpus()):
            key = "%d_%d" % (number, i)
            shared[key] = number
            for named in (dict(**shared), _take(**shared), _take(1, *shared, more=2, **shared)):
                equal(named[key], number)
                equal(named["stays"], 1)
            if i % 3:
                del shared[key]

    Team(work).run()


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
