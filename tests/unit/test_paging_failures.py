"""Page tables where frames or the Python heap run out on the way, and what is called meanwhile."""

import gc

import micropython
from ktap import equal, raises, skip
from tablememory import HIGH, HUGE, PAGE, Memory

from pfm import MappingError, OutOfFramesError
from pfm.paging.tables import WRITE, PageTables

ONE_PATH = "no manager is made"


def _calls(tables):
    """Return calls that each take several tables, some of which another mapping has already."""
    tables.map(HIGH + 600 * PAGE, 0x7000, 1)
    return [
        lambda: tables.map(HIGH + 700 * PAGE, 0x3000, 5000, WRITE),
        lambda: tables.map_same(HIGH + HUGE - 600 * PAGE, 0x9000, 1200),
        lambda: tables.map_shared(HIGH + 601 * PAGE, 0x9000, (3 << 18) + 5),
    ]


def test_mapping_that_runs_out_of_tables_leaves_all_as_it_was():
    for error in (OutOfFramesError(2, 0, 1, (0, 0, 0)), MemoryError(), KeyboardInterrupt()):
        for number in range(3):
            memory = Memory()
            left = 0

            def take():
                nonlocal left
                if not left:
                    raise error
                left -= 1
                return memory.take()

            left = 10
            tables = memory.tables(take=take)
            call = _calls(tables)[number]
            before = memory.contents(tables.root_phys), sorted(memory.free)
            given = 0
            while True:
                left = given
                try:
                    call()
                    break
                except (OutOfFramesError, MemoryError, KeyboardInterrupt) as found:
                    assert found is error
                equal((memory.contents(tables.root_phys), sorted(memory.free)), before)
                given += 1
            # It took no more than it needed.
            equal(left, 0)
            assert given > 1, given


# What the collector divides memory into.
GC_BLOCK = 32


def _with_heap_left(left, call):
    """Call with all of the Python heap in use but for `left` of its blocks."""
    gc.collect()
    held = None
    left *= GC_BLOCK
    free = gc.mem_free()
    while free > left:
        # A tuple takes a block; by halves, since what is counted is not known to the last one.
        blocks = (free - left + GC_BLOCK) // (2 * GC_BLOCK)
        while blocks:
            held = (held,)
            blocks -= 1
        free = gc.mem_free()
    try:
        call()
    finally:
        held = None


def test_mapping_without_python_heap_leaves_all_as_it_was():
    memory = Memory()
    frames = list(memory.free)
    left = len(frames)

    # Lists grow, and that takes memory too.
    def take():
        nonlocal left
        left -= 1
        return frames[left]

    def give(phys):
        nonlocal left
        frames[left] = phys
        left += 1

    tables = PageTables(take(), memory.hhdm, take, give)
    tables.clear_root()
    tables.map(HIGH + HUGE, 0x7000, 1)
    for call in (
        lambda: tables.map(HIGH + HUGE + PAGE, 0x3000, 1100, WRITE),
        lambda: tables.unmap(HIGH + HUGE + PAGE, 1100),
        lambda: tables.map_same(HIGH + 2 * HUGE - 600 * PAGE, 0x9000, 1200),
        lambda: tables.map_shared(HIGH + 3 * HUGE + 601 * PAGE, 0x9000, (3 << 18) + 5),
    ):
        before = memory.contents(tables.root_phys), sorted(frames[:left])
        refused = 0
        for blocks in range(400):
            try:
                _with_heap_left(blocks, call)
                break
            except MemoryError:
                refused += 1
            equal((memory.contents(tables.root_phys), sorted(frames[:left])), before)
        else:
            raise AssertionError("not done with {} blocks".format(blocks))
        assert refused
    equal(tables.query(HIGH + HUGE + PAGE), None)
    equal(tables.query(HIGH + 2 * HUGE)[0], 0x9000)
    equal(tables.query(HIGH + 5 * HUGE)[0], 0x9000)


def test_heap_that_runs_out_while_tables_are_taken():
    if not hasattr(micropython, "heap_lock"):
        skip("micropython.heap_lock() is not there")
    for number in range(3):
        for locked in (1, 2, 3):
            memory = Memory()
            ready = [memory.take() for _ in range(20)]
            taken = 0
            last = 0

            def take():
                nonlocal taken
                taken += 1
                if taken == last:
                    micropython.heap_lock()
                return ready[taken]

            tables = memory.tables(take=take)
            call = _calls(tables)[number]
            last = taken + locked
            try:
                call()
            finally:
                micropython.heap_unlock()
            # What comes after the first table needs no heap.
            page = HIGH + HUGE if number == 1 else HIGH + 700 * PAGE
            assert memory.walk(tables.root_phys, page)
            assert taken >= last, taken


def test_tables_are_given_back_after_the_flush():
    memory = Memory()
    tables = memory.tables()
    order = []
    tables._flush = lambda virt, count: order.append((virt, count))
    tables._give_table = order.append
    tables.map(HIGH + PAGE, PAGE, 700)
    tables.unmap(HIGH + PAGE, 700)
    equal(order[0], (HIGH + PAGE, 700))
    # Those of level 1, 2 and 3.
    equal(len(set(order[1:])), 4)


def test_tables_that_cannot_be_given_back_are_used_again():
    memory = Memory()

    def give(phys):
        raise MemoryError

    tables = memory.tables(give=give)
    tables.map(HIGH, PAGE, 700)
    left = len(memory.free)
    raises(MemoryError, tables.unmap, HIGH, 700)
    equal(tables.query(HIGH), None)
    tables._give_table = memory.free.append
    tables.map(HIGH, PAGE, 700)
    # The one that `give` was called with is lost, the three others are not.
    equal(len(memory.free), left - 1)
    tables.unmap(HIGH, 700)
    equal(len(memory.free), left + 3)


def test_mapping_within_take_table():
    memory = Memory()
    inner = [HIGH + 40 * PAGE]

    def take():
        if inner:
            tables.map(inner.pop(), 0x5000, 1)
        return memory.take()

    tables = memory.tables(take=take)
    left = len(memory.free)
    error = raises(MappingError, tables.map, HIGH, 0x100000, 600)
    equal(error.virt, HIGH + 40 * PAGE)
    equal(tables.query(HIGH + 40 * PAGE)[0], 0x5000)
    equal(left - len(memory.free), 3)
    inner.append(HIGH + 700 * PAGE)
    tables.map(HIGH + HUGE, 0x100000, 600)
    equal(tables.query(HIGH + HUGE + 599 * PAGE)[0], 0x100000 + 599 * PAGE)
    equal(tables.query(HIGH + 700 * PAGE)[0], 0x5000)
