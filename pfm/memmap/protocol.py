"""Layouts of the Limine boot protocol's responses, for `uctypes`.

Source: the Limine boot protocol, base revisions 0 to 6.  Every pointer in a response is
already a virtual address in the HHDM.
"""

import uctypes
from micropython import const

# Feature "Memory Map": types of an entry.
USABLE = const(0)
RESERVED = const(1)
ACPI_RECLAIMABLE = const(2)
ACPI_NVS = const(3)
BAD_MEMORY = const(4)
BOOTLOADER_RECLAIMABLE = const(5)
EXECUTABLE_AND_MODULES = const(6)
FRAMEBUFFER = const(7)
RESERVED_MAPPED = const(8)

TYPE_NAMES = (
    "usable",
    "reserved",
    "ACPI reclaimable",
    "ACPI NVS",
    "bad memory",
    "bootloader reclaimable",
    "executable and modules",
    "framebuffer",
    "reserved (mapped)",
)

# The loaders' own limit; a larger count is garbage.
ENTRIES_MAX = const(1024)

# A request in the executable.
REQUEST = {
    "id": (0 | uctypes.ARRAY, 4 | uctypes.UINT64),
    "revision": 32 | uctypes.UINT64,
    "response": 40 | uctypes.UINT64,
}

MEMMAP_ENTRY = {
    "base": 0 | uctypes.UINT64,
    "length": 8 | uctypes.UINT64,
    "type": 16 | uctypes.UINT64,
}

MEMMAP_RESPONSE = {
    "revision": 0 | uctypes.UINT64,
    "entry_count": 8 | uctypes.UINT64,
    "entries": 16 | uctypes.UINT64,
}

# One element of the array of pointers that `entries` points to.
MEMMAP_POINTER = {
    "value": 0 | uctypes.UINT64,
    "entry": (0 | uctypes.PTR, MEMMAP_ENTRY),
}

HHDM_RESPONSE = {
    "revision": 0 | uctypes.UINT64,
    "offset": 8 | uctypes.UINT64,
}

BOOTLOADER_INFO_RESPONSE = {
    "revision": 0 | uctypes.UINT64,
    "name": 8 | uctypes.UINT64,
    "version": 16 | uctypes.UINT64,
}

FIRMWARE_TYPE_RESPONSE = {
    "revision": 0 | uctypes.UINT64,
    "firmware_type": 8 | uctypes.UINT64,
}

# Feature "Firmware Type".
FIRMWARE_NAMES = ("BIOS", "UEFI (32 bits)", "UEFI", "SBI")

EXECUTABLE_ADDRESS_RESPONSE = {
    "revision": 0 | uctypes.UINT64,
    "physical_base": 8 | uctypes.UINT64,
    "virtual_base": 16 | uctypes.UINT64,
}

EXECUTABLE_FILE_RESPONSE = {
    "revision": 0 | uctypes.UINT64,
    "file": 8 | uctypes.UINT64,
}

# Feature "Module"; `modules` points to as many pointers to files.
MODULE_RESPONSE = {
    "revision": 0 | uctypes.UINT64,
    "count": 8 | uctypes.UINT64,
    "modules": 16 | uctypes.UINT64,
}

FRAMEBUFFER_RESPONSE = {
    "revision": 0 | uctypes.UINT64,
    "framebuffer_count": 8 | uctypes.UINT64,
    "framebuffers": 16 | uctypes.UINT64,
}

# Feature "Framebuffer": what `framebuffers` points to pointers to.  Sides are in pixels, `pitch`
# and `edid_size` in bytes, `bpp` and masks in bits.
FRAMEBUFFER_STRUCT = {
    "address": 0 | uctypes.UINT64,
    "width": 8 | uctypes.UINT64,
    "height": 16 | uctypes.UINT64,
    "pitch": 24 | uctypes.UINT64,
    "bpp": 32 | uctypes.UINT16,
    "memory_model": 34 | uctypes.UINT8,
    "red_mask_size": 35 | uctypes.UINT8,
    "red_mask_shift": 36 | uctypes.UINT8,
    "green_mask_size": 37 | uctypes.UINT8,
    "green_mask_shift": 38 | uctypes.UINT8,
    "blue_mask_size": 39 | uctypes.UINT8,
    "blue_mask_shift": 40 | uctypes.UINT8,
    "edid_size": 48 | uctypes.UINT64,
    "edid": 56 | uctypes.UINT64,
}

# "File Structure", its first fields; `string` is the command line.
FILE = {
    "revision": 0 | uctypes.UINT64,
    "address": 8 | uctypes.UINT64,
    "size": 16 | uctypes.UINT64,
    "path": 24 | uctypes.UINT64,
    "string": 32 | uctypes.UINT64,
}

# Limits the read of a string without a NUL.
_STRING_MAX = const(4096)


def string_at(virt):
    """Return the NUL-terminated string at the virtual address `virt`, `""` for a null pointer.

    Reads at most 4,096 bytes and replaces any that is not printable ASCII by `?`.
    """
    if not virt:
        return ""
    chars = []
    while len(chars) < _STRING_MAX:
        byte = uctypes.bytes_at(virt + len(chars), 1)[0]
        if not byte:
            break
        chars.append(chr(byte) if 32 <= byte < 127 else "?")
    return "".join(chars)


def type_name(kind):
    """Return the protocol's name of a memory map type, or the number of an unknown one."""
    if 0 <= kind < len(TYPE_NAMES):
        return TYPE_NAMES[kind]
    return "unknown type {}".format(kind)
