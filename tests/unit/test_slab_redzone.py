"""pfm/slab/redzone.py: debug mode finds what was written outside of an object, or while it was free."""

from allocation import refused
from framebuf import GS8, FrameBuffer
from ktap import equal
from maps import SMALL_8M, THREE_ZONES
from uctypes import bytearray_at

from pfm import Cache, DoubleFreeError, ObjectCorruptError
from pfm.slab.classes import SLAB_OBJECT_MAX
from pfm.testing import FakeMachine

ONE_PATH = "in debug mode objects have no fast path"

_SIZES = (1, 15, 16, 17, 100, 1000, 4096, SLAB_OBJECT_MAX, 100000, 2 << 20)


def _poke(virt, value):
    byte = bytearray_at(virt, 1)
    before = byte[0]
    byte[0] = value
    return before


def test_byte_behind_the_object():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot(debug=True)
        for size in _SIZES:
            virt = pfm.malloc(size, 0x1234)
            before = _poke(virt + size, 0)
            error = refused(pfm, ObjectCorruptError, pfm.mfree, virt)
            equal((error.virt, error.at, error.value), (virt, virt + size, 0))
            equal(error.tag, 0x1234)
            # Nothing has changed: it is still in use, and can be freed when it is whole.
            _poke(virt + size, before)
            pfm.mfree(virt)


def test_whole_object_may_be_written():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot(debug=True)
        for size in _SIZES:
            virt = pfm.malloc(size)
            for at in range(0, size, 4096):
                piece = bytearray_at(virt + at, min(4096, size - at))
                FrameBuffer(piece, len(piece), 1, GS8).fill(0xFF)
            pfm.mfree(virt)
        pfm.check()


def test_byte_before_the_object():
    """It belongs to the object before, whose red zone it is."""
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot(debug=True)
        objects = sorted([pfm.malloc(100) for _ in range(8)])
        before = _poke(objects[4] - 1, 0)
        equal(refused(pfm, ObjectCorruptError, pfm.mfree, objects[3]).at, objects[4] - 1)
        _poke(objects[4] - 1, before)
        for virt in objects:
            pfm.mfree(virt)


def test_byte_written_while_free():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot(debug=True)
        cache = Cache(100, "small", manager=pfm)
        virt = cache.alloc()
        cache.free(virt)
        _poke(virt + 50, 7)
        error = refused(pfm, ObjectCorruptError, cache.alloc)
        equal((error.virt, error.cache, error.tag), (virt, "small", 0))
        assert virt + 48 <= error.at <= virt + 50
        # Reported once; the object is whole again.
        objects = [cache.alloc() for _ in range(40)]
        assert virt in objects
        for each in objects:
            cache.free(each)
        cache.close()


def test_red_zone_written_while_free():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot(debug=True)
        virt = pfm.malloc(64)
        pfm.mfree(virt)
        _poke(virt + 64, 7)
        equal(refused(pfm, ObjectCorruptError, pfm.malloc, 64).at, virt + 64)
        pfm.mfree(pfm.malloc(64))


def test_freed_object_is_filled():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot(debug=True)
        virt = pfm.malloc(64)
        bytearray_at(virt, 64)[:] = b"a" * 64
        pfm.mfree(virt)
        assert b"aaaa" not in bytes(bytearray_at(virt, 64))
        refused(pfm, DoubleFreeError, pfm.mfree, virt)


def test_trailer_that_says_free_is_a_fault_of_one_in_use():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot(debug=True)
        virt = pfm.malloc(64)
        bytearray_at(virt + 64, 32)[:] = bytes(32)
        equal(refused(pfm, ObjectCorruptError, pfm.mfree, virt).virt, virt)
