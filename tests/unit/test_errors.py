"""pfm/errors.py: what the text of an error tells."""

from ktap import equal, raises
from maps import MIB, SMALL_8M, THREE_ZONES

from pfm import FrameRangeError, OutOfFramesError
from pfm.testing import FakeMachine


def test_address_in_place_of_a_frame_number():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        error = raises(FrameRangeError, pfm.free, 0x123456)
        equal(str(error), "frame 1193046 outside 0..2047; the address p0x123456 is in frame 291")
        # What is no address inside is not taken for one.
        equal(str(raises(FrameRangeError, pfm.free, 8 * MIB)), "frame 8388608 outside 0..2047")
        equal(str(raises(FrameRangeError, pfm.free, -1)), "frame -1 outside 0..2047")


def test_exhaustion_names_the_zone():
    with FakeMachine(THREE_ZONES) as machine:
        pfm = machine.boot()
        for zone, name in enumerate(("DMA", "DMA32", "NORMAL")):
            error = raises(OutOfFramesError, pfm.alloc, 18, zone)
            assert str(error).startswith("out of frames: zone {}, order 18".format(name)), error
            equal(error.zone, zone)
