"""Rows of work that two processors do at once, against one, and of stopping the other.

`measure(work)` is called at the prompt by bench/processors.py, on a machine with two processors.
"""

import _thread
import gc
import json
import time
from array import array

import critical
import micropython

from pfm import PFM, PageFlags

from .measure import Figure

_PROCESSORS = 2

# What counts is the least of so many bursts, each of about this length.  Long runs meet with
# whatever else the host does.
_REPETITIONS = 30
_BURST_US = 8000
# A burst's length is measured so often.
_TRIALS = 5

# Stops, and the rounds of a loop between two of them, in which the other goes on.
_STOPS = 501
_APART = 20000

# Frames whose entries are in one page of the array, so that two such blocks share none.
_ORDER_OF_PAGE = 7
_MANY = 512


@micropython.viper
def _viper(number: int, rounds: int) -> int:
    value = number
    while rounds:
        value = (value * 69069 + 1) & 0x3FFFFFFF
        rounds -= 1
    return value


@micropython.native
def _native(number, rounds):
    while rounds:
        rounds -= 1


def _bytecode(number, rounds):
    while rounds:
        rounds -= 1


def _floats(number, rounds):
    value = 1.0
    for _ in range(rounds):
        value = value + 1.0


def _lists(number, rounds):
    for _ in range(rounds):
        made = [number, number]
    return made


def _pairs(order):
    @micropython.native
    def pairs(number, rounds):
        alloc = PFM.alloc
        free = PFM.free
        while rounds:
            free(alloc(order))
            rounds -= 1

    return pairs


def _flags(blocks):
    """Return a job that sets and clears a flag, which is each processor's own, of a frame."""
    flags = (PageFlags.DIRTY, PageFlags.UPTODATE)

    @micropython.native
    def change(number, rounds):
        set_flags = PFM.set_flags
        clear_flags = PFM.clear_flags
        pfn = blocks[number]
        flag = flags[number]
        while rounds:
            set_flags(pfn, flag)
            clear_flags(pfn, flag)
            rounds -= 1

    return change


def _many():
    frames = [array("I", bytes(4 * _MANY)) for _ in range(_PROCESSORS)]

    @micropython.native
    def many(number, rounds):
        own = frames[number]
        while rounds:
            PFM.alloc_many(own)
            PFM.free_many(own)
            rounds -= 1

    return many


_JOBS = {
    "a viper loop": lambda _: _viper,
    "a native loop": lambda _: _native,
    "a bytecode loop": lambda _: _bytecode,
    "floats": lambda _: _floats,
    "lists": lambda _: _lists,
    "alloc and free, order 0": lambda _: _pairs(0),
    "alloc and free, order 3": lambda _: _pairs(3),
    "alloc and free, order 9": lambda _: _pairs(9),
    "flags of different frames": _flags,
    "flags of one frame": lambda blocks: _flags(blocks[:1] * _PROCESSORS),
    "alloc_many and free_many of 512": lambda _: _many(),
}

_STOP = "stop the other processor"


@micropython.viper
def _wait(flag: ptr8):
    while not flag[0]:
        pass


def _elapsed(job, rounds):
    start = time.ticks_us()
    job(0, rounds)
    return time.ticks_diff(time.ticks_us(), start)


def _elapsed_on_both(job, rounds):
    """Return the microseconds until the second of two processors has done its rounds."""
    ready = bytearray(1)
    go = bytearray(1)
    ends = [None, None]

    def other():
        ready[0] = 1
        _wait(go)
        job(1, rounds)
        ends[1] = time.ticks_us()

    _thread.start_new_thread(other, ())
    _wait(ready)
    start = time.ticks_us()
    go[0] = 1
    job(0, rounds)
    ends[0] = time.ticks_us()
    _wait_until_alone()
    return max(time.ticks_diff(end, start) for end in ends)


def _wait_until_alone():
    while not critical.alone():
        pass


def _rounds(job):
    """Return the rounds that make a burst."""
    rounds = 1
    while True:
        spent = min(_elapsed(job, rounds) for _ in range(_TRIALS))
        if spent > _BURST_US // 4:
            return rounds * _BURST_US // spent
        rounds *= 2


def _bursts(work):
    blocks = [PFM.alloc(_ORDER_OF_PAGE) for _ in range(_PROCESSORS)]
    job = _JOBS[work](blocks)
    rounds = _rounds(job)
    ways = (("1 processor", _elapsed), ("2 processors", _elapsed_on_both))
    samples = [[] for _ in ways]
    # A collection within a burst would be everybody's.
    gc.disable()
    for _ in range(_REPETITIONS):
        for way, (_, elapsed) in enumerate(ways):
            gc.collect()
            samples[way].append(elapsed(job, rounds) * 1000)
    gc.enable()
    for pfn in blocks:
        PFM.free(pfn)
    PFM.check()
    return [
        Figure(work, who, _PROCESSORS, "burst", samples[way]).values()
        for way, (who, _) in enumerate(ways)
    ]


@micropython.native
def _stop(samples):
    stop = critical.stop
    resume = critical.resume
    now = time.time_ns
    for at in range(len(samples)):
        _viper(0, _APART)
        start = now()
        stop()
        samples[at] = now() - start
        resume()


def _stops():
    ready = bytearray(1)
    done = bytearray(1)
    samples = array("q", bytes(8 * _STOPS))

    def other():
        ready[0] = 1
        _wait(done)

    _thread.start_new_thread(other, ())
    _wait(ready)
    _stop(samples)
    done[0] = 1
    _wait_until_alone()
    row = Figure(_STOP, "2 processors", _PROCESSORS, "stop", samples).values()
    row["p90"] = sorted(samples)[_STOPS * 9 // 10]
    return [row]


def measure(work):
    """Print the rows of `work` as `BENCH {…}`."""
    for row in _stops() if work == _STOP else _bursts(work):
        print("BENCH", json.dumps(row))
