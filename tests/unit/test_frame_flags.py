"""pfm/frame/flags.py: the bits of the reference, and their names."""

from ktap import equal, raises

from pfm import PFN, FlagsRangeError, PageFlags, decode_flags
from pfm.frame.flags import FLAG_NAMES, FLAGS_MASK, flags_number

ONE_PATH = "only numbers"


def test_bits_are_those_of_the_reference_and_slab():
    for bit, name in enumerate(
        (
            "LOCKED",
            "DIRTY",
            "UPTODATE",
            "LRU",
            "SMALL",
            "COMPOUND",
            "SWAPCACHE",
            "WRITEBACK",
            "PAGETABLE",
            "FILE",
            "RESERVED",
            "SLAB",
        )
    ):
        equal((getattr(PageFlags, name), FLAG_NAMES[bit]), (1 << bit, name))


def test_decoded_flags():
    equal(decode_flags(0), "-")
    equal(decode_flags(PageFlags.LOCKED | PageFlags.DIRTY), "LOCKED|DIRTY")
    equal(decode_flags(PageFlags.RESERVED), "RESERVED")
    equal(decode_flags(PageFlags.SLAB), "SLAB")
    equal(decode_flags(0x9000), "0x9000")
    equal(decode_flags(PageFlags.LRU | 0x8000), "LRU|0x8000")


def test_numbers_of_16_bits():
    for flags in (0, 1, FLAGS_MASK):
        equal(flags_number(flags), flags)
    assert type(flags_number(PFN(3))) is int
    for flags in (-1, 1 << 16, 1 << 64):
        equal(raises(FlagsRangeError, flags_number, flags).flags, flags)
    raises(TypeError, flags_number, "1")
