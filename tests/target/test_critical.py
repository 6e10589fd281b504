"""Critical sections: scheduled callbacks wait for their end, they nest, and a processor fault ends them all."""

from array import array

import critical
import kernel
import machine
import micropython
from ktap import equal, raises

from pfm import PFM, LockHeldError, Zone
from pfm.alloc.zone import zone_at
from pfm.lock import acquire, context, release
from pfm.lock import critical as section

# In the null page, which nothing maps.
_UNMAPPED = 8


class _Callback:
    """Counts how often the interpreter has run it."""

    def __init__(self):
        self.runs = 0

    def schedule(self):
        micropython.schedule(self._run, None)

    def _run(self, _):
        self.runs += 1

    def comes(self):
        """Return how often it has run after some jumps of bytecode, at which the interpreter looks."""
        for _ in range(100):
            pass
        return self.runs


def test_callback_waits_for_the_end_of_a_section():
    callback = _Callback()
    with section():
        callback.schedule()
        equal(callback.comes(), 0)
    equal(callback.comes(), 1)


def test_sections_nest():
    callback = _Callback()
    with section():
        with section():
            callback.schedule()
            equal(callback.comes(), 0)
        equal(callback.comes(), 0)
    equal(callback.comes(), 1)


def test_lock_is_a_section():
    callback = _Callback()
    address = PFM._zones[Zone.DMA]
    state = acquire(address, "DMA")
    callback.schedule()
    runs = callback.comes()
    held = zone_at(PFM._zones[0], Zone.DMA).lock
    release(address, state)
    equal((runs, held), (0, context()))
    equal(callback.comes(), 1)


def test_lock_that_is_held_begins_no_section():
    callback = _Callback()
    address = PFM._zones[Zone.DMA]
    state = acquire(address, "DMA")
    try:
        raises(LockHeldError, acquire, address, "DMA")
    finally:
        release(address, state)
    callback.schedule()
    equal(callback.comes(), 1)


def test_many_frames_without_a_zones_lock_stay_where_they_are():
    free = sum(PFM.count_free())
    low = PFM.alloc(zone=Zone.DMA)
    many = array("I", (PFM.alloc(), low, PFM.alloc()))
    address = PFM._zones[Zone.DMA]
    state = acquire(address, "DMA")
    try:
        raises(LockHeldError, PFM.free_many, many)
        raises(LockHeldError, PFM.alloc_many, 2, Zone.DMA)
    finally:
        release(address, state)
    equal(sum(PFM.count_free()), free - 3)
    PFM.free_many(many)
    equal(sum(PFM.count_free()), free)
    PFM.check()


def test_guard_is_no_section():
    callback = _Callback()
    pfn = PFM.alloc()
    with PFM.get(pfn):
        callback.schedule()
        equal(callback.comes(), 1)
    PFM.free(pfn)


def test_error_ends_a_section():
    callback = _Callback()

    def fail():
        with section():
            callback.schedule()
            raise ValueError

    raises(ValueError, fail)
    equal(callback.comes(), 1)


def test_fault_ends_every_section():
    callback = _Callback()
    critical.enter()
    critical.enter()
    callback.schedule()
    raises(kernel.AccessFault, lambda: machine.mem32[_UNMAPPED])
    equal(callback.comes(), 1)
    # To leave what is ended already changes nothing.
    critical.leave(0)
    critical.leave(0)
    callback.schedule()
    equal(callback.comes(), 2)
