# SPDX-License-Identifier: MIT OR Apache-2.0
"""The table of the block cache: which page of the device is in which slot, and when it was used.

A slot has a frame for good and a page for a while.  The table finds a page's slot by a hash, and
the slots are on a list from the one used longest ago to the one used last.

All calls but `shape` take the table's address, and use neither heap nor bytecode.
"""

import micropython
from micropython import const

# pfm/frame/entry.py
_ENTRY_SHIFT = const(5)
# pfm/frame/flags.py
_DIRTY = const(2)

# The table, of 32-bit words: the number of slots, the mask of the hash, the offset of the slots
# in bytes; then the first slot of each hash; then the slots.  Slot 0 is the ends of the LRU list.
_SLOTS = const(0)
_MASK = const(1)
_OFFSET = const(2)
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
def is_dirty(table: int, entries: int, slot: int) -> int:
    """Return whether a slot's frame is DIRTY; `entries` is the frame manager's array."""
    pfn = int(ptr32(table + int(ptr32(table)[_OFFSET]) + (slot << _SLOT_SHIFT))[_PFN])
    return int(ptr16(entries + (pfn << _ENTRY_SHIFT))[0]) & _DIRTY


@micropython.viper
def oldest_dirty(table: int, entries: int, count: int) -> int:
    """Return the DIRTY slot used longest ago if there are `count`, 0 if there are fewer."""
    slots = table + int(ptr32(table)[_OFFSET])
    slot = int(ptr32(slots)[_OLDER])
    while slot:
        entry = ptr32(slots + (slot << _SLOT_SHIFT))
        if int(ptr16(entries + (int(entry[_PFN]) << _ENTRY_SHIFT))[0]) & _DIRTY:
            count -= 1
            if count == 0:
                return slot
        slot = int(entry[_OLDER])
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
