"""pfm/tags.py: a tag is a number or a short text, and both are the same number."""

from array import array

from allocation import refused, without_heap
from ktap import equal, raises
from maps import SMALL_8M

from pfm import PFN, ArgumentError
from pfm.tags import tag_number, tag_text
from pfm.testing import FakeMachine


def test_text_is_its_characters():
    for text, number in (
        ("disk", 0x6469736B),
        ("net", 0x6E657420),
        ("a b", 0x61206220),
        ("x", 0x78202020),
        ("~~~~", 0x7E7E7E7E),
    ):
        equal(tag_number(text), number)
        equal(tag_text(number), text)


def test_numbers_are_themselves():
    for number in (0, 1, 65, 0x41420000, 0xFFFFFFFF):
        equal(tag_number(number), number)
    equal(tag_number(PFN(7)), 7)


def test_numbers_without_a_text():
    equal(tag_text(0), "-")
    for number in (1, 65, 0x41420000, 0x20414141, 0x7F414141, 0xFFFFFFFF, 0xC3A94141):
        equal(tag_text(number), "0x{:x}".format(number))


def test_what_is_no_tag():
    for text in ("", "disks", " a", "a ", " ", "é", "abcé", "a\n", "\x7f", "\0"):
        equal(raises(ArgumentError, tag_number, text).name, "tag")
    for number in (-1, 1 << 32):
        equal(raises(ArgumentError, tag_number, number).value, number)
    for value in (None, 1.5, b"disk", ["d"]):
        assert "tag" in str(raises(TypeError, tag_number, value))


def test_every_allocation_takes_a_text():
    for debug in (False, True):
        with FakeMachine(SMALL_8M) as machine:
            pfm = machine.boot(debug)
            for pfn in (
                pfm.alloc(tag="disk"),
                pfm.alloc(2, tag="disk"),
                pfm.alloc_contiguous(3, tag="disk"),
                pfm.alloc_at(1000, 5, tag="disk"),
                pfm.alloc_many(2, tag="disk")[1],
            ):
                equal(pfm.identify(PFN(pfn)).tag, 0x6469736B)
                assert "tag disk" in repr(pfm.identify(PFN(pfn)))
            for call in (
                lambda: pfm.alloc(tag="disks"),
                lambda: pfm.alloc_contiguous(3, tag=""),
                lambda: pfm.alloc_at(1500, tag="ü"),
                lambda: pfm.alloc_many(array("I", (0, 0)), tag=" x"),
            ):
                refused(pfm, ArgumentError, call)


def test_text_without_the_heap():
    with FakeMachine(SMALL_8M) as machine:
        pfm = machine.boot()
        pfm.free(without_heap(lambda pfm: pfm.alloc(1, None, False, "disk"), pfm))
