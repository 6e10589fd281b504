"""pfm/arguments.py: arguments of wrong types and values, for each call that takes one; subclasses of int count as their values."""

from array import array

from allocation import refused
from calls import MARKED
from ktap import equal
from maps import SMALL_8M, THREE_ZONES

from pfm import PFN, ArgumentError, FlagsRangeError, FrameRangeError, Phys
from pfm.testing import FakeMachine

# Calls that take one argument of that name, as (name, call(pfm, value), allowed).
_PFN = "0 to 2**32 - 1"
_INTEGERS = (
    ("pfn", lambda pfm, x: pfm.free(x), _PFN),
    ("pfn", lambda pfm, x: pfm.ref(x), _PFN),
    ("pfn", lambda pfm, x: pfm.unref(x), _PFN),
    ("pfn", lambda pfm, x: pfm.get(x), _PFN),
    ("pfn", lambda pfm, x: pfm.unlock(x), _PFN),
    ("pfn", lambda pfm, x: pfm.describe(x), _PFN),
    ("pfn", lambda pfm, x: pfm.set_flags(x, 1), _PFN),
    ("pfn", lambda pfm, x: pfm.clear_flags(x, 1), _PFN),
    ("pfn", lambda pfm, x: pfm.check_flags(x, 1), _PFN),
    ("pfn", lambda pfm, x: pfm.set_flags_range(x, 1, 1), _PFN),
    ("pfn", lambda pfm, x: pfm.alloc_at(x), _PFN),
    ("pfn", lambda pfm, x: pfm.present(x), "an integer"),
    ("flags", lambda pfm, x: pfm.set_flags(5, x), "bits of PageFlags"),
    ("flags", lambda pfm, x: pfm.clear_flags(5, x), "bits of PageFlags"),
    ("flags", lambda pfm, x: pfm.check_flags(5, x), "bits of PageFlags"),
    ("flags", lambda pfm, x: pfm.set_flags_range(5, 1, x), "bits of PageFlags"),
    ("flags", lambda pfm, x: pfm.clear_flags_many(array("I", (5,)), x), "bits of PageFlags"),
    ("flags", lambda pfm, x: pfm.count_flags(x), "bits of PageFlags"),
    ("flags", lambda pfm, x: pfm.flag_ranges(x), "bits of PageFlags"),
    ("order", lambda pfm, x: pfm.alloc(x), "0 to 18"),
    ("count", lambda pfm, x: pfm.alloc_contiguous(x), "1 to the number of usable frames"),
    ("count", lambda pfm, x: pfm.alloc_at(MARKED, x), "1 frame or more"),
    ("count", lambda pfm, x: pfm.set_flags_range(5, x, 1), "1 frame or more"),
    ("align", lambda pfm, x: pfm.alloc_contiguous(3, x), "a power of two"),
    ("phys", lambda pfm, x: pfm.as_virt(x), "0 to 2**52 - 1"),
    ("virt", lambda pfm, x: pfm.as_phys(x), "an address in the HHDM"),
)
# None means something to these.
_OPTIONAL = (
    ("zone", lambda pfm, x: pfm.alloc(zone=x), "Zone.DMA, DMA32 or NORMAL"),
    ("zone", lambda pfm, x: pfm.alloc_contiguous(3, zone=x), "Zone.DMA, DMA32 or NORMAL"),
    ("zone", lambda pfm, x: pfm.alloc_many(3, zone=x), "Zone.DMA, DMA32 or NORMAL"),
    ("below", lambda pfm, x: pfm.alloc_contiguous(3, below=x), "a frame number"),
)
# A text is a tag, too.
_TAG = "0 to 2**32 - 1, or 1 to 4 ASCII characters"
_TAGS = (
    ("tag", lambda pfm, x: pfm.alloc(tag=x), _TAG),
    ("tag", lambda pfm, x: pfm.alloc_contiguous(3, tag=x), _TAG),
    ("tag", lambda pfm, x: pfm.alloc_at(MARKED, tag=x), _TAG),
    ("tag", lambda pfm, x: pfm.alloc_many(3, tag=x), _TAG),
)
_WRONG = (1.5, 0.0, "1", "", b"1", (), [], {}, object())


def test_wrong_types_name_the_argument():
    for debug in (False, True):
        with FakeMachine(THREE_ZONES) as machine:
            pfm = machine.boot(debug)
            for calls, wrong in (
                (_INTEGERS, _WRONG + (None,)),
                (_OPTIONAL, _WRONG),
                (_TAGS, (1.5, b"1", (), [], None, object())),
            ):
                for name, call, allowed in calls:
                    for value in wrong:
                        error = refused(pfm, TypeError, call, pfm, value)
                        text = "{}: {}, not {}".format(name, allowed, type(value).__name__)
                        equal(str(error), text)


def test_wrong_arrays():
    text = "frames: an array('I'), not "
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        for call in (
            pfm.free_many,
            lambda frames: pfm.set_flags_many(frames, 1),
            lambda frames: pfm.clear_flags_many(frames, 1),
        ):
            for value in (None, 5, "1", [5], (5,), {5: 5}, bytearray(4)):
                error = refused(pfm, TypeError, call, value)
                equal(str(error), text + type(value).__name__)
            for kind in "bBhHiqQfd":
                error = refused(pfm, TypeError, call, array(kind, (5,)))
                equal(str(error), text + "another array")
            equal(str(refused(pfm, TypeError, call, memoryview(b"12345678"))), text + "memoryview")
        for value in (None, "1", [5], {5: 5}, bytearray(4)):
            error = refused(pfm, TypeError, pfm.alloc_many, value)
            assert str(error).startswith("frames: an array('I'), or 1 to "), error
        refused(pfm, TypeError, pfm.alloc_many, array("H", (5,)))


def test_subclasses_of_int_are_their_values():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        for kind in (PFN, Phys, bool):
            one = kind(1)
            blocks = [
                pfm.alloc(one),
                pfm.alloc(zone=one, tag=one),
                pfm.alloc_contiguous(one, one, one, None, False, one),
                pfm.alloc_at(PFN(MARKED), one, False, one),
            ]
            for pfn in blocks:
                assert type(pfn) is int, pfn
                pfm.free(PFN(pfn))
            pfm.free_many(pfm.alloc_many(one, one, one))
            pfm.set_flags(one, one)
            assert pfm.check_flags(one, one) and pfm.present(one)
            equal(pfm.count_flags(one), 1)
            equal(list(pfm.flag_ranges(one)), [(1, 1)])
            assert repr(pfm.flag_ranges(one)).startswith("Ranges of LOCKED")
            pfm.clear_flags(one, one)
            pfm.set_flags_range(one, one, one)
            pfm.clear_flags_range(one, one, one)
            pfm.get(one).release()
            equal(pfm.describe(one), pfm.describe(1))
            block = pfm.alloc(2)
            equal((pfm.ref(PFN(block)), pfm.unref(PFN(block))), (2, 1))
            pfm.free(PFN(block))
            equal(pfm.as_phys(Phys(pfm.as_virt(one))), 1)
            for call in (pfm.free, pfm.get, pfm.as_phys):
                refused(
                    pfm,
                    (FrameRangeError if call != pfm.as_phys else ArgumentError),
                    call,
                    kind(1) - 2,
                )
        pfm.check()


def test_huge_integers_are_out_of_range():
    """2**64 + n is not n, whichever way a call takes."""
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfn = pfm.alloc()
        for huge in ((1 << 64) + pfn, pfn - (1 << 64), 1 << 70):
            for value in (huge, PFN(huge)):
                for call in (
                    pfm.free,
                    pfm.get,
                    pfm.ref,
                    pfm.unlock,
                    lambda pfn: pfm.set_flags(pfn, 1),
                    lambda pfn: pfm.check_flags(pfn, 1),
                ):
                    equal(refused(pfm, FrameRangeError, call, value).pfn, huge)
                for call in (pfm.set_flags, pfm.clear_flags, pfm.check_flags):
                    equal(refused(pfm, FlagsRangeError, call, pfn, value).flags, huge)
                for call in (pfm.as_phys, pfm.as_virt, pfm.alloc, pfm.alloc_many):
                    refused(pfm, ArgumentError, call, value)
