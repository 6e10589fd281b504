"""Critical sections: scheduled callbacks wait for their end, they nest, and a processor fault ends them all."""

from array import array

import critical
import kernel
import machine
import micropython
from ktap import equal, raises
from uctypes import addressof

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


def test_masked_lock_is_no_section_and_turns_interrupts_off():
    word = array("I", (0,))
    virt = addressof(word)
    callback = _Callback()
    before = critical.mask()
    critical.unmask(before)
    state = critical.lock_masked(virt)
    inside = critical.mask()
    callback.schedule()
    runs = callback.comes()
    found = critical.lock_masked(virt)
    critical.unlock_masked(virt, state)
    equal((state, inside, found, word[0]), (before, before & ~1, -context(), 0))
    equal(runs, 1)
    after = critical.mask()
    critical.unmask(after)
    equal(after, before)


def test_bits_change_under_a_lock_that_is_free():
    bits = array("H", (0, 0x1001, 0))
    word = array("I", (0,))
    virt = addressof(bits) + 2
    before = critical.mask()
    critical.unmask(before)
    equal(critical.change16(virt, addressof(word), 0x8011 | 0x8001 << 16), 0)
    word[0] = context()
    equal(critical.change16(virt, addressof(word), 0xFFFF), context())
    equal((list(bits), word[0]), ([0, 0x1010, 0], context()))
    # With interrupts off, a fault is an exception that turns them on again.
    word[0] = 0
    raises(kernel.AccessFault, critical.change16, _UNMAPPED, addressof(word), 0)
    after = critical.mask()
    critical.unmask(after)
    equal(after, before)


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
