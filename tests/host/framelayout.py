"""Where everything lies on a board (frameboard.py): made-up addresses, sizes and offsets of pfm's."""

CONTROL = 0x100000
ARRAY = 0x400000
# Physical memory, where the frames for pages of the array and the page tables are.
HHDM = 0x40000000
POOL_PHYS = 0x10000
TABLES_PHYS = 0x80000
SHARED_PHYS = 0x90000
# Where a processor finds its own struct (processor.py) lies elsewhere for each.
PRIVATE_STRIDE = 0x1000000

PAGE_SHIFT = 12
PAGE = 1 << PAGE_SHIFT
WORD = 4
WORD_MASK = 0xFFFFFFFF

# Intel SDM volume 3, 4.5: an entry's bits, entries a table.
PRESENT = 1
WRITABLE = 2
_TABLE_ENTRIES = 512


class Layout:
    """The places on a board with these frames, by the constants of `package` (steps.Package)."""

    def __init__(self, package, frames, processors):
        control = package.module("pfm.control")
        self.entry = package.module("pfm.frame.entry")
        self.zone = package.module("pfm.alloc.zone")
        self._words = package.module("pfm.processor")
        self._flags_mask = package.module("pfm.frame.flags").FLAGS_MASK
        self.frames = frames
        self.processors = processors
        self.zones = [CONTROL + zone * control.ZONE_SIZE for zone in range(control.ZONES)]
        self.zone_size = control.ZONE_SIZE
        self.zones_end = CONTROL + control.ZONES * control.ZONE_SIZE
        self.pool = CONTROL + control.POOL_OFFSET
        self.cpu = CONTROL + control.CPU_OFFSET
        self._cpu_clear = CONTROL + control.CPU_CLEAR_OFFSET
        self.cpu_end = self._cpu_clear + control.CPU_SIZE
        self.magazines = CONTROL + control.MAGAZINES_OFFSET
        self.magazine_size = control.MAGAZINE_SIZE
        self.array_end = ARRAY + (frames.stop << self.entry.ENTRY_SHIFT)

    def magazine(self, number):
        """Return where the magazine of a processor lies."""
        return self.magazines + (number - 1) * self.magazine_size

    def leaf(self, virt):
        """Return where the page table entry of a page of the array lies."""
        index = virt >> PAGE_SHIFT & (_TABLE_ENTRIES - 1)
        return HHDM + TABLES_PHYS + 3 * PAGE + index * 8

    def processor_words(self):
        """Yield (place, word) for each processor's own struct."""
        for number in range(1, self.processors + 1):
            for virt, turned in ((self.cpu, 0), (self._cpu_clear, self._flags_mask)):
                for word, value in self._cpu_words(turned).items():
                    yield virt + number * PRIVATE_STRIDE + word * WORD, value

    def _cpu_words(self, turned):
        words = self._words
        top = plain = first_of_top = 0
        return {
            0: ARRAY,
            words.CPU_FIRST: self.frames.start,
            words.CPU_LAST: self.frames.stop - 1,
            words.CPU_TOP: top,
            words.CPU_PLAIN: plain,
            words.CPU_TURNED: turned,
            words.CPU_MAGAZINE: self.magazines - CONTROL,
            words.CPU_TOP_FIRST: first_of_top,
            words.CPU_PROCESSORS: self.processors,
        }

    def table_words(self, pool_phys):
        """Yield (place, word) for page tables that map the shared page, and for the pool.

        Four tables one after the other, each for the first entries of the one before.
        """
        virt = HHDM + TABLES_PHYS
        for level in range(3):
            shift = 39 - 9 * level
            index = ARRAY >> shift & (_TABLE_ENTRIES - 1)
            table = TABLES_PHYS + (level + 1) * PAGE
            yield from _words(virt + level * PAGE + index * 8, table | PRESENT | WRITABLE, 0)
        for page in range(ARRAY, self.array_end, PAGE):
            yield from _words(self.leaf(page), SHARED_PHYS | PRESENT, 0)
        pool = pool_phys & WORD_MASK, pool_phys >> 32
        yield from _words(self.pool + WORD, 1, *pool, HHDM, 0)


def _words(place, *words):
    for index, word in enumerate(words):
        yield place + index * WORD, word
