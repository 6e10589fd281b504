"""Memory drawn in characters: a line is a range of physical memory, a character a cell of it."""

from array import array

from ..address import PAGE_SHIFT
from ..memmap import protocol
from ..memmap.regions import FRAME_ARRAY
from ..units import human_size, phys_text
from .loops import free_by_cell
from .report import Report, spans

# Cells per line: with the address, a line has 79 columns.
_CELLS_SHIFT = 6
_CELLS = 1 << _CELLS_SHIFT
_MARGIN = 15

# With heading, legend and verdict, the whole chart fits a terminal's 24 lines.
_LINES_MAX = 19

# Mark of a cell whose RAM is mostly not usable, by the most frequent type in it.
_MARKS = {
    FRAME_ARRAY: "A",
    protocol.EXECUTABLE_AND_MODULES: "K",
    protocol.BOOTLOADER_RECLAIMABLE: "L",
    protocol.ACPI_RECLAIMABLE: "P",
    protocol.ACPI_NVS: "P",
    protocol.BAD_MEMORY: "B",
}
_RESERVED = "R"
_NO_RAM = " "

_LEGEND = (
    ". free  - used, up to half  + used, over half  # used  blank: no RAM",
    "A array  K kernel  L loader, reclaimable  P ACPI  B bad  R reserved otherwise",
)

_COUNT_SIZE = 4


def stretches(regions, shift):
    """Return the lines, of 2**`shift` frames, that have RAM, as [first, end) lists."""
    found = []
    for start, end in spans(regions):
        first = start >> shift
        end = ((end - 1) >> shift) + 1
        if found and first <= found[-1][1]:
            found[-1][1] = end
        else:
            found.append([first, end])
    return found


def height(lines):
    """Return how many lines these stretches of lines and the holes before each take."""
    holes = len(lines) - (lines[0][0] == 0)
    return holes + sum([end - first for first, end in lines])


class Chart(Report):
    """Memory drawn in characters, at most 24 lines of 79 columns.

    A character is `cell` frames, a power of two.  `rows` has (first frame, characters) for
    each line; lines without RAM are left out.
    """

    def __init__(self, manager):
        super().__init__()
        shift = 0
        found = stretches(manager.regions, _CELLS_SHIFT)
        while height(found) > _LINES_MAX:
            shift += 1
            found = stretches(manager.regions, shift + _CELLS_SHIFT)
        self.cell = 1 << shift
        self.rows = []
        free = 0
        for first, end in found:
            free += self._draw(
                manager, first << _CELLS_SHIFT + shift, (end - first) * _CELLS, shift
            )
        self.compare("free frames", free, sum(manager.count_free()))

    def _draw(self, manager, origin, cells, shift):
        """Append the rows of `cells` cells from frame `origin` on; return their free frames."""
        end = origin + (cells << shift)
        free = array("I", bytes(cells * _COUNT_SIZE))
        for at, stop in spans(manager.regions, origin, end):
            free_by_cell(manager.array.address, at, stop, origin, shift, free)
        usable = array("I", bytes(cells * _COUNT_SIZE))
        others = [None] * cells
        for region in manager.regions:
            if not region.present or region.end <= origin or region.start >= end:
                continue
            at = max(region.start, origin)
            stop = min(region.end, end)
            while at < stop:
                cell = (at - origin) >> shift
                bound = min(origin + (cell + 1 << shift), stop)
                if region.usable:
                    usable[cell] += bound - at
                else:
                    mark = _MARKS.get(region.type, _RESERVED)
                    others[cell] = others[cell] or {}
                    others[cell][mark] = others[cell].get(mark, 0) + bound - at
                at = bound
        marks = [_mark(usable[cell], free[cell], others[cell]) for cell in range(cells)]
        for cell in range(0, cells, _CELLS):
            self.rows.append((origin + (cell << shift), "".join(marks[cell : cell + _CELLS])))
        return sum(free)

    def lines(self):
        """Yield the lines of the drawing, with its legend."""
        yield "A character is {}, a line {}".format(
            human_size(self.cell << PAGE_SHIFT), human_size(self.cell * _CELLS << PAGE_SHIFT)
        )
        at = 0
        for start, marks in self.rows:
            if start > at:
                yield " " * _MARGIN + "hole of {}".format(human_size(start - at << PAGE_SHIFT))
            yield phys_text(start << PAGE_SHIFT) + " " + marks
            at = start + self.cell * _CELLS
        for line in _LEGEND:
            yield line
        yield "Free frames: {}".format(self.verdict())


def _mark(usable, free, others):
    """Return the character of a cell by its numbers of usable and of free frames.

    `others` is {character: frames} of the frames that are not usable, or None.
    """
    rest = sum(others.values()) if others else 0
    if not usable + rest:
        return _NO_RAM
    if rest > usable:
        return max(others, key=lambda mark: others[mark])
    used = usable - free
    if not used:
        return "."
    if not free:
        return "#"
    return "-" if used <= free else "+"
