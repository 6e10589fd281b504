"""Every interleaving of two processors that make three calls each, with pfm's own code.

Each load and store of a processor is a step (steps.py), on a machine of a few frames
(frameboard.py), and all orders of the steps are explored (interleave.py).  What must hold:

- no frame is owned twice, and between calls each is free, in one magazine or owned;
- every store is one that the table "Who writes what" of docs/locks.md allows;
- locks are taken in the order of docs/locks.md, released by their holders, and no wait is for
  ever: a holder gets there without waiting for what comes before in that order;
- where a processor gives up a wait at any time, the call changes nothing.

The negative controls put known defects back into the source, and expect them to be found.
"""

import random

import explorer
import frame_model
import frameboard
import framecaller
import interleave
import pytest

FREE = "free"

# A magazine of two frames, refilled and drained to one: all its cases in few calls.
SMALL = {"_MAGAZINE_FRAMES": 2, "_MAGAZINE_BATCH": 1}

# 8 frames, one block; frame numbers that the host, as MicroPython, has as small integers.
FRAMES = (16, 24)
# 3 pages of the array, all of them shared.
PAGES = (128, 512)
DIRTY = 2
# A frame that is in the page at which the block of order 8 at 256 splits.
SPLIT = 385
# Where frames for the array's pages lie beyond the next 4 GiB.
FAR_POOL = 1 << 32

# Steps of its own from a processor's first lock to its last release; a refill of one frame
# and a merge over all orders is what takes most.
HOLD_MAX = 120

# Defects: (module, as it is, as it was).
HEAD_STAYS_FREE = (
    "pfm.alloc.buddy",
    "    block = base + (pfn << _ENTRY_SHIFT)\n    ptr32(block)[0] = 0\n",
    "    block = base + (pfn << _ENTRY_SHIFT)\n",
)
# Written under the lock, the head would hide that.
HEAD_WRITTEN_LATE = [
    (
        "pfm.fastpath.frames",
        "    if int(h[_CPU_PLAIN]) == 0:\n        release(zone, irq)\n    return pfn\n",
        "    return pfn\n",
    ),
    (
        "pfm.fastpath.frames",
        "    pfn = int(take(zone, base, k))\n    if pfn:\n",
        "    pfn = int(take(zone, base, k))\n    release(zone, irq)\n    if pfn:\n",
    ),
]
POOL_BELIEVES_FIRST_LOOK = (
    "pfm.array.populate",
    "    if int(ptr8(entry)[_BYTE_SHARED]):\n        page =",
    "    if 1:\n        page =",
)
FLAGS_WITHOUT_LOCK = (
    "pfm.fastpath.entry",
    "                        if int(h[_CPU_PLAIN]):\n                            if int(e[_WORD_LOCK]) == 0:",
    "                        if 1:\n                            if int(e[_WORD_LOCK]) == 0:",
)
FREED_BEFORE_LOCK = (
    "pfm.alloc.blocks",
    "            references.keep_ref(entry, word)\n",
    "",
)

FREED_BEFORE_LOCK_FAST = (
    "pfm.fastpath.frames",
    "            e[0] = word\n            done = 0\n",
    "            done = 0\n",
)
DRAINED_WITHOUT_STOP = [
    (
        "pfm.alloc.blocks",
        "        stop()\n        own = self._magazines\n",
        "        own = self._magazines\n",
    ),
    (
        "pfm.alloc.blocks",
        "            own += MAGAZINE_SIZE\n        resume()\n",
        "            own += MAGAZINE_SIZE\n",
    ),
]
# In two halves, of which a processor that walks meanwhile may see one.
ENTRY_IN_HALVES = (
    "pfm.array.populate",
    "            store64(leaf, phys | _PRESENT_WRITE, high)\n",
    "            ptr32(leaf)[1] = high\n            ptr32(leaf)[0] = phys | _PRESENT_WRITE\n",
)


def calls(*what):
    """Return a program: numbers allocate blocks of that order, FREE frees the oldest.

    It returns the names of the errors that were raised.
    """

    def program(caller):
        mine = []
        errors = set()
        for each in what:
            if each is not FREE:
                pfn = yield from caller.alloc(each)
                if isinstance(pfn, int):
                    mine.append((pfn, each))
                else:
                    errors.add(pfn)
            elif mine:
                block = mine.pop(0)
                error = yield from caller.free(*block)
                if error:
                    errors.add(error)
                    mine.append(block)
        return frozenset(errors)

    return program


def flags(pfn, *changes):
    """Return a program that sets flags of a frame, or clears the negative ones."""

    def program(caller):
        for bits in changes:
            name = "set_flags" if bits > 0 else "clear_flags"
            yield from caller.call(name, pfn, abs(bits))

    return program


def after_a_look(pfn, program):
    """Return a program that looks at a frame first, which the processor then has a translation for."""

    def both(caller):
        yield from caller.call("check_flags", pfn, DIRTY)
        yield from program(caller)

    return both


def several(name, *arguments):
    """Return a program that makes the same call for each argument, and returns what each returned."""

    def program(caller):
        results = []
        for argument in arguments:
            results.append((yield from caller.call(name, argument)))
        return tuple(results)

    return program


def explore(board, *programs, **options):
    """Explore; return the Explorer, for what it counted."""
    starts = [
        lambda program=program, number=number: program(framecaller.Caller(board, number))
        for number, program in enumerate(programs, 1)
    ]
    explored = interleave.Explorer(board, starts, **options)
    explored.run()
    return explored


def found(board, *programs, **options):
    """Return what is wrong with the first bad state that exploring finds."""
    with pytest.raises(interleave.Violation) as error:
        explore(board, *programs, **options)
    return error.value.what


# Single frames with refills and drains; blocks that split and merge; both; and all there is.
PROGRAMS = [
    ((0, 0, FREE), (0, 0, FREE)),
    ((1, FREE, 0), (1, FREE, 0)),
    ((1, FREE, 2), (1, 1, FREE)),
    ((2, 0, FREE), (2, 1, FREE)),
    ((3, FREE, 0), (3, FREE, 0)),
]


@pytest.mark.parametrize(("one", "other"), PROGRAMS, ids=str)
def test_frames_are_owned_once(one, other):
    board = frameboard.Board(*FRAMES, constants=SMALL)
    explored = explore(board, calls(*one), calls(*other))
    assert explored.states > 5_000
    assert 0 < explored.longest_hold <= HOLD_MAX


@pytest.mark.parametrize(
    ("one", "other"), [((0, 0, FREE), (0, 0, FREE)), ((1, FREE), (1, FREE, 0))], ids=str
)
def test_wait_that_is_given_up_changes_nothing(one, other):
    board = frameboard.Board(*FRAMES, constants=SMALL)
    explored = explore(board, calls(*one), calls(*other), bounded=True)
    assert {"LockTimeoutError"} in [end[1] for end in explored.ends]


def test_frame_that_a_full_magazine_does_not_take():
    board = frameboard.Board(*FRAMES, constants=SMALL)
    explore(board, calls(0, 0, 0, FREE, FREE, FREE), calls(1), bounded=True)


def test_three_processors():
    board = frameboard.Board(*FRAMES, processors=3, constants=SMALL)
    explore(board, calls(1), calls(0), calls(2))


def test_magazine_of_another_is_drained_when_memory_runs_out():
    board = frameboard.Board(*FRAMES, constants=SMALL)
    board.fast("free", board.fast("alloc", 0))
    # All there is, while the first processor, whose magazine has a frame of it, does other things.
    explored = explore(board, flags(FRAMES[0] + 3, 1, -1), calls(3))
    assert explored.ends == {(None, None, frozenset())}


def test_changes_of_one_frames_flags_are_all_kept():
    pfn = FRAMES[0] + 1
    board = frameboard.Board(*FRAMES)
    changes = flags(pfn, 1, 4, -1), flags(pfn, 2, 64, -2)
    explored = explore(board, *changes, at_end=lambda: board.flags(pfn))
    assert {end[0] for end in explored.ends} == {4 | 64}


def test_last_reference_frees_once():
    board = frameboard.Board(*FRAMES, constants=SMALL)
    pfn = board.lend(1, references=4)
    explored = explore(board, several("unref", pfn, pfn), several("unref", pfn, pfn))
    # Each number of references is returned to one caller.
    assert {tuple(sorted(one + other)) for _, one, other in explored.ends} == {(0, 1, 2, 3)}


@pytest.mark.parametrize("order", [0, 1])
def test_block_is_freed_by_one_of_two(order):
    board = frameboard.Board(*FRAMES, constants=SMALL)
    pfn = board.lend(order, references=1)
    explored = explore(board, several("free", pfn), several("free", pfn))
    outcomes = {(one, other) for _, (one,), (other,) in explored.ends}
    assert outcomes == {(None, "FrameStateError"), ("FrameStateError", None)}


def guards(*order):
    """Return a program that takes the frames' locks in that order, then releases them."""

    def program(caller):
        for pfn in order:
            yield from caller.take_guard(pfn)
        for pfn in order:
            yield from caller.release_guard(pfn)

    return program


def test_locks_of_frames():
    low, high = FRAMES[0], FRAMES[0] + 1
    explore(frameboard.Board(*FRAMES), guards(low, high), guards(low, high))
    out_of_order = guards(low, high), guards(high, low)
    assert found(frameboard.Board(*FRAMES), *out_of_order) == "locks are taken out of order"
    # Why there is an order.
    board = frameboard.Board(*FRAMES, ordered=False)
    assert found(board, *out_of_order) == "deadlock: all wait"


def test_page_of_the_array_gets_one_frame():
    board = frameboard.Board(*PAGES, constants=SMALL, shared=True)
    explore(board, calls(7), calls(7, FREE))
    # The upper half of the page table entry changes, too.
    board = frameboard.Board(*PAGES, constants=SMALL, shared=True, pool_phys=FAR_POOL)
    explore(board, calls(7, 0), flags(SPLIT, DIRTY))
    board = frameboard.Board(*PAGES, constants=SMALL, shared=True)
    sets = after_a_look(SPLIT - 1, flags(SPLIT, DIRTY, 4))
    explored = explore(board, calls(7, 0, FREE), sets, at_end=lambda: board.flags(SPLIT))
    assert {end[0] for end in explored.ends} == {DIRTY | 4}


# Negative controls


def test_explorer_finds_a_head_that_stays_free():
    one = other = calls(1, FREE, 0)
    changes = [HEAD_STAYS_FREE, *HEAD_WRITTEN_LATE]
    board = frameboard.Board(*FRAMES, constants=SMALL, changes=changes)
    assert "without the zone's lock" in found(board, one, other)
    # And that the frames suffer, where no store is refused.
    board = frameboard.Board(*FRAMES, constants=SMALL, changes=changes, watched=False)
    assert found(board, one, other)


def test_explorer_finds_a_magazine_that_all_share():
    one = other = calls(0, 0, FREE)
    board = frameboard.Board(*FRAMES, constants=SMALL, own_magazines=False)
    assert found(board, one, other) == "a store to the magazine of another processor"
    board = frameboard.Board(*FRAMES, constants=SMALL, own_magazines=False, watched=False)
    assert found(board, one, other)


def test_explorer_finds_a_magazine_that_is_drained_while_its_owner_uses_it():
    one, other = calls(0, FREE, 0), calls(3)
    board = frameboard.Board(*FRAMES, constants=SMALL, changes=DRAINED_WITHOUT_STOP)
    assert found(board, one, other) == "a store to the magazine of another processor"
    board = frameboard.Board(*FRAMES, constants=SMALL, changes=DRAINED_WITHOUT_STOP, watched=False)
    assert found(board, one, other)


def test_explorer_finds_a_stale_translation():
    sets = after_a_look(SPLIT - 1, flags(SPLIT, DIRTY, 4))
    board = frameboard.Board(*PAGES, constants=SMALL, shared=True, everywhere=False)
    assert "frame 384" in found(board, calls(7, 0, FREE), sets)


def test_explorer_finds_a_page_populated_twice():
    changes = [POOL_BELIEVES_FIRST_LOOK]
    board = frameboard.Board(*PAGES, constants=SMALL, shared=True, changes=changes)
    assert found(board, calls(7, 0, FREE), flags(SPLIT, DIRTY, 4))


def test_explorer_finds_flags_changed_without_the_lock():
    pfn = FRAMES[0] + 1
    board = frameboard.Board(*FRAMES, changes=[FLAGS_WITHOUT_LOCK])
    explored = explore(board, flags(pfn, 1, 4), flags(pfn, 2, 64), at_end=lambda: board.flags(pfn))
    assert {end[0] for end in explored.ends} > {1 | 2 | 4 | 64}


@pytest.mark.parametrize(
    "change", [FREED_BEFORE_LOCK, FREED_BEFORE_LOCK_FAST], ids=["slow", "fast"]
)
def test_explorer_finds_a_block_that_a_failed_free_loses(change):
    board = frameboard.Board(*FRAMES, constants=SMALL, changes=[change])
    assert "does not say so" in found(board, calls(1, FREE, 0), calls(1, FREE, 0), bounded=True)


def test_explorer_finds_a_page_table_entry_that_is_half_written():
    board = frameboard.Board(
        *PAGES, constants=SMALL, shared=True, pool_phys=FAR_POOL, changes=[ENTRY_IN_HALVES]
    )
    expected = "a page table entry that is half written is used"
    assert found(board, calls(7, 0), flags(SPLIT, DIRTY)) == expected


# What is explored is what runs

# 256 KiB, of which the array takes some frames.
MACHINE = [(0x1000, 0x3F000, frame_model.USABLE)]
CALLS = 300


class Both:
    """The same calls on the unix port and, by steps.py, on the board; all memory is compared."""

    def __init__(self, manager):
        self._manager = manager
        facts = manager.ask("boot", MACHINE, False, False)
        self._board = frameboard.Board(facts["min"], facts["max"] + 1, processors=1)
        self._board.load(manager.ask("memory"))

    def call(self, name, *args):
        """Make a call of the manager's without its fast path."""
        manager = self._board.managers[0]
        method = getattr(type(manager), name)
        return self._compare(("call", name, *args), self._board.alone(method, manager, *args))

    def fast(self, name, *args):
        """Make it with its fast path."""
        return self._compare(("fast", name, *args), self._board.fast(name, *args))

    def _compare(self, request, here):
        try:
            there = self._manager.ask(*request)
        except explorer.Refused as error:
            there = error.name
        assert here == there, request
        assert self._board.differs(self._manager.ask("memory")) == [], request
        return here


def test_steps_are_those_of_the_unix_port():
    manager = explorer.Explorer()
    try:
        both = Both(manager)
        chosen = random.Random(1)
        mine = []
        for _ in range(CALLS):
            what = chosen.choice(
                ("alloc", "alloc", "free", "free", "ref", "unref", "flags", "drain")
            )
            if what == "alloc":
                order = chosen.choice((0, 0, 0, 1, 2, 5))
                if chosen.random() < 0.5:
                    pfn = both.call("alloc", order)
                else:
                    pfn = both.fast("alloc", order)
                if isinstance(pfn, int):
                    mine.append(pfn)
            elif what == "drain":
                both.call("drain")
            elif mine:
                pfn = chosen.choice(mine)
                if what == "flags":
                    both.fast("set_flags", pfn, chosen.choice((2, 64, 512)))
                    both.call("clear_flags", pfn, 64)
                elif what == "free":
                    free = chosen.choice((both.call, both.fast))
                    if free("free", pfn) is None:
                        mine.remove(pfn)
                elif what == "unref" and both.call("unref", pfn) == 0:
                    mine.remove(pfn)
                elif what == "ref":
                    both.call("ref", pfn)
        for pfn in mine:
            while both.call("unref", pfn):
                pass
        frames = []
        while isinstance(pfn := both.call("alloc", 0), int):
            frames.append(pfn)
        assert pfn == "OutOfFramesError"
        for pfn in frames:
            both.fast("free", pfn)
        both.call("drain")
    finally:
        manager.close()
