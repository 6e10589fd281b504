# SPDX-License-Identifier: MIT OR Apache-2.0
"""The table of the block cache: which page of the device is in which slot, and when it was used.

A slot has a frame for good and a page for a while.  The table finds a page's slot by a hash, and
the slots are on a list from the one used longest ago to the one used last.

All calls but `shape` take the table's address, and use neither heap nor bytecode.  `entries` is the
address of the frame manager's array.  Most are for the pages from one to before another, so that
what is done for each page is done in a loop here.
"""

import micropython
from micropython import const

from pfm.lock import release, try_acquire

# pfm/frame/entry.py
_ENTRY_SHIFT = const(5)
_LOCK_OFFSET = const(24)
# pfm/frame/flags.py
_DIRTY_BIT = const(1)
_DIRTY = const(1 << 1)
_UPTODATE = const(1 << 2)
_LRU = const(1 << 3)

# The table, of 32-bit words: the number of slots, the mask of the hash, the offset of the slots
# in bytes, the number of DIRTY pages; then the first slot of each hash; then the slots.  Slot 0 is
# the ends of the LRU list.
_SLOTS = const(0)
_MASK = const(1)
_OFFSET = const(2)
_DIRTIES = const(3)
_HEADS = const(8)
_SLOT_SHIFT = const(5)
# A slot: the next one with the same hash, the page, its frame, and the neighbours on the list.
_CHAIN = const(0)
_PAGE = const(1)
_PFN = const(2)
_NEWER = const(3)
_OLDER = const(4)

# The page of a slot that has none, which limits a device to 4 TiB: viper takes no larger constant.
NO_PAGE = const(0x3FFFFFFF)


def shape(count):
    """Return (mask of the hash, offset of the slots, size in bytes) of a table of `count` slots."""
    hashes = 1
    while hashes < count:
        hashes <<= 1
    offset = (_HEADS + hashes << 2) + 31 & ~31
    return hashes - 1, offset, offset + (count + 1 << _SLOT_SHIFT)


@micropython.viper
def find(table: int, page: int) -> int:
    """Return the slot of a page, 0 if it has none."""
    t = ptr32(table)
    slots = table + int(t[_OFFSET])
    slot = int(t[_HEADS + (page & int(t[_MASK]))])
    while slot:
        entry = ptr32(slots + (slot << _SLOT_SHIFT))
        if int(entry[_PAGE]) == page:
            return slot
        slot = int(entry[_CHAIN])
    return 0


@micropython.viper
def page_of(table: int, slot: int) -> int:
    """Return the page of a slot, NO_PAGE if it has none."""
    return int(ptr32(table + int(ptr32(table)[_OFFSET]) + (slot << _SLOT_SHIFT))[_PAGE])


@micropython.viper
def pfn_of(table: int, slot: int) -> int:
    """Return the frame of a slot."""
    return int(ptr32(table + int(ptr32(table)[_OFFSET]) + (slot << _SLOT_SHIFT))[_PFN])


@micropython.viper
def newer(table: int, slot: int) -> int:
    """Return the slot used next after this one, 0 after the newest; of slot 0 the oldest."""
    return int(ptr32(table + int(ptr32(table)[_OFFSET]) + (slot << _SLOT_SHIFT))[_NEWER])


@micropython.viper
def enter(table: int, slot: int, page: int):
    """Let a slot without a page have this one."""
    t = ptr32(table)
    entry = ptr32(table + int(t[_OFFSET]) + (slot << _SLOT_SHIFT))
    head = _HEADS + (page & int(t[_MASK]))
    entry[_PAGE] = page
    entry[_CHAIN] = int(t[head])
    t[head] = slot


@micropython.viper
def leave(table: int, slot: int):
    """Take a slot's page from it."""
    t = ptr32(table)
    slots = table + int(t[_OFFSET])
    entry = ptr32(slots + (slot << _SLOT_SHIFT))
    link = ptr32(table + (_HEADS + (int(entry[_PAGE]) & int(t[_MASK])) << 2))
    while int(link[0]) != slot:
        link = ptr32(slots + (int(link[0]) << _SLOT_SHIFT))
    link[0] = int(entry[_CHAIN])
    entry[_PAGE] = NO_PAGE


@micropython.viper
def move(table: int, slot: int, newest: bool):
    """Move a slot to the newest end of the list, or to the oldest."""
    slots = table + int(ptr32(table)[_OFFSET])
    entry = ptr32(slots + (slot << _SLOT_SHIFT))
    older = int(entry[_OLDER])
    newer = int(entry[_NEWER])
    ptr32(slots + (older << _SLOT_SHIFT))[_NEWER] = newer
    ptr32(slots + (newer << _SLOT_SHIFT))[_OLDER] = older
    ends = ptr32(slots)
    if newest:
        older = int(ends[_OLDER])
        newer = 0
    else:
        older = 0
        newer = int(ends[_NEWER])
    entry[_OLDER] = older
    entry[_NEWER] = newer
    ptr32(slots + (older << _SLOT_SHIFT))[_NEWER] = slot
    ptr32(slots + (newer << _SLOT_SHIFT))[_OLDER] = slot


@micropython.viper
def absent(table: int, page: int, end: int) -> int:
    """Return how many pages in a row, from `page` on, have no slot."""
    count = 0
    while page + count < end and int(find(table, page + count)) == 0:
        count += 1
    return count


@micropython.viper
def use(table: int, page: int, end: int) -> int:
    """Make the pages from `page` on that have slots the newest; return how many in a row do."""
    count = 0
    while page + count < end:
        slot = int(find(table, page + count))
        if slot == 0:
            break
        move(table, slot, True)
        count += 1
    return count


@micropython.viper
def adjacent(table: int, page: int, end: int) -> int:
    """Return how many pages, from `page` on, are in frames in a row, << 32, | the first frame."""
    t = ptr32(table)
    slots = table + int(t[_OFFSET])
    first = int(ptr32(slots + (int(find(table, page)) << _SLOT_SHIFT))[_PFN])
    count = 1
    while page + count < end:
        slot = int(find(table, page + count))
        if slot == 0 or int(ptr32(slots + (slot << _SLOT_SHIFT))[_PFN]) != first + count:
            break
        count += 1
    return count << 32 | first


@micropython.viper
def _change_one(table: int, entries: int, slot: int, on: int, off: int, owner: int) -> int:
    """Change the flags of a slot's frame under its lock; return 1, or 0 if that is taken."""
    t = ptr32(table)
    pfn = int(ptr32(table + int(t[_OFFSET]) + (slot << _SLOT_SHIFT))[_PFN])
    entry = entries + (pfn << _ENTRY_SHIFT)
    irq = int(try_acquire(entry + _LOCK_OFFSET, owner))
    if irq < 0:
        return 0
    flags = ptr16(entry)
    before = int(flags[0])
    after = (before | on) & ~off
    flags[0] = after
    release(entry + _LOCK_OFFSET, irq)
    t[_DIRTIES] = int(t[_DIRTIES]) + (after >> _DIRTY_BIT & 1) - (before >> _DIRTY_BIT & 1)
    return 1


@micropython.viper
def change(table: int, entries: int, page: int, end: int, on: int, off: int, owner: int) -> int:
    """Set the flags `on` and clear `off` of the pages' frames, under their locks.

    Returns `end`, or the first page whose frame's lock is taken; `owner` is the number of this
    context.
    """
    while page < end:
        slot = int(find(table, page))
        if slot and int(_change_one(table, entries, slot, on, off, owner)) == 0:
            return page
        page += 1
    return end


@micropython.viper
def reuse(table: int, entries: int, page: int, end: int, owner: int) -> int:
    """Give pages without slots the oldest slots, in order, until one is DIRTY or locked.

    They become the newest, LRU and not UPTODATE.  Returns the first page that has none, or
    `end`.
    """
    slots = table + int(ptr32(table)[_OFFSET])
    while page < end:
        slot = int(ptr32(slots)[_NEWER])
        entry = ptr32(slots + (slot << _SLOT_SHIFT))
        if int(ptr16(entries + (int(entry[_PFN]) << _ENTRY_SHIFT))[0]) & _DIRTY:
            break
        if int(_change_one(table, entries, slot, int(_LRU), int(_UPTODATE), owner)) == 0:
            break
        if int(entry[_PAGE]) != NO_PAGE:
            leave(table, slot)
        enter(table, slot, page)
        move(table, slot, True)
        page += 1
    return page


@micropython.viper
def forget(table: int, entries: int, page: int, end: int):
    """Take the slots of those pages away that are not UPTODATE; they become the oldest."""
    while page < end:
        slot = int(find(table, page))
        if slot:
            pfn = int(pfn_of(table, slot))
            if (int(ptr16(entries + (pfn << _ENTRY_SHIFT))[0]) & _UPTODATE) == 0:
                leave(table, slot)
                move(table, slot, False)
        page += 1


@micropython.viper
def is_dirty(table: int, entries: int, slot: int) -> int:
    """Return whether a slot's frame is DIRTY."""
    pfn = int(ptr32(table + int(ptr32(table)[_OFFSET]) + (slot << _SLOT_SHIFT))[_PFN])
    return int(ptr16(entries + (pfn << _ENTRY_SHIFT))[0]) & _DIRTY


@micropython.viper
def dirties(table: int) -> int:
    """Return how many pages are DIRTY."""
    return int(ptr32(table)[_DIRTIES])


@micropython.viper
def dirty_run(table: int, entries: int, slot: int, limit: int) -> int:
    """Return how many pages, from that of the DIRTY `slot` on, follow each other and are DIRTY.

    They do so both on the device and on the list.
    """
    slots = table + int(ptr32(table)[_OFFSET])
    entry = ptr32(slots + (slot << _SLOT_SHIFT))
    page = int(entry[_PAGE])
    count = 1
    while count < limit:
        entry = ptr32(slots + (int(entry[_NEWER]) << _SLOT_SHIFT))
        flags = int(ptr16(entries + (int(entry[_PFN]) << _ENTRY_SHIFT))[0])
        if int(entry[_PAGE]) != page + count or (flags & _DIRTY) == 0:
            break
        count += 1
    return count


@micropython.viper
def next_dirty(table: int, entries: int, slot: int) -> int:
    """Return the next DIRTY slot that was used after this one, 0 if there is none."""
    if int(dirties(table)) == 0:
        return 0
    slot = int(newer(table, slot))
    while slot and int(is_dirty(table, entries, slot)) == 0:
        slot = int(newer(table, slot))
    return slot


@micropython.viper
def oldest_dirty(table: int, entries: int) -> int:
    """Return the DIRTY slot used longest ago, 0 if there is none.

    Cost: a step per page used since.
    """
    slots = table + int(ptr32(table)[_OFFSET])
    count = int(dirties(table))
    slot = int(ptr32(slots)[_OLDER])
    while count and slot:
        if int(is_dirty(table, entries, slot)):
            count -= 1
            if count == 0:
                return slot
        slot = int(ptr32(slots + (slot << _SLOT_SHIFT))[_OLDER])
    return 0


@micropython.viper
def lay_out(table: int, count: int, mask: int, offset: int, pfns: ptr32):
    """Write a table of zeros for `count` slots with these frames, without pages."""
    t = ptr32(table)
    t[_SLOTS] = count
    t[_MASK] = mask
    t[_OFFSET] = offset
    slot = 0
    while slot <= count:
        entry = ptr32(table + offset + (slot << _SLOT_SHIFT))
        entry[_PAGE] = NO_PAGE
        if slot:
            entry[_PFN] = pfns[slot - 1]
        entry[_NEWER] = slot + 1 if slot < count else 0
        entry[_OLDER] = slot - 1 if slot else count
        slot += 1
