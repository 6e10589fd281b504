"""Page tables of one's own in a sandbox: what a mapping costs, and how a walk reads it.

make run SCRIPT=examples/page_tables.py
build/unix/micropython docs/labs/unix.py examples/page_tables.py
"""

import pfm
from pfm import PageFlags
from pfm.paging.tables import LEVEL_2M, WRITE, PageTables

MIB = 1 << 20

with pfm.sandbox(mib=4) as lab:

    def take_table():
        pfn = lab.alloc(tag="ptab")
        lab.set_flags(pfn, PageFlags.PAGETABLE)
        return pfn << 12

    def give_table(phys):
        lab.free(phys >> 12)

    # No processor uses these tables, so no translation has to be flushed.
    tables = PageTables(take_table(), lab.hhdm, take_table, give_table, None, LEVEL_2M, True)
    tables.clear_root()

    def show(what):
        frames = lab.owners().frames("ptab")
        print("{:<44} {} tables".format(what, frames))

    show("a root")
    tables.map(0x40000000, 0x5000, 1, WRITE)
    show("a page of 4 KiB: a table for each level")
    tables.map(0x40001000, 0x9000, 500)
    show("500 pages beside it")
    tables.map(0x40200000, 0, 64 * MIB >> 12)
    show("64 MiB in pages of 2 MiB")
    tables.map_shared(0x80_00000000, 0x6000, 1024 * MIB >> 12)
    show("1 GiB that is one frame, by shared tables")

    print("\n{:<12} {:<12} {:<10} {}".format("virtual", "physical", "page", "may be"))
    for virt in (0x40000008, 0x40001000, 0x40212345, 0x80_12345678):
        phys, size, flags = tables.query(virt)
        rights = "written" if flags & WRITE else "read"
        print("0x{:<10x} 0x{:<10x} {:<10} {}".format(virt, phys, size, rights))
    print("0x{:<10x} {}".format(0x3FFFFFFF, tables.query(0x3FFFFFFF)))

    tables.unmap(0x40000000, 501)
    show("\nwithout the pages of 4 KiB")
