// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Sorted lists of memory ranges.  One operation builds a memory map: giving a range a type.

#include "direct.h"

static uint64_t end_of(const struct limine_memmap_entry *entry) {
    return entry->base + entry->length;
}

static void insert(struct regions *list, size_t at, uint64_t base, uint64_t end, uint64_t type) {
    if (list->count == REGIONS_MAX) {
        die("the memory map needs more than %u entries", (uint64_t)REGIONS_MAX);
    }
    struct limine_memmap_entry *entry = &list->entry[at];
    memmove(entry + 1, entry, (list->count - at) * sizeof(*entry));
    *entry = (struct limine_memmap_entry) { base, end - base, type };
    ++list->count;
}

static void drop(struct regions *list, size_t at) {
    --list->count;
    memmove(&list->entry[at], &list->entry[at + 1], (list->count - at) * sizeof(list->entry[0]));
}

static void cut(struct regions *list, uint64_t base, uint64_t end) {
    for (size_t i = 0; i < list->count; ++i) {
        struct limine_memmap_entry *entry = &list->entry[i];
        uint64_t entry_end = end_of(entry);
        if (entry_end <= base || entry->base >= end) {
            continue;
        }
        if (entry->base < base) {
            entry->length = base - entry->base;
            if (entry_end > end) {
                insert(list, i + 1, end, entry_end, entry->type);
            }
        } else if (entry_end > end) {
            entry->base = end;
            entry->length = entry_end - end;
        } else {
            drop(list, i--);
        }
    }
}

static void merge_with_next(struct regions *list, size_t at) {
    if (at + 1 >= list->count) {
        return;
    }
    struct limine_memmap_entry *entry = &list->entry[at];
    if (entry->type == entry[1].type && end_of(entry) == entry[1].base) {
        entry->length += entry[1].length;
        drop(list, at + 1);
    }
}

void regions_mark(struct regions *list, uint64_t base, uint64_t end, uint64_t type) {
    if (base >= end) {
        return;
    }
    cut(list, base, end);
    size_t at = 0;
    while (at < list->count && list->entry[at].base < base) {
        ++at;
    }
    insert(list, at, base, end, type);
    merge_with_next(list, at);
    if (at) {
        merge_with_next(list, at - 1);
    }
}

void regions_trim_usable(struct regions *list) {
    for (size_t i = 0; i < list->count; ++i) {
        struct limine_memmap_entry *entry = &list->entry[i];
        if (entry->type != LIMINE_MEMMAP_USABLE) {
            continue;
        }
        uint64_t base = ALIGN_UP(entry->base, PAGE_SIZE);
        uint64_t end = ALIGN_DOWN(end_of(entry), PAGE_SIZE);
        if (base >= end) {
            drop(list, i--);
        } else {
            entry->base = base;
            entry->length = end - base;
        }
    }
}

const struct limine_memmap_entry *regions_at(const struct regions *list, uint64_t address) {
    for (size_t i = 0; i < list->count; ++i) {
        if (address - list->entry[i].base < list->entry[i].length) {
            return &list->entry[i];
        }
    }
    return NULL;
}

bool regions_are_usable(const struct regions *list, uint64_t base, uint64_t size) {
    const struct limine_memmap_entry *entry = regions_at(list, base);
    return entry && entry->type == LIMINE_MEMMAP_USABLE && size <= end_of(entry) - base;
}

// The part of a usable entry that lies in [low, high), when it can hold `size` bytes.
static bool room(const struct limine_memmap_entry *entry, uint64_t size, uint64_t low, uint64_t high, uint64_t *base,
    uint64_t *end) {
    *base = entry->base > low ? entry->base : low;
    *end = end_of(entry) < high ? end_of(entry) : high;
    return entry->type == LIMINE_MEMMAP_USABLE && *base < *end && *end - *base >= size;
}

bool regions_find_lowest(const struct regions *list, uint64_t size, uint64_t low, uint64_t high, uint64_t *base) {
    uint64_t end;
    for (size_t i = 0; i < list->count; ++i) {
        if (room(&list->entry[i], size, low, high, base, &end)) {
            return true;
        }
    }
    return false;
}

bool regions_find_highest(const struct regions *list, uint64_t size, uint64_t low, uint64_t high, uint64_t *base) {
    uint64_t end;
    for (size_t i = list->count; i-- > 0;) {
        if (room(&list->entry[i], size, low, high, base, &end)) {
            *base = end - size;
            return true;
        }
    }
    return false;
}
