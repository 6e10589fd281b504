"""Memory maps that the tests share: (base, length, type) in bytes."""

from pfm.memmap import protocol

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40

# As QEMU's q35 has it with 6 GiB under BIOS: a hole below 4 GiB, and a reserved
# range just below 1 TiB.
Q35_6G = [
    (0x1000, 0x9EC00, protocol.USABLE),
    (0x9FC00, 0x400, protocol.RESERVED),
    (0xF0000, 0x10000, protocol.RESERVED),
    (0x100000, 0x7FC00000, protocol.USABLE),
    (0x7FD00000, 0x100000, protocol.EXECUTABLE_AND_MODULES),
    (0x7FE00000, 0x1DF000, protocol.BOOTLOADER_RECLAIMABLE),
    (0x7FFDF000, 0x21000, protocol.RESERVED),
    (0xB0000000, 0x10000000, protocol.RESERVED),
    (0xFED1C000, 0x4000, protocol.RESERVED),
    (0xFFFC0000, 0x40000, protocol.RESERVED),
    (0x100000000, 4 * GIB, protocol.USABLE),
    (0xFD00000000, 0x300000000, protocol.RESERVED),
]

SMALL_8M = [(0, 8 * MIB, protocol.USABLE)]

# All three zones in 56 MiB, with holes that end inside a granule and beyond one.
THREE_ZONES = [
    (0x1000, 4 * MIB, protocol.USABLE),
    (12 * MIB + 0x5000, 36 * MIB - 0x5000, protocol.USABLE),
    (48 * MIB, MIB, protocol.ACPI_NVS),
    (4 * GIB, 16 * MIB, protocol.USABLE),
]

# 5 MiB of the loader's memory in two zones, and 1 MiB of ACPI's.
RECLAIMABLE = [
    (0, 8 * MIB, protocol.USABLE),
    (8 * MIB, 3 * MIB, protocol.BOOTLOADER_RECLAIMABLE),
    (11 * MIB, 13 * MIB, protocol.USABLE),
    (24 * MIB, MIB, protocol.ACPI_RECLAIMABLE),
    (25 * MIB, 2 * MIB, protocol.ACPI_NVS),
    (4 * GIB, 2 * MIB, protocol.BOOTLOADER_RECLAIMABLE),
]


def frames(size):
    """Return how many frames `size` bytes are."""
    return size >> 12
