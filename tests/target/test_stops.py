"""Stops of all processors, whatever they do: hold locks, collect themselves, print, allocate, fault."""

import _thread
import gc
import os
import sys

import kernel
import machine
import micropython
from ktap import equal, raises
from micropython import const
from tests.target.team import Team

from pfm import PFM, Cache, CacheNameError, LockHeldError
from pfm.lock import critical

_ROUNDS = 60
# Nothing is mapped there: the null page.
_NOWHERE = 8

# What the objects hold that only a pointer beside their start leads to.
_MARK = const(0x5A)

# They take the memory of whatever has been freed.
_OBJECTS = 20000

_SECTOR = 512
_SECTORS = 128


@micropython.viper
def _spin(rounds: int):
    """Use up time in code that no jump of bytecode is in."""
    while rounds:
        rounds -= 1


@micropython.viper
def _divide(by: int) -> int:
    return 1 // by


def _recurse():
    _recurse()


def _hold_a_section(number, lock):
    with critical():
        _spin(2000)
        return [number] * 10


def _hold_a_frame(number, lock):
    pfn = PFM.alloc()
    with PFM.get(pfn):
        _spin(2000)
        raises(LockHeldError, PFM.free, pfn)
        gc.collect()
    PFM.free(pfn)


def _hold_a_zone(number, lock):
    # A lock that others wait for; a collection with it held.
    with critical():
        frames = PFM.alloc_many(300)
        gc.collect()
        PFM.free_many(frames)


def _hold_a_lock(number, lock):
    with lock:
        gc.collect()
        _spin(2000)


def _keep_others_out(number, lock):
    state = machine.disable_irq()
    gc.collect()
    _spin(2000)
    machine.enable_irq(state)


def _print(number, lock):
    sys.stdout.write("# processor {} stops\n".format(number + 1))


def _allocate(number, lock):
    kept = [[number, float(i), str(i), bytearray(i)] for i in range(40)]
    for i, (owner, real, text, data) in enumerate(kept):
        equal((owner, real, text, len(data)), (number, float(i), str(i), i))


def _compile(number, lock):
    names = {}
    exec("def f(x): return [x, 'a', x]", names)
    equal(names["f"](number), [number, "a", number])


def _fault(number, lock):
    error = raises(kernel.AccessFault, lambda: machine.mem8[_NOWHERE])
    equal(error.args[2], _NOWHERE)
    raises(ZeroDivisionError, _divide, 0)


def _fault_in_a_section(number, lock):
    try:
        with critical():
            machine.mem8[_NOWHERE]
    except kernel.AccessFault:
        pass


def _overflow(number, lock):
    raises(RuntimeError, _recurse)


def _drain(number, lock):
    PFM.mfree(PFM.malloc(100))
    PFM.drain()


def _collect(number, lock):
    gc.collect()


_WORKS = (
    _hold_a_section,
    _hold_a_frame,
    _hold_a_zone,
    _hold_a_lock,
    _keep_others_out,
    _print,
    _allocate,
    _compile,
    _fault,
    _fault_in_a_section,
    _overflow,
    _drain,
    _collect,
)


def test_all_collect_at_once():
    def work(number):
        for _ in range(_ROUNDS):
            kept = [[number, str(i)] for i in range(50)]
            gc.collect()
            for i, (owner, text) in enumerate(kept):
                equal((i, owner, text), (i, number, str(i)))
                equal(int(text), i)

    Team(work).run()


@micropython.viper
def _pointer(into: int) -> int:
    """The address of byte `into` of an object of 64 bytes of _MARK."""
    data = ptr8(bytearray(64))
    for i in range(64):
        data[i] = _MARK
    return int(data) + into


@micropython.viper
def _read_at_last(address: int, back: int, flags, number: int) -> int:
    """Be stopped with the address in a register or on the stack; what is `back` bytes below it."""
    flag = ptr8(flags)
    data = ptr8(address)
    flag[number] = 1
    while not flag[0]:
        pass
    return data[0 - back]


def test_pointers_beside_the_start_of_an_object():
    """A compiler's loop may go from the first element to the last, or from beyond either end."""
    for into in (-8, 8, 32, 63, 64):
        flags = bytearray(machine.cpus())

        def work(number):
            if number:
                address = _pointer(into)
                # Overwrites what registers and stack still have of the first.
                _pointer(into)
                equal(_read_at_last(address, into - 8, flags, number), _MARK)
                return None
            while sum(flags) < len(flags) - 1:
                pass
            gc.collect()
            filled = [bytearray(64) for _ in range(_OBJECTS)]
            flags[0] = 1
            return filled

        # The objects get the first memory that is free.  None collects before all have
        # handed their addresses over: until then they are numbers.
        gc.collect()
        Team(work).run()


def test_one_collects_whatever_the_others_do():
    """Each work beside each other one, on one processor after the other."""
    PFM.drain()
    free = PFM.count_free()
    lock = _thread.allocate_lock()

    def work(number):
        for i in range(_ROUNDS * len(_WORKS) // 6):
            _WORKS[(i * (number + 1) + number * 5) % len(_WORKS)](number, lock)

    Team(work).run()
    PFM.drain()
    equal(PFM.count_free(), free)
    PFM.check()


class _Collecting:
    """A disk whose writes collect, without taking memory: the collector closes files, too."""

    def __init__(self):
        self._data = bytearray(_SECTOR * _SECTORS)
        self.writes = 0

    def readblocks(self, number, data):
        start = number * _SECTOR
        for at in range(len(data)):
            data[at] = self._data[start + at]

    def writeblocks(self, number, data):
        self.writes += 1
        gc.collect()
        start = number * _SECTOR
        for at in range(len(data)):
            self._data[start + at] = data[at]

    def ioctl(self, operation, argument):
        # Numbers and sizes of blocks; else: done.
        if operation == 4:
            return _SECTORS
        return _SECTOR if operation == 5 else 0


class _Starting(_Collecting):
    """While `starts` each write tries to start a thread."""

    def __init__(self):
        super().__init__()
        self.starts = False
        self.refused = 0

    def writeblocks(self, number, data):
        if self.starts:
            try:
                _thread.start_new_thread(_spin, (1,))
            except MemoryError:
                self.refused += 1
        _Collecting.writeblocks(self, number, data)


def _leave_open(disk):
    disk.open("left", "w").write("left")


def test_collection_by_a_finaliser():
    device = _Collecting()
    os.VfsFat.mkfs(device)
    disk = os.VfsFat(device)
    kept = [str(i) for i in range(1000)]
    with disk.open("open", "w") as file:
        file.write("one")
        _leave_open(disk)
        before = device.writes
        # Overwrites what the stack still refers to.
        _allocate(0, None)
        gc.collect()
        others = [str(-i) for i in range(1000)]
        equal([int(text) for text in kept + others], list(range(1000)) + list(range(0, -1000, -1)))
        assert device.writes > before
        file.write("two")
    with disk.open("open", "r") as file:
        equal(file.read(), "onetwo")
    with disk.open("left", "r") as file:
        equal(file.read(), "left")


def test_no_thread_starts_in_a_finaliser():
    """So that one processor alone can do without the collector's lock."""
    device = _Starting()
    os.VfsFat.mkfs(device)
    disk = os.VfsFat(device)
    _leave_open(disk)
    device.starts = True
    # Overwrites what the stack still refers to.
    _allocate(0, None)
    gc.collect()
    device.starts = False
    assert device.refused > 0
    with disk.open("left", "r") as file:
        equal(file.read(), "left")


def test_caches_are_opened_and_closed_by_all():
    """Each has a class of its own, and one name is had by one at a time."""
    PFM.drain()
    free = PFM.count_free()
    had = bytearray(1)

    def work(number):
        for _ in range(_ROUNDS):
            cache = Cache(16 * (number + 1), "by {}".format(number))
            virt = cache.alloc()
            machine.mem32[virt] = number
            try:
                one = Cache(2000, "one")
            except CacheNameError:
                one = None
            if one:
                equal(had[0], 0)
                had[0] = 1
                one.free(one.alloc())
                equal(Cache.open("one").size, 2000)
                had[0] = 0
                one.close()
            equal(machine.mem32[virt], number)
            cache.free(virt)
            cache.close()

    Team(work).run()
    PFM.drain()
    equal(PFM.count_free(), free)
    PFM.check()


def test_object_that_looks_free_while_others_take_and_give():
    """The look through all stocks meets none that changes."""
    PFM.drain()
    free = PFM.count_free()

    def work(number):
        for _ in range(_ROUNDS * 5):
            virt = PFM.malloc(48)
            other = PFM.malloc(48)
            # What follows a free object, if this were one.
            machine.mem64[virt] = _NOWHERE << 40
            machine.mem32[virt + 8] = virt & 0xFFFFFFFF ^ 0xFFFFFFFF
            PFM.mfree(virt)
            PFM.mfree(other)

    Team(work).run()
    PFM.drain()
    equal(PFM.count_free(), free)
    PFM.check()
