"""pfm/questions/cells.py: the cells of a picture of memory."""

from ktap import equal, raises
from maps import MIB, Q35_6G, SMALL_8M
from recount import ODD_32M, with_busy

import pfm.testing
from pfm import PageFrameManager
from pfm.errors import NotInitialisedError
from pfm.frame.entry import CACHED, FREE
from pfm.memmap import protocol
from pfm.questions import cells
from pfm.questions.cells import Cells
from pfm.tags import tag_number

ONE_PATH = "reports read entries and counters, whichever path wrote them"

STEPS = 7


def _update(picture):
    return [picture.update(number) for number in range(len(picture.lines))]


def _cell(picture, pfn):
    """Return the (owner, level) of the cell that shows a frame."""
    for number, line in enumerate(picture.lines):
        if not line.hole and 0 <= pfn - line.start < picture.columns * picture.frames:
            state = picture.state(number, (pfn - line.start) // picture.frames)
            return state >> cells.OWNER_SHIFT, state & cells.LEVEL_MASK
    raise ValueError("no cell shows frame {}".format(pfn))


def test_every_frame_is_shown_in_the_room_there_is():
    for entries in (SMALL_8M, ODD_32M, Q35_6G):
        with pfm.testing.FakeMachine(entries) as machine:
            manager = machine.boot()
            for columns, rows in ((128, 70), (16, 9), (64, 20)):
                picture = Cells(manager, columns, rows, STEPS)
                assert len(picture.lines) <= rows
                _update(picture)
                present = sum([r.end - r.start for r in manager.regions if r.present])
                equal(sum(picture.totals), present)
                equal(picture.totals[cells.OWNER_FREE], sum(manager.count_free()))
                equal(sum(_update(picture)), 0)


def test_cells_agree_with_each_entry():
    def check(manager, recount):
        picture = Cells(manager, 32, 40, STEPS)
        _update(picture)
        equal(picture.totals[cells.OWNER_FREE], sum(manager.count_free()))
        shown = 0
        for line in picture.lines:
            if line.hole:
                continue
            for column in range(picture.columns):
                at = line.start + column * picture.frames
                kinds = [recount.kinds.get(pfn) for pfn in range(at, at + picture.frames)]
                present = [pfn for pfn in range(at, at + picture.frames) if manager.present(pfn)]
                free = len([kind for kind in kinds if kind in (FREE, CACHED)])
                used = len(present) - free
                owner, level = _cell(picture, at)
                equal(level, -(-used * STEPS // len(present)) if present else 0)
                if not used:
                    equal(owner, cells.OWNER_FREE if free else cells.NO_RAM)
                else:
                    assert owner > cells.OWNER_FREE, (at, owner)
                shown += len(present)
        equal(shown, manager.count_present())

    with_busy(check)


def _booted():
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        picture = Cells(manager, 16, 16, STEPS)
        _update(picture)
        yield manager, picture


def test_allocation_changes_its_cells_alone():
    for manager, picture in _booted():
        order = 5
        size = 1 << order
        equal(size, picture.frames * 4)
        for allocate in (
            lambda: manager.alloc_contiguous(size, size, tag="net"),
            lambda: manager.alloc_contiguous(size - 1, size, tag="net"),
            lambda: manager.alloc(order, tag="net"),
            lambda: manager.alloc(order, tag="net", compound=True),
        ):
            pfn = allocate()
            picture.forget()
            equal(sum(_update(picture)), 4)
            owner, level = _cell(picture, pfn)
            equal((picture.name(owner), level), ("net", STEPS))
            equal(_cell(picture, pfn + size - 2), (owner, STEPS))
            manager.free(pfn)
            equal(sum(_update(picture)), 4)
            equal(_cell(picture, pfn), (cells.OWNER_FREE, 0))
            picture.forget()
            equal(picture.name(owner), "")


def test_lines_that_begin_inside_a_block():
    with pfm.testing.FakeMachine(ODD_32M) as machine:
        manager = machine.boot()
        picture = Cells(manager, 4, 2000, STEPS)
        blocks = [
            manager.alloc_contiguous(77, tag="run"),
            manager.alloc(6, tag="blok"),
            manager.alloc(6, compound=True, tag="comp"),
        ]
        _update(picture)
        found = {picture.name(owner): picture.totals[owner] for owner in range(cells.OWNERS)}
        equal([found[name] for name in ("run", "blok", "comp")], [77, 64, 64])
        for pfn in blocks:
            manager.free(pfn)


def test_the_most_frames_decide_and_tags_without_a_number_are_used():
    for manager, picture in _booted():
        tags = [manager.alloc(0, tag=100 + number) for number in range(cells.TAGS + 3)]
        _update(picture)
        equal(picture.totals[cells.UNTAGGED], 3)
        equal(
            [picture.totals[cells.TAGGED + number] for number in range(cells.TAGS)],
            [1] * cells.TAGS,
        )
        # Those with most frames are named first by a picture that is made later.
        large = manager.alloc(5, tag="big")
        later = Cells(manager, 64, 64, STEPS)
        equal(later.name(cells.TAGGED), "big")
        for pfn in tags:
            manager.free(pfn)
        _update(picture)
        picture.forget()
        _update(picture)
        equal(picture.name(_cell(picture, large)[0]), "big")
        manager.free(large)


def test_regions_that_change():
    entries = [
        (MIB, 4 * MIB, protocol.USABLE),
        (5 * MIB, MIB, protocol.BOOTLOADER_RECLAIMABLE),
    ]
    with pfm.testing.FakeMachine(entries) as machine:
        manager = machine.boot()
        picture = Cells(manager, 16, 32, STEPS)
        _update(picture)
        loader = picture.totals[cells.LOADER]
        assert loader
        assert not picture.arrange()
        manager.reclaim()
        assert picture.arrange()
        _update(picture)
        equal(picture.totals[cells.LOADER], 0)
        equal(picture.totals[cells.OWNER_FREE], sum(manager.count_free()))


def test_tags_that_are_numbers():
    for manager, picture in _booted():
        pfn = manager.alloc(0, tag=tag_number("x") + 1)
        _update(picture)
        owner, _ = _cell(picture, pfn)
        equal(owner, cells.TAGGED)
        assert picture.name(owner)
        manager.free(pfn)


def test_what_cannot_be():
    raises(NotInitialisedError, Cells, PageFrameManager(), 16, 16, STEPS)
    with pfm.testing.FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for shape in ((15, 16, STEPS), (0, 16, STEPS), (16, 0, STEPS), (16, 16, 0), (16, 16, 256)):
            raises(ValueError, Cells, manager, *shape)
