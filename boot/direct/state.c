// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Memory that stays in use after the loader has ended: page tables, stack, GDT, responses and their strings.  It is
// allocated downward, page by page, from the end of one range of usable memory, so that it becomes one
// bootloader-reclaimable range.

#include "direct.h"

// Free memory that is required below the end chosen; most of it is for page tables without 1 GiB pages.
#define ROOM_LEAST (1 * MIB)

static uint64_t floor_phys, top_phys, low_phys;
static uint64_t object_page_phys, object_used = PAGE_SIZE;

void state_open(const struct regions *map, const struct placement *where) {
    uint64_t size = ROOM_LEAST, base = where->base_phys;
    if (where->kind == PLACE_AT) {
        if (base > IDENTITY_END - size || !regions_are_usable(map, base, size)) {
            die("state=%x: the %u KiB there are not usable memory below 4 GiB", base, size / KIB);
        }
        top_phys = base + size;
    } else {
        if (!regions_find_highest(map, size, MIB, IDENTITY_END, &base)) {
            die("no room for the loader's state, %u KiB", size / KIB);
        }
        top_phys = base + size;
        base = regions_at(map, base)->base;
    }
    floor_phys = base;
    low_phys = top_phys;
}

void *state_pages(uint64_t size) {
    uint64_t left = low_phys - floor_phys;
    if (size > left) {
        die("no room for the loader's state: %u KiB wanted, %u KiB left", size / KIB, left / KIB);
    }
    size = ALIGN_UP(size, PAGE_SIZE);
    low_phys -= size;
    return memset((void *)low_phys, 0, size);
}

void *state_object(uint64_t size) {
    if (size > PAGE_SIZE / 2) {
        return state_pages(size);
    }
    size = ALIGN_UP(size, 16);
    if (size > PAGE_SIZE - object_used) {
        object_page_phys = (uint64_t)state_pages(PAGE_SIZE);
        object_used = 0;
    }
    void *object = (void *)(object_page_phys + object_used);
    object_used += size;
    return object;
}

uint64_t state_string(const char *s) {
    size_t size = string_length(s) + 1;
    return hhdm(memcpy(state_object(size), s, size));
}

void state_close(struct regions *map) {
    regions_mark(map, low_phys, top_phys, LIMINE_MEMMAP_BOOTLOADER_RECLAIMABLE);
    floor_phys = low_phys;
}
