// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Flags changed and counted by plain C: no locks, no checks.

#include "peers.h"

#define BITS 64

void peer_set_range(entry_t *entries, size_t start, size_t end, unsigned flags) {
    for (size_t pfn = start; pfn < end; ++pfn) {
        entries[pfn].flags |= (uint16_t)flags;
    }
    MEMORY_IS_USED();
}

void peer_clear_range(entry_t *entries, size_t start, size_t end, unsigned flags) {
    for (size_t pfn = start; pfn < end; ++pfn) {
        entries[pfn].flags &= (uint16_t) ~flags;
    }
    MEMORY_IS_USED();
}

void peer_set_many(entry_t *entries, const uint32_t *frames, size_t count, unsigned flags) {
    for (size_t i = 0; i < count; ++i) {
        entries[frames[i]].flags |= (uint16_t)flags;
    }
    MEMORY_IS_USED();
}

void peer_clear_many(entry_t *entries, const uint32_t *frames, size_t count, unsigned flags) {
    for (size_t i = 0; i < count; ++i) {
        entries[frames[i]].flags &= (uint16_t) ~flags;
    }
    MEMORY_IS_USED();
}

// Sets and clears alternately, `times` operations in total.
void peer_flip_one(entry_t *entries, size_t pfn, unsigned flags, size_t times) {
    for (size_t i = 0; i < times; i += 2) {
        entries[pfn].flags |= (uint16_t)flags;
        MEMORY_IS_USED();
        entries[pfn].flags &= (uint16_t) ~flags;
        MEMORY_IS_USED();
    }
}

size_t peer_count_entries(const entry_t *entries, size_t count, unsigned flags) {
    size_t found = 0;
    for (size_t pfn = 0; pfn < count; ++pfn) {
        found += (entries[pfn].flags & flags) == flags;
    }
    return found;
}

void peer_bitmap_fill(uint64_t *bitmap, const entry_t *entries, size_t count, unsigned flags) {
    for (size_t first = 0; first < count; first += BITS) {
        uint64_t word = 0;
        for (size_t i = 0; i < BITS && first + i < count; ++i) {
            word |= (uint64_t)((entries[first + i].flags & flags) == flags) << i;
        }
        bitmap[first / BITS] = word;
    }
}

// `count` is a multiple of 64.
__attribute__((target("popcnt")))
size_t peer_bitmap_count(const uint64_t *bitmap, size_t count) {
    size_t found = 0;
    for (size_t i = 0; i < count / BITS; ++i) {
        found += (size_t)__builtin_popcountll(bitmap[i]);
    }
    return found;
}
