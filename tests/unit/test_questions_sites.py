"""pfm/questions/sites.py, pfm/alloc/sites.py: each allocation is noted with who called, where what runs is known.

The unix port does not say what runs, so that is faked here; tests/target/test_questions.py has
the kernel's own.
"""

from allocation import without_heap
from ktap import equal, raises
from maps import THREE_ZONES
from uctypes import addressof, sizeof

from pfm import (
    ArgumentError,
    NoCallSitesError,
    NotInitialisedError,
    OutOfFramesError,
    PageFrameManager,
)
from pfm.alloc import sites
from pfm.array.resume import SAVED
from pfm.testing import FakeMachine

_LINE_SHIFT = 32

ONE_PATH = "debug mode has no fast path"


class _Caller:
    """What runs, as the tests say: at `line` of a file."""

    line = 1

    @staticmethod
    def site():
        return _Caller.line << _LINE_SHIFT | 7

    @staticmethod
    def place(site):
        equal(site & 0xFFFFFFFF, 7)
        return "app.py", site >> _LINE_SHIFT, "main"


def _known(check, entries=THREE_ZONES, debug=True):
    before = sites.call_site, sites.call_place
    sites.call_site, sites.call_place = _Caller.site, _Caller.place
    try:
        with FakeMachine(entries) as machine:
            check(machine, machine.boot(debug))
    finally:
        sites.call_site, sites.call_place = before


def _at(line, call, *args, **kwargs):
    _Caller.line = line
    return call(*args, **kwargs)


def _places(manager, tag=None):
    report = manager.call_sites(tag)
    equal(report.differences, [])
    return {site.place: (site.frames, site.allocations) for site in report.sites}


def test_each_way_to_allocate():
    def check(machine, manager):
        own = manager.owners().frames("site")
        assert own
        block = _at(10, manager.alloc, 3, tag="disk")
        _at(11, manager.alloc)
        _at(12, manager.alloc_contiguous, 77, tag="net")
        _at(13, manager.alloc_at, 700, 5)
        _at(14, manager.alloc_many, 9, tag="net")
        _at(14, manager.alloc_many, 3)
        expected = {"-": (own, 1)}
        for line, count in (
            (10, (8, 1)),
            (11, (1, 1)),
            (12, (77, 1)),
            (13, (5, 1)),
            (14, (12, 12)),
        ):
            expected["app.py:{} in main".format(line)] = count
        equal(_places(manager), expected)
        equal(
            _places(manager, "net"),
            {"app.py:12 in main": (77, 1), "app.py:14 in main": (9, 9)},
        )
        manager.free(block)
        del expected["app.py:10 in main"]
        equal(_places(manager), expected)
        # The next owner of the frames is noted in place of the one before.
        _at(0x7FFFFF, manager.alloc_at, block, 8)
        expected["app.py:{} in main".format(0x7FFFFF)] = (8, 1)
        equal(_places(manager), expected)
        assert "app.py:12 in main" in repr(manager.call_sites())
        manager.check()

    _known(check)


def test_leaks_say_where():
    def check(machine, manager):
        with manager.leaks() as leaks:
            _at(21, manager.alloc, 1)
        equal([row.place for row in leaks.allocated], ["app.py:21 in main"])
        assert "app.py:21 in main" in repr(leaks)

    _known(check)


def test_noting_does_not_touch_the_heap():
    def check(machine, manager):
        _Caller.line = 5
        without_heap(lambda manager: manager.free(manager.alloc(2)), manager)

    _known(check)


def test_soft_reset_begins_anew():
    def check(machine, manager):
        state = bytearray(sizeof(SAVED))
        manager.save(addressof(state))
        before = manager.owners().frames("site")
        _at(31, manager.alloc, 2, tag="disk")
        machine.soft_reset()
        manager = PageFrameManager()
        assert manager.resume(addressof(state), (0x6469736B,), machine)
        equal(_places(manager, "disk"), {"-": (4, 1)})
        equal(manager.owners().frames("site"), before)
        manager.check()

    _known(check)


def test_no_room_for_them():
    def check(machine, manager):
        equal(manager._sites, 0)
        raises(NoCallSitesError, manager.call_sites)
        manager.free(manager.alloc())

    def refuse(self, count, **kwargs):
        raise OutOfFramesError(0, 0, count, (0, 0, 0))

    real = PageFrameManager.alloc_contiguous

    PageFrameManager.alloc_contiguous = refuse
    try:
        _known(check)
    finally:
        PageFrameManager.alloc_contiguous = real


def test_only_in_debug_mode_and_where_what_runs_is_known():
    def check(machine, manager):
        equal(manager.owners().total, 0)
        raises(NoCallSitesError, manager.call_sites)

    _known(check, debug=False)
    with FakeMachine(THREE_ZONES) as machine:
        check(machine, machine.boot(debug=sites.call_site is None))
    raises(NotInitialisedError, PageFrameManager().call_sites)


def test_arguments():
    def check(machine, manager):
        raises(ArgumentError, manager.call_sites, "disks")
        raises(TypeError, manager.call_sites, 1.5)

    _known(check)
