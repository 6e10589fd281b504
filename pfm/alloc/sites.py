"""Call sites: which line of Python allocated a block, noted in debug mode on the kernel.

A side array has eight bytes for each frame, of which the first frame of a block or run uses
its own: 1/512 of memory, frames of the manager itself with the tag "site".  A call site is a
number, valid until the next soft reset.
Source: Linux, mm/page_owner.c.
"""

import micropython
from micropython import const

from ..address import PAGE_SHIFT, PAGE_SIZE
from ..errors import OutOfFramesError

try:
    # The innermost running function of bytecode, and its text.
    from kernel import call_place, call_site
except ImportError:
    # The unix port does not say what runs.
    call_place = call_site = None

TAG = "site"

_SITE_SHIFT = const(3)


def open_sites(manager):
    """Return the signed address of a side array for the manager's frames, 0 without one.

    There is none where what runs is not known, and where memory is short.
    """
    if call_site is None:
        return 0
    frames = ((manager._last + 1 << _SITE_SHIFT) + PAGE_SIZE - 1) >> PAGE_SHIFT
    try:
        pfn = manager.alloc_contiguous(frames, zero=True, tag=TAG)
    except OutOfFramesError as error:
        manager.log.warning("no call sites: {}", error)
        return 0
    return manager._hhdm + (pfn << PAGE_SHIFT)


@micropython.viper
def note(sites: int, pfn: int, site: int):
    """Note who allocated the block or run at `pfn`."""
    word = ptr32(sites + (pfn << _SITE_SHIFT))
    word[0] = site
    word[1] = site >> 32


@micropython.viper
def note_many(sites: int, element: int, end: int, site: int):
    """Note who allocated each frame of the array elements from the address `element` to `end`."""
    while element < end:
        note(sites, int(ptr32(element)[0]), site)
        element += 4


@micropython.viper
def site_of(sites: int, pfn: int) -> int:
    """Return who allocated the block or run at `pfn`, 0 if nobody was noted."""
    word = ptr32(sites + (pfn << _SITE_SHIFT))
    return int(word[0]) | int(word[1]) << 32


def site_text(site):
    """Return a call site as `"file:line in function"`, `"-"` for none."""
    return "{}:{} in {}".format(*call_place(site)) if site else "-"
