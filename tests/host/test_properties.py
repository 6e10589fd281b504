"""Properties of the frame manager that hold for whatever hypothesis thinks of.

PFM_SOAK=N explores N times as much.
"""

import os

import explorer
import frame_model as model
import pytest
from allocator_model import AllocatorModel
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

SOAK = int(os.environ.get("PFM_SOAK") or 1)
PAGE = 1 << 12
MIB, GIB = 1 << 20, 1 << 30


def explore(examples):
    """How much to explore; a run is not the next one's repetition when soaking."""
    return settings(
        max_examples=examples * SOAK,
        deadline=None,
        derandomize=SOAK == 1,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def manager():
    """The explorer."""
    if not explorer.UNIX_PORT.exists():
        pytest.skip("build/unix/micropython: not built, run `make`")
    asked = explorer.Explorer()
    yield asked
    asked.close()


# Memory maps

KINDS = st.one_of(st.integers(0, 8), st.sampled_from([0, 0, 0, 1, 5, 9, 1000, 2**32, 2**64 - 1]))
WORDS = st.one_of(
    st.integers(0, 2**64 - 1),
    st.integers(0, 64).map(lambda n: 2**n % 2**64),
    st.integers(0, 64).map(lambda n: 2**n - 1),
    st.integers(0, 40).map(lambda n: n * PAGE),
    st.tuples(st.integers(0, 40), st.integers(-3, 3)).map(lambda p: max(0, p[0] * PAGE + p[1])),
    st.integers(0, 2**20).map(lambda n: n << 32),
)
ANY_MAP = st.lists(st.tuples(WORDS, WORDS, KINDS), max_size=12)

# A machine that can be made up: RAM around the zones' bounds and a little below 64 GiB.
PLACES = st.sampled_from([0, 0, 0, 1 * MIB, 16 * MIB, 4 * GIB, 60 * GIB])
NEAR = st.one_of(st.integers(-64, 256).map(lambda n: n * PAGE), st.integers(-2 * PAGE, 40 * PAGE))
LENGTHS = st.one_of(st.integers(0, 300).map(lambda n: n * PAGE), st.integers(0, 60 * PAGE))
MACHINE_MAP = st.lists(
    st.builds(
        lambda place, near, length, kind: (max(0, place + near), length, kind),
        PLACES,
        NEAR,
        LENGTHS,
        KINDS,
    ),
    min_size=1,
    max_size=8,
)


@given(ANY_MAP)
@explore(5000)
@example([(0, 2 * PAGE, 0)])
@example([(0, 1, 0)])
@example([(2**52 - 1, 2, 0)])
@example([(2**64 - 1, 2**64 - 1, 4)])
@example([(2**44 - PAGE, 2 * PAGE, 0), (2**44 - 1, 1, 1)])
@example([(PAGE, PAGE // 2, 0), (PAGE + PAGE // 2, PAGE // 2, 0)])
def test_regions_of_any_map(manager, entries):
    found = manager.ask("regions", entries)
    expected = [
        [first, end, what.kind, what.present]
        for first, end, what in model.stretches(entries)
        if what.kind is not None
    ]
    assert found == expected


def _frames_to_ask(entries, low, high):
    edges = {low, high}
    for first, end, _ in model.stretches(entries):
        edges |= {first - 1, first, (first + end) // 2, end - 1, end}
    return sorted(pfn for pfn in edges if low <= pfn <= high)


@given(MACHINE_MAP, st.booleans())
@explore(5000)
@example([(0, 40 * PAGE, 0)], False)
@example([(16 * MIB - 32 * PAGE, 64 * PAGE, 0), (4 * GIB - 32 * PAGE, 64 * PAGE, 0)], True)
@example([(60 * GIB, 200 * PAGE, 0), (0, 4 * PAGE, 0), (MIB, 5, 4)], False)
def test_frames_of_any_machine(manager, entries, debug):
    wanted = model.counts(entries)
    try:
        facts = manager.ask("boot", entries, debug)
    except explorer.Refused as error:
        if error.name == "NoMemoryMapError":
            assert wanted.low is None
            return
        assert error.name == "NoRoomError" and wanted.low is not None
        assert error.shown["largest"] == wanted.longest < error.shown["needed"]
        return
    assert (facts["min"], facts["max"]) == (wanted.low, wanted.high)
    assert facts["present"] == wanted.present
    start, end = facts["array"]
    usable = [(f, e) for f, e, what in model.stretches(entries) if what.kind == model.USABLE]
    assert any(first <= start < end == stop for first, stop in usable)
    low = 0
    for zone, high in enumerate(model.ZONE_ENDS):
        own = max(0, min(end, high) - max(start, low))
        assert facts["managed"][zone] == facts["free"][zone] == wanted.usable[zone] - own
        low = high
    asked = _frames_to_ask(entries, wanted.low, wanted.high)
    for pfn, answer in zip(asked, manager.ask("probe", asked), strict=True):
        what = model.frame(entries, pfn)
        usable = what.kind == model.USABLE and not start <= pfn < end
        assert answer == [what.present, not usable], pfn
    manager.ask("check")


# Machines for the rest: (base, length, type).

SMALL = [
    [(0, 600 * PAGE, 0)],
    [(3 * PAGE, 200 * PAGE, 0), (300 * PAGE, 64 * PAGE, 5), (400 * PAGE, 200 * PAGE, 0)],
    [
        (0x1000, 150 * PAGE, 0),
        (16 * MIB - 70 * PAGE, 250 * PAGE, 0),
        (4 * GIB - 40 * PAGE, 40 * PAGE, 4),
        (4 * GIB, 300 * PAGE, 0),
    ],
]

# Flags

BITS = st.one_of(
    st.integers(0, 0xFFFF),
    st.integers(0, 15).map(lambda bit: 1 << bit),
    st.sampled_from([-1, 0x10000, 2**32, 2**64, -(2**31)]),
)
FRAMES = st.one_of(
    st.integers(0, 700),
    st.sampled_from([-1, 2**20 - 1, 2**20, 2**20 + 299, 2**20 + 300, 2**32, 2**64]),
)
FLAG_CALLS = st.lists(
    st.tuples(st.sampled_from(["set_flags", "clear_flags", "check_flags", "guard"]), FRAMES, BITS),
    max_size=40,
)


def _allowed(facts, present, name, pfn, flags):
    """Names of the errors that the call may raise."""
    errors = set()
    if not facts["min"] <= pfn <= facts["max"]:
        errors.add("FrameRangeError")
    elif name != "check_flags" and not present:
        errors.add("FrameNotPresentError")
    if name != "guard" and not 0 <= flags <= 0xFFFF:
        errors.add("FlagsRangeError")
    return errors


@given(st.sampled_from(SMALL), st.booleans(), FLAG_CALLS)
@explore(1000)
@example(SMALL[0], True, [("set_flags", 5, 0x400), ("check_flags", 5, 0x400), ("guard", 5, 0)])
@example(SMALL[0], False, [("set_flags", 5, 0x400), ("check_flags", 5, 0x400), ("guard", 5, 0)])
def test_any_sequence_of_flag_operations(manager, entries, fast, calls):
    facts = manager.ask("boot", entries, False, fast)
    start, end = facts["array"]
    known = {}
    for name, pfn, flags in calls:
        what = model.frame(entries, pfn)
        usable = what.kind == model.USABLE and not start <= pfn < end
        before = known.get(pfn, 0 if usable else 1 << 10)
        errors = _allowed(facts, what.present, name, pfn, flags)
        request = ("guard", pfn, flags) if name == "guard" else ("call", name, pfn, flags)
        try:
            answer = manager.ask(*request)
        except explorer.Refused as error:
            assert error.name in errors, (request, error)
            continue
        assert not errors, (request, answer)
        if name == "set_flags":
            known[pfn] = before | flags
        elif name == "clear_flags":
            known[pfn] = before & ~flags
        elif name == "check_flags":
            assert answer == (before & flags == flags), request
        else:
            assert answer == before, request
            known[pfn] = flags & 0xFFFF


# Allocation

PICK = st.integers(0, 10**6)
ZONE = st.sampled_from([None, None, 0, 1, 2, 3, -1])
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("alloc"), st.integers(0, 8), ZONE, st.booleans()),
        st.tuples(
            st.just("alloc"), st.sampled_from([0, 0, 0, 9, 18, 19, -1]), ZONE, st.booleans()
        ),
        st.tuples(
            st.just("alloc_contiguous"),
            st.one_of(st.integers(-1, 40), st.integers(1, 700)),
            st.sampled_from([1, 1, 2, 4, 16, 64, 3, 0, -4]),
            ZONE,
            st.sampled_from([None, None, 0, 50, 300, 5000, 2**20, 2**20 + 100]),
        ),
        st.tuples(st.just("alloc_at"), PICK, st.one_of(st.integers(0, 9), st.integers(1, 300))),
        st.tuples(
            st.just("alloc_many"), st.one_of(st.integers(-1, 20), st.integers(1, 700)), ZONE
        ),
        st.tuples(st.just("free"), PICK, st.sampled_from([0, 0, 0, 0, 1, 2, -1])),
        st.tuples(st.just("free"), PICK, st.just(0)),
        st.tuples(st.just("ref"), PICK, st.sampled_from([0, 0, 1, 3, -1])),
        st.tuples(st.just("unref"), PICK, st.sampled_from([0, 0, 1, 3, -1])),
        st.tuples(st.just("fill"), st.integers(0, 2), st.integers(0, 9)),
        st.tuples(st.just("drain")),
        st.tuples(st.just("check")),
    ),
    max_size=60,
)


# Whether in debug mode, and whether on the fast path, which debug mode has none of to allocate.
MODES = st.sampled_from([(False, True), (False, False), (True, True)])


@given(st.sampled_from(SMALL), MODES, OPERATIONS)
@explore(1000)
@example(SMALL[2], (False, True), [("alloc_many", 700, None), ("alloc", 0, None, False)])
@example(
    SMALL[2],
    (False, True),
    [("fill", 2, 1), ("alloc", 1, None, False), ("alloc", 0, None, False)],
)
@example(
    SMALL[0],
    (True, True),
    [("alloc", 4, None, True), ("ref", 0, 3), ("unref", 0, 1), ("free", 0, 0)],
)
def test_any_trace_of_allocator_calls(manager, entries, mode, operations):
    facts = manager.ask("boot", entries, *mode)
    plain = AllocatorModel(manager, entries, facts)
    for operation in operations:
        plain.step(*operation)
    plain.give_back()
    manager.ask("check")
    assert manager.ask("call", "count_free") == facts["free"]
