"""A random trace of operations against a plain model.

PFM_TRACE_OPERATIONS and PFM_TRACE_SEED in the environment set how long it is and which.
"""

import os
from trace import Disagreement, Trace

from ktap import raises
from maps import GIB, MIB, SMALL_8M, THREE_ZONES

from pfm import PageFrameManager
from pfm.memmap import protocol
from pfm.testing import FakeMachine

# On the slow path fewer, unless their number is given.
_OPERATIONS = int(
    os.getenv("PFM_TRACE_OPERATIONS") or (20000 if PageFrameManager.fast_path else 5000)
)
_SEED = int(os.getenv("PFM_TRACE_SEED") or 1)


def _trace(machine, operations, seed, debug=False, limit=None):
    with FakeMachine(machine) as fake:
        try:
            refused = Trace(fake.boot(debug), seed, limit).run(operations)
        except Disagreement:
            print("# seed {}".format(seed))
            raise
        assert refused > operations // 100, refused


def test_three_zones():
    _trace(THREE_ZONES, _OPERATIONS, _SEED)


def test_three_small_zones():
    # Small enough to be exhausted down to their watermarks again and again.
    entries = [
        (0x1000, MIB, protocol.USABLE),
        (16 * MIB, 2 * MIB, protocol.USABLE),
        (4 * GIB, MIB, protocol.USABLE),
    ]
    _trace(entries, _OPERATIONS // 4, _SEED + 4)


def test_one_small_zone():
    _trace(SMALL_8M, _OPERATIONS // 4, _SEED + 1)


def test_debug_mode():
    _trace(SMALL_8M, _OPERATIONS // 20, _SEED + 2, debug=True)


def test_limit_on_a_machine_in_use():
    with FakeMachine(THREE_ZONES) as fake:
        pfm = fake.boot()
        kept = [pfm.alloc(order) for order in range(8)] + [
            pfm.alloc_contiguous(77),
            pfm.alloc_at(600, 9),
        ]
        Trace(pfm, _SEED + 3, limit=2000).run(_OPERATIONS // 4)
        for pfn in kept:
            pfm.free(pfn)
        pfm.check()


def test_disagreement_is_seen():
    with FakeMachine(SMALL_8M) as fake:
        pfm = fake.boot()
        trace = Trace(pfm, _SEED)
        pfm.alloc()
        raises(Disagreement, trace.run, 1)
