"""Free frames over time: samples that a caller takes, drawn as curves."""

import time
from array import array

import micropython

from ..address import PAGE_SHIFT
from ..alloc import buddy, magazine
from ..alloc.zone import Zone
from ..arguments import number
from ..control import MAGAZINE_SIZE, ZONES
from ..lock import disable_irq, enable_irq
from ..report import plot
from ..report.report import Report
from ..units import human_size
from .cursor import words

# Samples kept by default and at most: the drawing in characters has 64 columns.
SAMPLES = 256
_SAMPLES_MIN = 2
_SAMPLES_MAX = 1 << 16

# Words of a sample: milliseconds since the record began, and the free frames of each zone.
_TIME = 0
_WORDS = 1 + ZONES


class History(Report):
    """Free frames of each zone over time: call `sample()` whenever one is wanted.

    When it is full, every second sample is dropped, and from then on every second call is
    left out: it always covers the whole time since it was made.  `sample` does not touch the
    Python heap, so a handler of an interrupt may call it.
    """

    def __init__(self, manager, samples):
        super().__init__()
        self._manager = manager
        self._capacity = number(
            "samples", samples, _SAMPLES_MIN, _SAMPLES_MAX, "2 to 65,536 samples"
        )
        self._kept = words(self._capacity * _WORDS)
        self._count = 0
        self._calls = 0
        self._every = 1
        self._start = time.ticks_ms()
        self.sample()

    def __len__(self):
        return self._count

    def __iter__(self):
        """Yield (milliseconds since the first sample, (DMA, DMA32, NORMAL)) for each sample."""
        kept = self._kept
        for at in range(0, self._count * _WORDS, _WORDS):
            yield kept[at], tuple([kept[at + 1 + zone] for zone in range(ZONES)])

    @micropython.native
    def sample(self):
        """Note the time and the free frames of each zone now.

        Takes no lock.  Cost: a few loads; when full, a store for each sample kept.
        """
        # Without interrupts, since a handler may call this too.
        irq = disable_irq()
        call = self._calls
        self._calls = call + 1
        if call % self._every == 0:
            if self._count == self._capacity:
                self._halve()
            if call % self._every == 0:
                self._write()
        enable_irq(irq)

    @micropython.native
    def _write(self):
        """Write a sample after the last."""
        manager = self._manager
        kept = self._kept
        at = self._count * _WORDS
        kept[at] = time.ticks_diff(time.ticks_ms(), self._start)
        zone = 0
        while zone < ZONES:
            free = buddy.free_count(manager._zones[zone])
            if zone == manager._top:
                processor = 0
                while processor < manager._processors:
                    free += magazine.count(manager._magazines + processor * MAGAZINE_SIZE)
                    processor += 1
            kept[at + 1 + zone] = free
            zone += 1
        self._count += 1

    @micropython.native
    def _halve(self):
        """Keep the samples of even index."""
        kept = self._kept
        at = 0
        while at * 2 < self._count:
            word = 0
            while word < _WORDS:
                kept[at * _WORDS + word] = kept[at * 2 * _WORDS + word]
                word += 1
            at += 1
        self._count = at
        self._every *= 2

    def _curves(self):
        samples = list(self)
        return [
            (Zone.NAMES[zone], array("L", [free[zone] for _, free in samples]))
            for zone in range(ZONES)
            if any(free[zone] for _, free in samples)
        ] or [(Zone.NAMES[0], array("L", [0] * len(samples)))]

    def _title(self):
        return "Free memory, {} samples over {:.1f} s".format(
            self._count, self._kept[(self._count - 1) * _WORDS + _TIME] / 1000
        )

    def lines(self):
        """Yield the lines of the curves, drawn in characters."""
        return plot.text(self._title(), self._curves(), _size)

    def svg(self):
        """Return the curves as the text of an SVG picture."""
        return "\n".join(plot.svg(self._title(), self._curves(), _size, "first", "last"))

    def draw(self, screen):
        """Draw the curves on all of a `fb.Screen`."""
        plot.draw(screen, self._title(), self._curves(), _size)


def _size(frames):
    return human_size(int(frames) << PAGE_SHIFT)
