"""Rows of init: all of it, against fills of the same array and the algorithm of faces-pfm."""

from array import array

import uctypes

from pfm.frame.entry import ABSENT_WORD, ENTRY_SIZE, RESERVED_WORD
from pfm.memmap.regions import FRAME_ARRAY
from pfm.testing import ffi

from .agree import agree
from .cpeers import peers
from .fakes import SHARED_MIN, lazy_machine, machine, memory
from .measure import compare

_FLAGS = 0xFFFF
_REFERENCE_SIZE = 64

# 64 GiB, 256 GiB, 1 TiB.
_LARGE = (1 << 24, 1 << 26, 1 << 28)


def _spans(regions, frames):
    """Return the first word of each frame's entry after init, as the C type span_t."""
    spans = array("I")
    at = 0
    for region in regions:
        if region.present:
            if region.start > at:
                spans.extend(array("I", (at, region.start, ABSENT_WORD, 0)))
            word = 0 if region.usable else RESERVED_WORD
            spans.extend(array("I", (region.start, region.end, word, 0)))
            at = region.end
    if frames > at:
        spans.extend(array("I", (at, frames, ABSENT_WORD, 0)))
    return spans


def _usable(regions):
    """Return the memory map's usable frames as span_t, and the array's region in them."""
    spans = array("I")
    own = None
    for region in regions:
        if region.usable or region.type == FRAME_ARRAY:
            spans.extend(array("I", (region.start, region.end, 0, 0)))
        if region.type == FRAME_ARRAY:
            own = region
    return spans, own


def inits(frames):
    """Return the rows of init for a machine of `frames` frames."""
    plain = machine(frames)
    scratch = memory(frames * _REFERENCE_SIZE)
    manager = plain.boot()
    base = manager.array.base
    spans = _spans(manager.regions, frames)
    usable, own = _usable(manager.regions)
    spans_virt = uctypes.addressof(spans)
    usable_virt = uctypes.addressof(usable)

    def fill(entries):
        peers.peer_fill(entries, spans_virt, len(spans) // 4)

    def reference():
        peers.reference_init(
            scratch.virt, frames, usable_virt, len(usable) // 4, own.start, own.end
        )

    fill(scratch.virt)
    agree("init", "C loop", peers.peer_differs(base, scratch.virt, frames, _FLAGS), frames)
    peers.peer_memset(scratch.virt, frames * _REFERENCE_SIZE)
    reference()
    agree("init", "reference", peers.reference_differs(scratch.virt, base, frames, _FLAGS), frames)
    # The C loop runs before the jobs that are compared and write the same array, so that all
    # of these find it in the caches, as far as it fits.
    jobs = [
        ("C reference", reference),
        ("C loop", lambda: fill(base)),
        ("pfm, every entry written", plain.boot),
        ("C memset", lambda: peers.peer_memset(base, frames * ENTRY_SIZE)),
    ]
    used = [plain, scratch]
    after = {}
    if ffi:
        shared = lazy_machine(frames)
        used.append(shared)
        jobs.append(("pfm, pages shared", shared.boot))
        after["pfm, pages shared"] = shared.memory.forget
        if frames >= SHARED_MIN:
            jobs.append(("pfm", shared.boot))
            after["pfm"] = shared.memory.forget
        else:
            jobs.append(("pfm", plain.boot))
    rows = compare("init", frames, "frame", frames, jobs, after=after)
    for one in used:
        one.close()
    return rows


def large_inits():
    """Return the rows of init on machines up to 1 TiB, where the host can fake them."""
    rows = []
    if ffi:
        for frames in _LARGE:
            with lazy_machine(frames) as lazy:
                after = {"pfm": lazy.memory.forget}
                job = ("pfm", lazy.boot)
                rows += compare("init of a large machine", frames, "init", 1, [job], after=after)
    return rows
