"""pfm/control.py: the control page has room for what is laid out in it."""

import uctypes
from ktap import equal, raises

from pfm import control
from pfm.alloc.magazine import MAGAZINE_FRAMES
from pfm.alloc.zone import ZONE
from pfm.array.populate import POOL
from pfm.processor import CPU
from pfm.slab.classes import CLASSES

ONE_PATH = "only offsets"


def test_structs_do_not_overlap():
    places = sorted(
        [(control.ZONES_OFFSET + n * control.ZONE_SIZE, ZONE) for n in range(control.ZONES)]
        + [(control.POOL_OFFSET, POOL), (control.CPU_OFFSET, CPU), (control.CPU_CLEAR_OFFSET, CPU)]
    )
    ends = [offset + uctypes.sizeof(struct) for offset, struct in places]
    starts = [offset for offset, _ in places[1:]] + [control.MAGAZINES_OFFSET]
    for number, end in enumerate(ends):
        assert end <= starts[number], (places[number][0], end)


def test_magazine_has_room_for_its_frames():
    assert 4 * (1 + MAGAZINE_FRAMES) <= control.MAGAZINE_SIZE


def test_size_grows_by_a_magazine_and_stocks_for_each_processor():
    each = control.MAGAZINE_SIZE + control.STOCKS_SIZE
    equal(control.size(1), control.MAGAZINES_OFFSET + control.CACHES_SIZE + each)
    equal(control.size(5) - control.size(4), each)


def test_objects_have_what_follows_the_magazines():
    for processors in (1, 2, 7):
        caches = control.caches_offset(processors)
        equal(caches, control.MAGAZINES_OFFSET + processors * control.MAGAZINE_SIZE)
        equal(control.stocks_offset(processors), caches + CLASSES * control.CACHE_SIZE)
        end = control.stocks_offset(processors) + processors * (CLASSES << control.STOCK_SHIFT)
        equal(control.size(processors), end)


def test_struct_that_is_too_large_is_named():
    control.fits("a thing", 64, 64)
    equal(
        str(raises(ValueError, control.fits, "a thing", 65, 64)),
        "a thing takes 65 bytes, but has room for 64",
    )
