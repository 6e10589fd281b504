// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What QEMU's -kernel hands over.  Multiboot Specification 0.6.96, section 3.3 "Boot information format".

#ifndef PFM_DIRECT_MULTIBOOT_H
#define PFM_DIRECT_MULTIBOOT_H

#include <stdint.h>

#define MULTIBOOT_BOOTLOADER_MAGIC 0x2badb002

enum {
    MULTIBOOT_INFO_CMDLINE = 1 << 2,
    MULTIBOOT_INFO_MODULES = 1 << 3,
    MULTIBOOT_INFO_MEMORY_MAP = 1 << 6,
};

struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper;
    uint32_t boot_device;
    uint32_t cmdline_phys;
    uint32_t mods_count, mods_phys;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_phys;
};

struct multiboot_module {
    uint32_t start_phys, end_phys;
    uint32_t string_phys;
    uint32_t reserved;
};

// `size` counts the bytes after itself; the next entry follows them.
struct multiboot_mmap_entry {
    uint32_t size;
    uint64_t base, length;
    uint32_t type;
} __attribute__((packed));

// Types of the firmware's map.  ACPI Specification 6.5, table 15.4 "Address Range Types".
enum {
    E820_USABLE = 1,
    E820_RESERVED = 2,
    E820_ACPI_RECLAIMABLE = 3,
    E820_ACPI_NVS = 4,
    E820_BAD = 5,
};

#endif // PFM_DIRECT_MULTIBOOT_H
