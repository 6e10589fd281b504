"""Measures what bench/scaling.py takes as costs, on one processor of the unix port.

    BENCH_PEERS=build/bench/peers.so micropython -m bench.costs

Each is the least of many runs, in nanoseconds.
"""

import time

import micropython
import uctypes
from micropython import const

from pfm import PageFrameManager
from pfm.alloc import buddy, magazine
from pfm.alloc.magazine import MAGAZINE_BATCH
from pfm.alloc.zone import zone_at
from pfm.memmap import protocol
from pfm.testing import FakeMachine

from .cpeers import peers

_MEMORY = [(0x1000, 1 << 30, protocol.USABLE)]
_CALLS = const(2000)
# Locked instructions for each call, too short for the clock.
_LOCKED = const(20)
_RUNS = const(200)
# At least so many splits in a row are measured.
_SPLITS = const(10)
# An order above 0, of which the fast path takes and frees blocks.
_ORDER = const(3)


@micropython.native
def _pairs(zone, base, calls):
    take = buddy.take
    give = buddy.give
    while calls:
        give(zone, base, take(zone, base, 0), 0)
        calls -= 1


@micropython.native
def _refills(state, calls):
    zone, base, own = state
    fill = magazine.fill
    drain = magazine.drain
    while calls:
        fill(zone, base, own, MAGAZINE_BATCH)
        drain(zone, base, own, 0)
        calls -= 1


@micropython.native
def _blocks(pfm, order, calls):
    alloc = pfm.alloc
    free = pfm.free
    while calls:
        free(alloc(order))
        calls -= 1


@micropython.native
def _empty(calls):
    while calls:
        calls -= 1


def _exchanges(word, calls):
    peers.peer_exchange(uctypes.addressof(word), calls * _LOCKED)


def _least(function, *args):
    best = None
    for _ in range(_RUNS):
        start = time.ticks_us()
        function(*args, _CALLS)
        took = time.ticks_diff(time.ticks_us(), start)
        best = took if best is None else min(best, took)
    return best * 1000 / _CALLS


def _measure(pfm):
    zone = pfm._zones[pfm._top]
    base = pfm._base
    pfm.drain()
    empty = _least(_empty)

    # Only larger blocks stay, so each single frame is split off one.
    state = zone_at(zone, 0)
    splits = 0
    while splits < _SPLITS or not state.orders >> splits & 1:
        if state.orders >> splits & 1:
            buddy.take(zone, base, splits)
        else:
            splits += 1
    split = _least(_pairs, zone, base) - empty
    # The buddy of what is taken next is not free, so nothing splits or merges.
    kept = buddy.take(zone, base, 0)
    freed = buddy.take(zone, base, 0)
    buddy.give(zone, base, freed, 0)
    whole = _least(_pairs, zone, base) - empty
    buddy.give(zone, base, kept, 0)
    own = pfm._magazine()
    refill = _least(_refills, (zone, base, own)) - empty
    single = _least(_blocks, pfm, 0) - empty
    pfm.drain()
    kept = pfm.alloc(_ORDER)
    # As above: what follows is a block whose buddy is `kept`.
    blocks = _least(_blocks, pfm, _ORDER) - empty
    pfm.free(kept)
    locked = _least(_exchanges, bytearray(4)) / _LOCKED
    print("a locked instruction              {:8.1f}".format(locked))
    print("take and give, nothing split      {:6.0f}".format(whole))
    print(
        "each split and merge              {:6.0f}   ({} in a row)".format(
            (split - whole) / splits, splits
        )
    )
    print("fill and drain of {} frames       {:6.0f}".format(MAGAZINE_BATCH, refill))
    print("alloc and free, order 0           {:6.0f}".format(single))
    print("alloc and free, order {}           {:6.0f}".format(_ORDER, blocks))


with FakeMachine(_MEMORY) as _machine:
    PageFrameManager.fast_path = True
    _measure(_machine.boot())
