"""Free frames over time: samples that a caller takes, drawn as curves."""

import time
from array import array

import micropython
from micropython import const

from ..address import PAGE_SHIFT
from ..alloc.zone import Zone
from ..arguments import number
from ..control import ZONES
from ..lock import disable_irq, enable_irq
from ..report import plot
from ..report.report import Report
from ..units import human_size
from .cursor import words

# Samples kept by default and at most: the drawing in characters has 64 columns.
SAMPLES = 256
_SAMPLES_MIN = 2
_SAMPLES_MAX = 1 << 16

# Words of a record: samples kept, samples that it has room for, calls so far, and how many calls
# there are to each sample kept, a power of two; then the samples.
_KEPT = const(0)
_ROOM = const(1)
_CALLS = const(2)
_EVERY = const(3)
_FIRST = const(4)
# Words of a sample: milliseconds since the record began, and the free frames of each zone.
_TIME = const(0)
_WORDS = const(4)

# control.py
_ZONES = const(3)
_ZONE_SHIFT = const(8)
_CPU_OFFSET = const(832)
_MAGAZINES_OFFSET = const(1024)
_MAGAZINE_SHIFT = const(9)

# alloc/zone.py
_ZONE_FREE = const(1)

# processor.py
_CPU_TOP = const(4)
_CPU_PROCESSORS = const(9)


@micropython.viper
def _note(record: ptr32, cpu: int, ms: int):
    """Note a sample, unless this call is to be left out.

    `cpu` is the address of the struct of processor.py.
    """
    call = int(record[_CALLS])
    record[_CALLS] = call + 1
    if call & (int(record[_EVERY]) - 1):
        return
    count = int(record[_KEPT])
    if count == int(record[_ROOM]):
        count = int(_halve(record))
        if call & (int(record[_EVERY]) - 1):
            return
    at = _FIRST + count * _WORDS
    record[at + _TIME] = ms
    control = cpu - _CPU_OFFSET
    zone = 0
    while zone < _ZONES:
        free = int(ptr32(control + (zone << _ZONE_SHIFT))[_ZONE_FREE])
        if zone == int(ptr32(cpu)[_CPU_TOP]):
            processor = int(ptr32(cpu)[_CPU_PROCESSORS])
            while processor:
                processor -= 1
                free += int(ptr32(control + _MAGAZINES_OFFSET + (processor << _MAGAZINE_SHIFT))[0])
        record[at + 1 + zone] = free
        zone += 1
    record[_KEPT] = count + 1


@micropython.viper
def _halve(record: ptr32) -> int:
    """Keep the samples of even index; return how many these are."""
    count = int(record[_KEPT])
    kept = 0
    while kept * 2 < count:
        word = _FIRST + kept * _WORDS
        i = 0
        while i < _WORDS:
            record[word + i] = record[_FIRST + kept * 2 * _WORDS + i]
            i += 1
        kept += 1
    record[_KEPT] = kept
    record[_EVERY] = int(record[_EVERY]) << 1
    return kept


class History(Report):
    """Free frames of each zone over time: call `sample()` whenever one is wanted.

    When it is full, every second sample is dropped, and from then on every second call is
    left out: it always covers the whole time since it was made.  `sample` does not touch the
    Python heap, so a handler of an interrupt may call it.
    """

    def __init__(self, manager, samples):
        super().__init__()
        samples = number("samples", samples, _SAMPLES_MIN, _SAMPLES_MAX, "2 to 65,536 samples")
        self._record = words(_FIRST + samples * _WORDS)
        self._record[_ROOM] = samples
        self._record[_EVERY] = 1
        self._cpu = manager._cpu
        self._start = time.ticks_ms()
        self.sample()

    def __len__(self):
        return self._record[_KEPT]

    def __iter__(self):
        """Yield (milliseconds since the first sample, (DMA, DMA32, NORMAL)) for each sample."""
        record = self._record
        for at in range(_FIRST, _FIRST + len(self) * _WORDS, _WORDS):
            yield record[at + _TIME], tuple([record[at + 1 + zone] for zone in range(ZONES)])

    @micropython.native
    def sample(self):
        """Note the time and the free frames of each zone now.

        Takes no lock.  Cost: a few loads; when full, a store for each sample kept.
        """
        # Without interrupts, since a handler may call this too.
        irq = disable_irq()
        _note(self._record, self._cpu, time.ticks_diff(time.ticks_ms(), self._start))
        enable_irq(irq)

    def _curves(self):
        samples = list(self)
        return [
            (Zone.NAMES[zone], array("L", [free[zone] for _, free in samples]))
            for zone in range(ZONES)
            if any(free[zone] for _, free in samples)
        ] or [(Zone.NAMES[0], array("L", [0] * len(samples)))]

    def _title(self):
        return "Free memory, {} samples over {:.1f} s".format(
            len(self), self._record[_FIRST + (len(self) - 1) * _WORDS + _TIME] / 1000
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
