"""pfm/units.py: sizes as people read them."""

from ktap import equal
from maps import GIB, MIB

from pfm.units import human_size

ONE_PATH = "only numbers"


def test_sizes_are_in_the_largest_unit():
    equal(human_size(0), "0 B")
    equal(human_size(1023), "1023 B")
    equal(human_size(1024), "1 KiB")
    equal(human_size(1536), "1.5 KiB")
    equal(human_size(6 * GIB), "6 GiB")
    equal(human_size(5 << 60), "5 EiB")
    equal(human_size(4096 << 60), "4096 EiB")


def test_size_takes_eight_characters_or_nine():
    equal(human_size(GIB - 1), "1.0 GiB")
    equal(human_size(1005 * MIB + 200 * 1024), "1005 MiB")
    equal(human_size(MIB - 513), "1023 KiB")
    equal(human_size(MIB - 512), "1.0 MiB")
    for size in range(1, 1 << 40, (1 << 40) // 1009):
        assert len(human_size(size)) <= 9, human_size(size)
