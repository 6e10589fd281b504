"""Viper walks over x86-64 page tables, for tables.py; they call nothing and use no Python heap.

So a walk runs from start to end or not at all: no KeyboardInterrupt is raised in it, and it
cannot run out of memory.  `hhdm` is a signed virtual address, `root` and other tables are
physical addresses, `virt` and `end` are virtual addresses of 48 bits, without the sign.

Unused tables form a chain: the first 8 bytes of each are the address of the next, 0 for none,
and the rest is zero.
"""

import micropython
from micropython import const

# paging/tables.py
_PRESENT = const(1 << 0)
_LARGE = const(1 << 7)
# An entry with either bit is a unit: a large page, or a shared table.
_UNIT = const((1 << 7) | (1 << 10))
_SHARED = const(1 << 10)
# An entry that points to a table: present, writable, executable; then one for a shared table.
_TABLE = const((1 << 0) | (1 << 1) | (1 << 9))
_SHARED_TABLE = const((1 << 0) | (1 << 1) | (1 << 9) | (1 << 10))

# The PAT bit in the entry of a large page and of a 4 KiB page.
_PAT = const(1 << 12)
_PAT_4K = const(1 << 7)

# The root's level, and the shifts of what an entry of the root, a page and a level 1 table
# span.
_ROOT_LEVEL = const(4)
_ROOT_SHIFT = const(39)
_PAGE_SHIFT = const(12)
_TABLE_SHIFT = const(21)

# 32-bit words of a table, and the address bits in an entry's second word.
_WORDS = const(1024)
_PHYS_HIGH = const(0xFFFFF)


@micropython.viper
def find(hhdm: int, root: int, virt: int, end: int, wanted: int) -> int:
    """Return the first page of `virt`..`end` that is mapped (`wanted` 1) or not (0), or `end`.

    Cost: a step per entry; a shared table counts as one.
    """
    while virt < end:
        shift = int(_ROOT_SHIFT)
        words = ptr32(hhdm + root)
        i = (virt >> shift & 511) << 1
        low = int(words[i])
        while shift > _PAGE_SHIFT and (low & _PRESENT) and (low & _UNIT) == 0:
            words = ptr32(hhdm + ((low >> 12 << 12) | (int(words[i + 1]) & _PHYS_HIGH) << 32))
            shift -= 9
            i = (virt >> shift & 511) << 1
            low = int(words[i])
        while (low & _PRESENT) != wanted:
            virt = ((virt >> shift) + 1) << shift
            i += 2
            if virt >= end or i == _WORDS:
                break
            low = int(words[i])
            if shift > _PAGE_SHIFT and (low & _PRESENT) and (low & _UNIT) == 0:
                break
        else:
            return virt
    return end


@micropython.viper
def unit_shift(hhdm: int, root: int, virt: int) -> int:
    """Return the shift of the unit that maps `virt`: a page, or all below a shared table."""
    shift = int(_ROOT_SHIFT)
    table = root
    while True:
        words = ptr32(hhdm + table)
        i = (virt >> shift & 511) << 1
        low = int(words[i])
        if shift == _PAGE_SHIFT or (low & _UNIT):
            return shift
        table = (low >> 12 << 12) | (int(words[i + 1]) & _PHYS_HIGH) << 32
        shift -= 9


@micropython.viper
def needed(hhdm: int, root: int, virt: int, end: int, limit: int, shared: int) -> int:
    """Return how many tables `store` takes with these arguments.

    Cost: a walk per existing level 1 table, and per empty entry above those.
    """
    tables = 0
    highest = 1
    while virt < end:
        shift = int(_ROOT_SHIFT)
        level = int(_ROOT_LEVEL)
        words = ptr32(hhdm + root)
        i = (virt >> shift & 511) << 1
        while level > 1 and (int(words[i]) & _PRESENT):
            words = ptr32(
                hhdm + ((int(words[i]) >> 12 << 12) | (int(words[i + 1]) & _PHYS_HIGH) << 32)
            )
            shift -= 9
            level -= 1
            i = (virt >> shift & 511) << 1
        if level == 1:
            virt = ((virt >> _TABLE_SHIFT) + 1) << _TABLE_SHIFT
            continue
        stop = ((virt >> shift) + 1) << shift
        if stop > end:
            stop = end
        if level <= limit and stop - virt == 1 << shift:
            if highest < level:
                highest = level
            virt = stop
            continue
        # At each level below, a table spans what an entry of the level above spans.
        while level > 1:
            level -= 1
            tables += ((stop - 1) >> shift) - (virt >> shift) + 1
            if level < limit:
                whole = (stop >> shift) - ((virt + (1 << shift) - 1) >> shift)
                if whole > 0:
                    tables -= whole
                    if highest <= level:
                        highest = level + 1
            shift -= 9
        virt = stop
    if shared:
        tables += highest - 1
    return tables


@micropython.viper
def store(
    hhdm: int,
    root: int,
    virt: int,
    end: int,
    phys: int,
    moves: int,
    low: int,
    high: int,
    limit: int,
    shared: int,
    chain: int,
) -> int:
    """Map the pages `virt`..`end`, none of which is mapped, with tables from `chain`.

    Returns the rest of `chain`.  `moves` is 1 to map them to consecutive frames from `phys`
    on, 0 to map each to the frame there.  `low` and `high` are the other bits of an entry that
    maps a page, with PAT where a large page has it.  An entry of level `limit` or below maps
    all that it spans wherever possible: by a large page, or, where `shared` is 1, by a table of
    identical entries to which every such entry points.  Cost: a walk per table, and a step per
    entry.
    """
    # Shared tables: the number of levels built, and the entry that the next level repeats.
    built = 0
    first = 0
    second = 0
    page_low = low
    if low & _PAT:
        page_low = low ^ (int(_PAT) | int(_PAT_4K))
    below = phys
    below_low = page_low
    below_high = high
    while virt < end:
        shift = int(_ROOT_SHIFT)
        level = int(_ROOT_LEVEL)
        words = ptr32(hhdm + root)
        i = (virt >> shift & 511) << 1
        while level > 1:
            if int(words[i]) & _PRESENT:
                table = (int(words[i]) >> 12 << 12) | (int(words[i + 1]) & _PHYS_HIGH) << 32
            elif level <= limit and virt >> shift << shift == virt and end - virt >= 1 << shift:
                break
            else:
                table = chain
                link = ptr32(hhdm + table)
                chain = int(link[0]) | int(link[1]) << 32
                link[0] = 0
                link[1] = 0
                words[i + 1] = table >> 32
                words[i] = table | _TABLE
            words = ptr32(hhdm + table)
            shift -= 9
            level -= 1
            i = (virt >> shift & 511) << 1
        to = phys
        to_low = page_low
        to_high = high
        if level > 1:
            if shared:
                while built < level - 1:
                    built += 1
                    table = chain
                    link = ptr32(hhdm + table)
                    chain = int(link[0]) | int(link[1]) << 32
                    j = 0
                    while j < _WORDS:
                        link[j] = below | below_low
                        link[j + 1] = (below >> 32) | below_high
                        j += 2
                    below = table
                    below_low = int(_SHARED_TABLE)
                    below_high = 0
                    if built == 1:
                        first = table
                    else:
                        second = table
                to = first if level == 2 else second
                to_low = int(_SHARED_TABLE)
                to_high = 0
            else:
                to_low = low | int(_LARGE)
        span = 1 << shift
        step = span if moves else 0
        while True:
            words[i + 1] = (to >> 32) | to_high
            words[i] = to | to_low
            to += step
            phys += step
            virt += span
            i += 2
            if i == _WORDS or end - virt < span or (int(words[i]) & _PRESENT):
                break
    return chain


@micropython.viper
def clear(hhdm: int, root: int, virt: int, end: int, chain: int) -> int:
    """Unmap the pages `virt`..`end`, which entries tile.

    Returns `chain` with the tables before it that are empty now.  Until it flushes, a
    processor may still walk those tables; it finds nothing present in them.  Cost: a step per
    entry; a shared table counts as one.
    """
    while virt < end:
        at = virt
        shift = int(_ROOT_SHIFT)
        table = root
        # The tables above `table`, nearest first.
        above = 0
        over = 0
        top = 0
        words = ptr32(hhdm + table)
        i = (virt >> shift & 511) << 1
        low = int(words[i])
        while shift > _PAGE_SHIFT and (low & _UNIT) == 0:
            top = over
            over = above
            above = table
            table = (low >> 12 << 12) | (int(words[i + 1]) & _PHYS_HIGH) << 32
            words = ptr32(hhdm + table)
            shift -= 9
            i = (virt >> shift & 511) << 1
            low = int(words[i])
        while True:
            words[i] = 0
            words[i + 1] = 0
            virt += 1 << shift
            i += 2
            if virt >= end or i == _WORDS:
                break
            if shift > _PAGE_SHIFT and (int(words[i]) & _UNIT) == 0:
                break
        while table != root:
            words = ptr32(hhdm + table)
            i = 0
            while i < _WORDS and (int(words[i]) & _PRESENT) == 0:
                i += 2
            if i < _WORDS:
                break
            words[0] = chain
            words[1] = chain >> 32
            chain = table
            table = above
            above = over
            over = top
            shift += 9
            words = ptr32(hhdm + table)
            i = (at >> shift & 511) << 1
            words[i] = 0
            words[i + 1] = 0
    return chain


@micropython.viper
def find_shared(hhdm: int, root: int, virt: int, end: int) -> int:
    """Return the first page of `virt`..`end`, all mapped, below a shared table, or `end`.

    Cost: a walk per entry above level 1, and per level 1 table.
    """
    while virt < end:
        shift = int(_ROOT_SHIFT)
        words = ptr32(hhdm + root)
        i = (virt >> shift & 511) << 1
        low = int(words[i])
        while shift > _TABLE_SHIFT and (low & _UNIT) == 0:
            words = ptr32(hhdm + ((low >> 12 << 12) | (int(words[i + 1]) & _PHYS_HIGH) << 32))
            shift -= 9
            i = (virt >> shift & 511) << 1
            low = int(words[i])
        if low & _SHARED:
            return virt
        virt = ((virt >> shift) + 1) << shift
    return end


@micropython.viper
def protect(hhdm: int, root: int, virt: int, end: int, low: int, high: int):
    """Change the other bits of the entries that map `virt`..`end` to `low` and `high`.

    Pages tile the range, none below a shared table.  `low` and `high` are as for `store`.
    Cost: a walk per table, and a step per entry.
    """
    page_low = low
    if low & _PAT:
        page_low = low ^ (int(_PAT) | int(_PAT_4K))
    while virt < end:
        shift = int(_ROOT_SHIFT)
        words = ptr32(hhdm + root)
        i = (virt >> shift & 511) << 1
        entry = int(words[i])
        while shift > _PAGE_SHIFT and (entry & _UNIT) == 0:
            words = ptr32(hhdm + ((entry >> 12 << 12) | (int(words[i + 1]) & _PHYS_HIGH) << 32))
            shift -= 9
            i = (virt >> shift & 511) << 1
            entry = int(words[i])
        while True:
            # Bit 12 of a large page's entry is PAT.
            to_low = (entry >> 13 << 13) | low | int(_LARGE)
            if shift == _PAGE_SHIFT:
                to_low = (entry >> 12 << 12) | page_low
            to_high = (int(words[i + 1]) & _PHYS_HIGH) | high
            # Between the two stores the page may do less than before and after, not more.
            if high:
                words[i + 1] = to_high
                words[i] = to_low
            else:
                words[i] = to_low
                words[i + 1] = to_high
            virt += 1 << shift
            i += 2
            if virt >= end or i == _WORDS:
                break
            entry = int(words[i])
            if shift > _PAGE_SHIFT and (entry & _UNIT) == 0:
                break


@micropython.viper
def link(hhdm: int, table: int, chain: int) -> int:
    """Clear `table` and return it as the first of `chain`.  Cost: a step per 16 bytes."""
    words = ptr32(hhdm + table)
    i = 0
    while i < _WORDS:
        words[i] = 0
        words[i + 1] = 0
        words[i + 2] = 0
        words[i + 3] = 0
        i += 4
    words[0] = chain
    words[1] = chain >> 32
    return table


@micropython.viper
def after(hhdm: int, table: int) -> int:
    """Return the table after `table` in a chain, 0 for none."""
    words = ptr32(hhdm + table)
    return int(words[0]) | int(words[1]) << 32


@micropython.viper
def length(hhdm: int, chain: int) -> int:
    """Return the number of tables in a chain."""
    count = 0
    while chain:
        words = ptr32(hhdm + chain)
        chain = int(words[0]) | int(words[1]) << 32
        count += 1
    return count
