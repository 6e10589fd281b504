"""Lab 5: reads page tables, and has processes fork, write and exit in both kinds of memory."""

import random

import uctypes
from checking import CheckFailed, expect, expect_equal, need_kernel
from lab5_copy_on_write.mmu import Fault, ProcessorMMU, WalkedMMU, own_tables, unmap_all

import pfm
from pfm import PFM
from pfm.address import PAGE_SHIFT, PAGE_SIZE
from pfm.paging.tables import WRITE

_MIB = 2
_PAGES = 4
_LARGE_PAGE = 2 << 20
_PHYS_MASK = 0x000F_FFFF_FFFF_F000
# What nothing else maps: below the last entry of the root table.
_WINDOW = 0xFFFF_FF00_0000_0000
_STRIDE = 1 << 20
# Two words of each page.
_PLACES = [place for at in range(_PAGES) for place in (at * PAGE_SIZE, (at + 1) * PAGE_SIZE - 4)]
_PROCESSES = 5
_TRACE_STEPS = 150


def _word(manager, phys):
    """Return the 64 bits at a physical address as a struct with the field `value`."""
    return uctypes.struct(manager.as_virt(phys), {"value": 0 | uctypes.UINT64})


def _reader(manager):
    return lambda phys: _word(manager, phys).value


def _tables(lab):
    """Return page tables with some mappings, and addresses in and beside these."""
    tables = own_tables(lab)
    tables.map(0x1000, 0x5000, 3, WRITE)
    tables.map(0x40000000, 0x200000, 2 * _LARGE_PAGE >> PAGE_SHIFT, 0)
    tables.map(0xFFFF_8000_0000_0000, 0x7000, 1, 0)
    return tables, (
        0,
        0x1000,
        0x1FFC,
        0x3008,
        0x4000,
        0x40000000,
        0x40000000 + _LARGE_PAGE + 0x12345,
        0x40000000 + 2 * _LARGE_PAGE,
        0xFFFF_8000_0000_0010,
        0xFFFF_FFFF_FFFF_F000,
    )


def translates(work):
    """Addresses in pages of 4 KiB and of 2 MiB, and beside them."""
    with pfm.sandbox(_MIB) as lab:
        tables, addresses = _tables(lab)
        for virt in addresses:
            known = tables.query(virt)
            expected = known and (known[0], known[2] & WRITE != 0)
            found = work.translate(_reader(lab), tables.root_phys, virt)
            expect_equal(found, expected, "v0x{:016x}; SDM volume 3, figure 4-8".format(virt))


def obeys_every_level(work):
    """A page is writable only if the entries of all levels say so."""
    with pfm.sandbox(_MIB) as lab:
        tables, _ = _tables(lab)
        root = _word(lab, tables.root_phys)
        root.value &= ~WRITE
        found = work.translate(_reader(lab), tables.root_phys, 0x1000)
        expect_equal(found, (0x5000, False), "the root table's entry forbids to write")


def translates_here(work):
    """The page tables in force, from the root that CR3 names."""
    need_kernel("page tables in force")
    import cpu
    import kernel

    code_virt = kernel.segments()[0][0]
    for virt in (PFM.as_virt(0x1000) + 8, PFM.array.base, code_virt):
        found = work.translate(_reader(PFM), cpu.cr3() & _PHYS_MASK, virt)
        known = PFM.space.query(virt)
        expect_equal(found and found[0], known and known[0], "v0x{:016x}".format(virt))


class _Trial:
    """A sandbox and an MMU: a context manager that leaves nothing mapped."""

    def __init__(self, mmu):
        self._kind = mmu

    def __enter__(self):
        self.lab = pfm.sandbox(_MIB)
        self.mmu = self._kind(self.lab)
        self.lab.alloc(tag="kept")
        return self

    def __exit__(self, kind, value, traceback):
        for number in range(_PROCESSES):
            unmap_all(self.mmu, _WINDOW + number * _STRIDE, _PAGES)
        self.lab.close(force=True)

    def frames(self):
        return self.lab.owners().frames("proc")

    def process(self, work, pages=_PAGES):
        return work.Process(self.lab, self.mmu, _WINDOW, pages)


def _at(number):
    return _WINDOW + number * _STRIDE


def _fork(work, mmu):
    with _Trial(mmu) as t:
        parent = t.process(work)
        parent.store(8, 1)
        child = parent.fork(_at(1))
        expect_equal(child.load(8), 1, "a child begins with its parent's memory")
        expect_equal(child.load(PAGE_SIZE), 0, "and with the pages that are still zero")
        child.store(8, 2)
        parent.store(12, 3)
        expect_equal((parent.load(8), child.load(8)), (1, 2), "what the child writes is its own")
        expect_equal((parent.load(12), child.load(12)), (3, 0), "what the parent writes, too")


def _shares(work, mmu):
    with _Trial(mmu) as t:
        parent = t.process(work)
        parent.store(PAGE_SIZE + 16, 9)
        child = parent.fork(_at(1))
        expect_equal(t.frames(), _PAGES, "frames after fork; hint: ref(), and read-only in both")
        child.store(PAGE_SIZE + 4, 5)
        expect_equal(t.frames(), _PAGES + 1, "frames after a write to one page")
        child.store(PAGE_SIZE + 8, 6)
        expect_equal(t.frames(), _PAGES + 1, "frames after a write to the same page")
        expect_equal((child.load(PAGE_SIZE + 4), parent.load(PAGE_SIZE + 4)), (5, 0), "contents")
        expect_equal(child.load(PAGE_SIZE + 16), 9, "the rest of the page; hint: it is a copy")
        with t.lab.leaks() as leaks:
            parent.store(PAGE_SIZE, 7)
        hint = "the parent wrote to a frame with one reference; hint: it is its own, no copy is needed"
        expect(not leaks.allocated and not leaks.freed, hint)


def _exits(work, mmu):
    with _Trial(mmu) as t:
        parent = t.process(work)
        parent.store(0, 1)
        child = parent.fork(_at(1))
        grandchild = child.fork(_at(2))
        child.store(0, 2)
        parent.exit()
        expect_equal((child.load(0), grandchild.load(0)), (2, 1), "others keep what they have")
        child.exit()
        expect_equal(t.frames(), _PAGES, "frames of the last process")
        grandchild.exit()
        expect_equal(t.frames(), 0, "frames after the last exit")
        t.lab.check()


def _faults(work, mmu):
    with _Trial(mmu) as t:
        process = t.process(work)
        process.fork(_at(1))
        for offset in (_PAGES * PAGE_SIZE, -PAGE_SIZE):
            for access in (process.load, lambda at, p=process: p.store(at, 1)):
                try:
                    access(offset)
                except Fault:
                    continue
                raise CheckFailed("offset {}: beyond the pages a Fault is a fault".format(offset))


def _any_trace(work, mmu):
    random.seed(1)
    with _Trial(mmu) as t:
        processes = {0: t.process(work)}
        model = {0: [0] * len(_PLACES)}
        for step in range(1, _TRACE_STEPS):
            number = random.choice(list(processes))
            free = [other for other in range(_PROCESSES) if other not in processes]
            action = random.randrange(8)
            if action == 0 and free:
                processes[free[0]] = processes[number].fork(_at(free[0]))
                model[free[0]] = list(model[number])
            elif action == 1 and len(processes) > 1:
                processes.pop(number).exit()
                del model[number]
            else:
                word = random.randrange(len(_PLACES))
                processes[number].store(_PLACES[word], step)
                model[number][word] = step
            for other, words in model.items():
                found = [processes[other].load(place) for place in _PLACES]
                expect_equal(found, words, "process {} after step {}".format(other, step))
        for process in processes.values():
            process.exit()
        expect_equal(t.frames(), 0, "frames after the last exit")
        t.lab.check()


_BEHAVIOUR = (
    ("fork and write", _fork),
    ("a page is copied once it is written", _shares),
    ("exit", _exits),
    ("faults that are faults", _faults),
    ("any trace", _any_trace),
)


def _walked(step):
    return lambda work: step(work, WalkedMMU)


def _by_processor(step):
    def run(work):
        need_kernel("page faults")
        step(work, ProcessorMMU)

    return run


STEPS = (
    [
        ("translate", translates),
        ("every level can forbid", obeys_every_level),
        ("the page tables in force", translates_here),
    ]
    + [(text, _walked(step)) for text, step in _BEHAVIOUR]
    + [(text + ", by the processor", _by_processor(step)) for text, step in _BEHAVIOUR]
)
