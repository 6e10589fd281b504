"""pfm/slab/classes.py: which class serves a size, and how much of the memory is left unused."""

import random

from ktap import equal

from pfm.slab.classes import (
    ALIGN,
    GENERAL,
    SIZE_MAX,
    SLAB_OBJECT_MAX,
    class_of,
    lowest_order,
    order_for,
    size_of,
    stock_limit,
)

ONE_PATH = "only numbers"

# The goal: of the memory that a random mix of sizes takes, at most this part is unused.
WASTE_MAX = 0.15


def test_classes_and_their_sizes():
    equal(
        [size_of(n) for n in range(1, 13)], [16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256]
    )
    equal((size_of(GENERAL), GENERAL), (SIZE_MAX, 64))


def test_class_of_a_size_is_the_smallest_that_holds_it():
    before = 0
    for number in range(1, GENERAL + 1):
        size = size_of(number)
        equal(size % ALIGN, 0)
        for asked in (before + 1, (before + size) // 2 + 1, size):
            equal((asked, class_of(asked)), (asked, number))
        before = size


def test_slab_leaves_little_over():
    for number in range(1, class_of(SLAB_OBJECT_MAX) + 1):
        stride = size_of(number)
        size = 4096 << order_for(stride)
        assert size % stride <= size // 16, stride
        assert order_for(stride) <= 6, stride


def test_any_stride_has_an_order():
    for stride in range(ALIGN, SLAB_OBJECT_MAX + 1, ALIGN):
        order = order_for(stride)
        assert (4096 << order) % stride <= 4096 << order >> 4, stride
        assert order <= 7, stride


def test_lowest_order_that_holds_one():
    for size, order in ((16, 0), (4096, 0), (4097, 1), (8192, 1), (28672, 3), (32768, 3)):
        equal((size, lowest_order(size)), (size, order))


def test_stock_is_bounded_in_objects_and_in_bytes():
    for stride, limit in ((16, 64), (512, 64), (1024, 32), (4096, 8), (32768, 1)):
        equal((stride, stock_limit(stride)), (stride, limit))


def _share(size):
    """Return the memory that an object of `size` bytes takes, slack of its slab included."""
    stride = size_of(class_of(size))
    if stride > SLAB_OBJECT_MAX:
        return (size + 4095) & -4096
    slab = 4096 << order_for(stride)
    return slab / (slab // stride)


def _waste(sizes):
    return 1 - sum(sizes) / sum([_share(size) for size in sizes])


def test_waste_of_a_random_mix():
    """Of sizes as likely in each doubling, and of small ones all as likely."""
    random.seed(1)
    mixes = {
        "16 bytes to 2 MiB": [
            (16 << octave) + random.getrandbits(30) % (16 << octave) + 1
            for octave in range(17)
            for _ in range(500)
        ],
        "16 bytes to 32 KiB": [
            (16 << octave) + random.getrandbits(30) % (16 << octave) + 1
            for octave in range(11)
            for _ in range(500)
        ],
        "16 to 4096 bytes": [16 + random.getrandbits(30) % 4081 for _ in range(5000)],
        "16 to 256 bytes": [16 + random.getrandbits(30) % 241 for _ in range(5000)],
    }
    for name, sizes in mixes.items():
        waste = _waste(sizes)
        print("# waste, {}: {:.1f} %".format(name, 100 * waste))
        assert waste <= WASTE_MAX, (name, waste)
