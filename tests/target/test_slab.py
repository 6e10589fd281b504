"""Objects on the real machine: in the HHDM, without the Python heap, from a callback too."""

import gc

import machine
import micropython
import uctypes
from ktap import equal, raises

from pfm import PFM, Cache, DoubleFreeError, PageFlags
from pfm.address import PAGE_SHIFT

# A list: in a tuple that is frozen, numbers from 2**14 on are objects.
SIZES = [16, 100, 1000, 5000, 30000, 100000]
# Their slabs have several frames.
COMPOUND = (5000, 30000)
COUNT = 100
# Even, so that the last of these callbacks frees what the one before allocated.
TICKS = 200

# The object of the callback, 0 for none, and how often it ran.
_held = [0, 0]


def _free_frames():
    PFM.drain()
    return PFM.count_free()


def test_objects_are_memory():
    before = _free_frames()
    for size in SIZES:
        objects = [PFM.malloc(size) for _ in range(COUNT if size < 10000 else 5)]
        for virt in objects:
            equal(virt % 16, 0)
            machine.mem32[virt] = virt & 0x3FFF_FFFF
        for virt in objects:
            equal(machine.mem32[virt], virt & 0x3FFF_FFFF)
            flags = PageFlags.COMPOUND if size in COMPOUND else PageFlags.SLAB
            assert PFM.check_flags(PFM.as_phys(virt) >> PAGE_SHIFT, flags)
            PFM.mfree(virt)
    equal(_free_frames(), before)
    PFM.check()


def _each_size():
    for size in SIZES:
        virt = PFM.malloc(size)
        PFM.mfree(virt)
    PFM.drain()
    return virt


def test_python_heap_is_left_alone():
    # The first round populates pages of the array.
    _each_size()
    gc.collect()
    virt = 0
    before = gc.mem_alloc()
    micropython.heap_lock()
    try:
        virt = _each_size()
    finally:
        micropython.heap_unlock()
    equal(gc.mem_alloc(), before)
    assert virt < 0, virt


def test_structs():
    nodes = Cache({"id": 0 | uctypes.UINT32, "next": 8 | uctypes.UINT64}, "test nodes")
    try:
        node = nodes.alloc()
        node.id = 7
        equal(machine.mem32[uctypes.addressof(node)], 7)
        nodes.free(node)
        raises(DoubleFreeError, nodes.free, node)
    finally:
        nodes.close()


def _tick(left):
    """Free the callback's object, or allocate one, and come again until none are `left`."""
    if _held[0]:
        PFM.mfree(_held[0])
        _held[0] = 0
    else:
        _held[0] = PFM.malloc(64)
    _held[1] += 1
    if left:
        micropython.schedule(_tick, left - 1)


def test_callback_shares_the_stock():
    """A scheduled callback allocates and frees between any two calls of the code that it interrupts."""
    before = _free_frames()
    _held[0] = _held[1] = 0
    objects = [0] * COUNT
    micropython.schedule(_tick, TICKS - 1)
    for _ in range(TICKS):
        for at in range(COUNT):
            objects[at] = PFM.malloc(64)
        equal(len(set(objects)), COUNT)
        assert _held[0] not in objects
        for virt in objects:
            PFM.mfree(virt)
        if _held[1] == TICKS:
            break
    equal(_held, [0, TICKS])
    PFM.check()
    equal(_free_frames(), before)
