# SPDX-License-Identifier: MIT OR Apache-2.0
"""`help(PFM)`: the calls of a frame manager by group, and its values.

Byte code keeps neither signatures nor docstrings, so the table has them;
tests/host/test_help.py compares it with the sources of `pfm` and with docs/api.md.
"""

import builtins

from pfm import PageFrameManager

# (group, ((signature, what it does where the line has room for it), ...)), ...
CALLS = (
    (
        "Starting",
        (
            ("init(machine=None, debug=False, processors=1)", "open the allocator"),
            ("reclaim(acpi=False)", "take the loader's memory, too"),
            ("save(state_virt)", "prepare for a soft reset"),
            ("resume(state_virt, lasting, machine=None)", "go on after it"),
        ),
    ),
    (
        "Flags and entries",
        (
            ("set_flags(pfn, flags)", "set bits of PageFlags for a frame"),
            ("clear_flags(pfn, flags)", "clear them"),
            ("check_flags(pfn, flags)", "are all of them set?"),
            ("set_flags_range(pfn, count, flags)", "the same for frames in a row"),
            ("clear_flags_range(pfn, count, flags)", ""),
            ("set_flags_many(frames, flags)", "the same for an array('I') of frames"),
            ("clear_flags_many(frames, flags)", ""),
            ("count_flags(flags)", "how many frames have all of them"),
            ("get(pfn)", "lock a frame's entry, for a with block"),
            ("unlock(pfn)", "release the lock of a lost guard"),
            ("min()", "the lowest frame with RAM"),
            ("max()", "the highest"),
            ("present(pfn)", "is there RAM?"),
        ),
    ),
    (
        "Addresses",
        (
            ("as_virt(phys)", "where a physical address is mapped"),
            ("as_phys(virt)", "the reverse"),
            ("memory(pfn, count=1)", "the bytes of frames, to read and write"),
        ),
    ),
    (
        "Allocating",
        (
            ("alloc(order=0, zone=None, zero=False, tag=0, compound=False)", "2^order"),
            ("alloc_contiguous(count, align=1, zone=None, below=None, zero=False, tag=0)", ""),
            ("alloc_at(pfn, count=1, zero=False, tag=0)", "exactly these frames"),
            ("alloc_many(frames, zone=None, tag=0)", "single frames, as an array('I')"),
            ("free(pfn)", "free a block or run by its first frame"),
            ("free_many(frames)", "free single frames"),
            ("ref(pfn)", "add a reference; return their number"),
            ("unref(pfn)", "drop one; the last frees the block"),
            ("count_refs(pfn)", "how many references there are"),
            ("drain()", "give cached frames back to the lists"),
        ),
    ),
    (
        "Objects",
        (
            ("malloc(size, tag=0)", "bytes of memory, by their address"),
            ("mfree(virt)", "give them back"),
        ),
    ),
    (
        "Reports",
        (
            ("meminfo()", "frames by zone and use"),
            ("buddyinfo()", "free blocks by zone and order"),
            ("memmap()", "regions of the memory map"),
            ("page_types()", "frames by kind and flags"),
            ("flag_ranges(flags)", "ranges of frames that have these flags"),
            ("identify(addr)", "what is at an address"),
            ("chart()", "all memory in characters"),
            ("slabinfo()", "objects by size"),
            ("count_free()", "free frames in DMA, DMA32, NORMAL"),
            ("count_present()", "frames with RAM"),
            ("describe(pfn)", "what a frame is, in words"),
            ("check()", "verify every invariant"),
        ),
    ),
    (
        "Questions",
        (
            ("blocks(kind=None, zone=None, tag=None)", "the blocks, one by one"),
            ("largest_free(zone=None)", "the longest range of free frames"),
            ("fragmentation(order)", "how far free memory is in pieces"),
            ("owners()", "frames by tag"),
            ("call_sites(tag=None)", "frames by the line that allocated"),
            ("snapshot()", "all allocations; subtract two"),
            ("leaks()", "what a with block leaves allocated"),
            ("record(samples=SAMPLES)", "free memory over time"),
        ),
    ),
)

# The public attributes, whose values are shown.
VALUES = (
    "initialised",
    "init_us",
    "debug",
    "fast_path",
    "hhdm",
    "space",
    "array",
    "regions",
    "log",
)


def _value(value):
    if isinstance(value, (list, tuple)):
        return "{} of them".format(len(value))
    if type(value) is int and value >> 32:
        return hex(value)
    return repr(value)


def print_help(manager):
    """Print the calls of `manager`, a line each, and its values."""
    print(repr(manager))
    for group, calls in CALLS:
        print("\n{}:".format(group))
        for signature, text in calls:
            print("  {:<36}  {}".format(signature, text).rstrip())
    print("\nValues:")
    for name in VALUES:
        print("  {:<12} {}".format(name, _value(getattr(manager, name))))
    print("\ndocs/api.md has units, errors and costs.")


def install():
    """Make the builtin `help` print this for a frame manager, and upstream's for the rest."""
    upstream = builtins.help

    def help(*args):
        if len(args) == 1 and isinstance(args[0], PageFrameManager):
            print_help(args[0])
        else:
            upstream(*args)

    builtins.help = help
