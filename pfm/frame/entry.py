"""The entry that describes one frame: its life, and its 32 bytes, laid out as in C.

A block's head has a kind, which is the state of the whole block (docs/frames.md):

    ABSENT      no RAM: for ever
    RESERVED    never handed out: kernel, array, partly usable frames, frame 0, bad memory
       |
       | reclaim(): the loader's memory and ACPI's
       v
                a magazine is empty
     FREE ----------------------------> CACHED   one frame of the highest zone,
       | ^ <----------------------------  | ^    in a magazine
       | |   a magazine is full,          | |
       | |   drain(), out of frames       | |
       | |                        alloc() | | free(), last unref()
       | |                                v |
       | +------------------------------ USED    ref(), and unref() but the last, stay here
       |   free(), free_many(),            ^
       |   last unref()                    |
       +-----------------------------------+
           alloc(), alloc_many(), alloc_contiguous(), alloc_at()

PART (a further block of a run) and COMPOUND_TAIL exist only beside a USED head and go back
to FREE with it.

    offset  size  field
         0     2  flags        `PageFlags`
         2     1  order        of the block that this frame heads
         3     1  state        kind << 5 | order, written by the allocator alone
         4     4  next         PFN of the next free block in the list; in a run's head, the number
                               of frames of the run; in a compound tail, the head's PFN
         8     4  prev         PFN of the previous free block; in a run's part, the run's head
        12     1  size_class   of a slab's head, the class of its objects (slab/slabs.py)
        13     1  shared       1 on a shared page, which is not written (array/populate.py)
        14     2  rc           references to the block that this frame heads
        16     8  freelist_va  virtual address of the head of the list that a free block is on
        24     4  lock         0, or the context that holds the frame
        28     4  tag          who allocated the block

The first 24 bytes have the layout of faces-pfm's `PageFrame`, in which bytes 3, 13 and 24..31
are padding.  Frame 0 is never allocated, so 0 ends a list.

An entry of all zeros is a frame inside a block that is described by its head, so most of init
and of every free is a fill, or nothing at all.
"""

import uctypes
from micropython import const

from .flags import PageFlags

ENTRY_SHIFT = const(5)
ENTRY_SIZE = const(32)
ENTRY_WORDS = const(8)

# Entries in a page of the array, a granule.
GRANULE_SHIFT = const(7)
GRANULE = const(128)

# Kinds, in the upper three bits of `state`; docs/frames.md draws the transitions.
TAIL = const(0)  # inside a block, which its head describes
FREE = const(1)  # head of a free block
USED = const(2)  # head of an allocated block, or of a run's first block
PART = const(3)  # head of a further block of a run
CACHED = const(4)  # free, order 0, in a processor's magazine
COMPOUND_TAIL = const(5)  # inside an allocated compound block
RESERVED = const(6)  # RAM that is never allocated
ABSENT = const(7)  # no RAM

# `state` is kind << STATE_KIND_SHIFT | order.
STATE_KIND_SHIFT = const(5)
ORDER_MASK = const(31)

# An entry as eight 32-bit words, and the fields of the words that hold several.
# Word 0: flags | order << ORDER_SHIFT | state << STATE_SHIFT, so the kind starts at
# KIND_SHIFT.
ORDER_SHIFT = const(16)
STATE_SHIFT = const(24)
KIND_SHIFT = const(29)
WORD_NEXT = const(1)
WORD_PREV = const(2)
# size_class | shared << 8 | rc << RC_SHIFT
WORD_RC = const(3)
SHARED_BIT = const(1 << 8)
SHARED_MASK = const(0xFF00)
RC_SHIFT = const(16)
WORD_LIST_LOW = const(4)
WORD_LIST_HIGH = const(5)
WORD_LOCK = const(6)
WORD_TAG = const(7)
# As bytes.
BYTE_STATE = const(3)
BYTE_SHARED = const(13)
LOCK_OFFSET = const(24)

RC_MAX = const(0xFFFF)
TAG_MAX = const(0xFFFFFFFF)

KIND_NAMES = (
    "tail",
    "free",
    "used",
    "part",
    "cached",
    "compound tail",
    "reserved",
    "absent",
)


class PageFrame:
    """The layout of an entry for `uctypes`; `PageFrame.at(virt)` maps one at a virtual address."""

    SIZE = ENTRY_SIZE

    LAYOUT = {
        "flags": 0 | uctypes.UINT16,
        "order": 2 | uctypes.UINT8,
        "state": 3 | uctypes.UINT8,
        "next": 4 | uctypes.UINT32,
        "prev": 8 | uctypes.UINT32,
        "size_class": 12 | uctypes.UINT8,
        "rc": 14 | uctypes.UINT16,
        "freelist_va": 16 | uctypes.UINT64,
        "lock": 24 | uctypes.UINT32,
        "tag": 28 | uctypes.UINT32,
    }

    @staticmethod
    def at(virt):
        """Return the entry at the virtual address `virt` as a `uctypes.struct`."""
        return uctypes.struct(virt, PageFrame.LAYOUT)


if uctypes.sizeof(PageFrame.LAYOUT) != ENTRY_SIZE:
    raise ValueError("PageFrame is {} bytes".format(uctypes.sizeof(PageFrame.LAYOUT)))


def state_of(kind, order=0):
    """Return the `state` byte of a block's head."""
    return kind << STATE_KIND_SHIFT | order


# First words of whole entries.
USED_WORD = state_of(USED) << STATE_SHIFT
SMALL_WORD = USED_WORD | PageFlags.SMALL
RESERVED_WORD = state_of(RESERVED) << STATE_SHIFT | PageFlags.RESERVED
ABSENT_WORD = state_of(ABSENT) << STATE_SHIFT | PageFlags.RESERVED
