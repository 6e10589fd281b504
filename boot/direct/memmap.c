// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Three memory maps: the firmware's, the one served to the kernel, and the ranges that the HHDM covers.

#include "direct.h"

// Below lies what real mode and the firmware use; nothing is placed there unless an option says so.
#define PLACEMENT_LOWEST (1 * MIB)

static uint64_t type_of_firmware(uint32_t type) {
    switch (type) {
        case E820_USABLE:
            return LIMINE_MEMMAP_USABLE;
        case E820_ACPI_RECLAIMABLE:
            return LIMINE_MEMMAP_ACPI_RECLAIMABLE;
        case E820_ACPI_NVS:
            return LIMINE_MEMMAP_ACPI_NVS;
        case E820_BAD:
            return LIMINE_MEMMAP_BAD_MEMORY;
        default:
            return LIMINE_MEMMAP_RESERVED;
    }
}

// The end of a range, at most UINT64_MAX.
static uint64_t range_end(uint64_t base, uint64_t length) {
    return length > UINT64_MAX - base ? UINT64_MAX : base + length;
}

static void mark_firmware(struct regions *map, const struct multiboot_info *info, bool usable) {
    uint64_t at = info->mmap_phys, end = at + info->mmap_length;
    while (at + sizeof(struct multiboot_mmap_entry) <= end) {
        const struct multiboot_mmap_entry *entry = (const void *)at;
        if ((entry->type == E820_USABLE) == usable) {
            regions_mark(map, entry->base, range_end(entry->base, entry->length), type_of_firmware(entry->type));
        }
        at += entry->size + sizeof(entry->size);
    }
}

void memmap_read(struct regions *map, const struct multiboot_info *info, uint64_t revision) {
    if (!(info->flags & MULTIBOOT_INFO_MEMORY_MAP)) {
        die("the firmware gave no memory map");
    }
    // Usable memory first, so that any other type of the same range overrides it.
    mark_firmware(map, info, true);
    mark_firmware(map, info, false);
    if (revision < 3) {
        // "For base revisions <= 2, memory between 0 and 0x1000 is never marked as usable memory."
        regions_mark(map, 0, PAGE_SIZE, LIMINE_MEMMAP_RESERVED);
    }
    regions_trim_usable(map);
}

uint64_t memmap_place(struct regions *map, const struct placement *where, uint64_t size, uint64_t type) {
    uint64_t base = where->base_phys;
    bool found;
    size = ALIGN_UP(size, PAGE_SIZE);
    switch (where->kind) {
        case PLACE_AT:
            found = regions_are_usable(map, base, size);
            break;
        case PLACE_TOP:
            found = regions_find_highest(map, size, PLACEMENT_LOWEST, UINT64_MAX, &base);
            break;
        default:
            found = regions_find_lowest(map, size, PLACEMENT_LOWEST, UINT64_MAX, &base);
            break;
    }
    if (!found) {
        if (where->kind == PLACE_AT) {
            die("%s=%x: the %u KiB there are not usable memory", where->option, base, size / KIB);
        }
        die("no room for the %s, %u KiB", where->option, size / KIB);
    }
    regions_mark(map, base, base + size, type);
    return base;
}

// xorshift64*: a fixed sequence for each seed, so that a shuffled boot can be repeated.
static uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1d;
}

static void shuffle(struct regions *list, uint64_t seed) {
    uint64_t state = seed * 2 + 1; // never zero
    for (size_t i = list->count; i > 1; --i) {
        size_t j = (next_random(&state) >> 32) % i;
        struct limine_memmap_entry entry = list->entry[j];
        list->entry[j] = list->entry[i - 1];
        list->entry[i - 1] = entry;
    }
}

void memmap_serve(struct regions *served, const struct regions *map, const struct options *options) {
    served->count = 0;
    if (!options->replace_map) {
        *served = *map;
    }
    for (size_t i = 0; i < options->marks->count; ++i) {
        const struct limine_memmap_entry *mark = &options->marks->entry[i];
        regions_mark(served, mark->base, mark->base + mark->length, mark->type);
    }
    if (served->count + options->map->count > SERVED_ENTRIES_MAX) {
        die("the served memory map has %u entries, more than %u", served->count + options->map->count,
            (uint64_t)SERVED_ENTRIES_MAX);
    }
    for (size_t i = 0; i < options->map->count; ++i) {
        served->entry[served->count++] = options->map->entry[i];
    }
    if (options->shuffle) {
        shuffle(served, options->shuffle_seed);
    }
}

// "Memory Layout at Entry": which types the HHDM maps, above 4 GiB before revision 3 and everywhere from then on.
static bool is_mapped(uint64_t type, uint64_t revision) {
    switch (type) {
        case LIMINE_MEMMAP_USABLE:
        case LIMINE_MEMMAP_BOOTLOADER_RECLAIMABLE:
        case LIMINE_MEMMAP_EXECUTABLE_AND_MODULES:
        case LIMINE_MEMMAP_FRAMEBUFFER:
            return true;
        case LIMINE_MEMMAP_ACPI_RECLAIMABLE:
        case LIMINE_MEMMAP_ACPI_NVS:
        case LIMINE_MEMMAP_RESERVED_MAPPED:
            return revision != 3;
        default:
            return false;
    }
}

static void cover(struct regions *coverage, const struct regions *map, uint64_t revision) {
    uint64_t limit = physical_address_limit();
    for (size_t i = 0; i < map->count; ++i) {
        const struct limine_memmap_entry *entry = &map->entry[i];
        if (!is_mapped(entry->type, revision) || entry->base >= limit || !entry->length) {
            continue;
        }
        uint64_t end = range_end(entry->base, entry->length);
        end = end < limit ? end : limit;
        // Two types are enough here: one for each memory type.
        uint64_t type = entry->type == LIMINE_MEMMAP_FRAMEBUFFER ? LIMINE_MEMMAP_FRAMEBUFFER : LIMINE_MEMMAP_USABLE;
        regions_mark(coverage, ALIGN_DOWN(entry->base, PAGE_SIZE), ALIGN_UP(end, PAGE_SIZE), type);
    }
}

void memmap_coverage(struct regions *coverage, const struct regions *map, const struct regions *served,
    uint64_t revision) {
    if (revision < 3) {
        regions_mark(coverage, 0, 4 * GIB, LIMINE_MEMMAP_USABLE);
    }
    cover(coverage, map, revision);
    cover(coverage, served, revision);
}
