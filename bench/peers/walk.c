// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Walks from head to head over blocks and runs, as a kernel would write them.

#include "peers.h"

// pfm/frame/entry.py
#define KIND_MASK 0xe0
#define KIND_CACHED 0x80
#define ORDER_MASK 31

static inline size_t length(const entry_t *entry) {
    if ((entry->state & KIND_MASK) == KIND_USED && entry->next != 0) {
        return entry->next;
    }
    return (size_t)1 << (entry->state & ORDER_MASK);
}

size_t walk_used(const entry_t *entries, size_t start, size_t end) {
    size_t used = 0;
    while (start < end) {
        size_t count = length(&entries[start]);
        if ((entries[start].state & KIND_MASK) == KIND_USED) {
            used += count;
        }
        start += count;
    }
    return used;
}

size_t walk_longest(const entry_t *entries, size_t start, size_t end) {
    size_t longest = 0;
    size_t begin = start;
    while (start < end) {
        unsigned kind = entries[start].state & KIND_MASK;
        start += length(&entries[start]);
        if (kind != KIND_FREE && kind != KIND_CACHED) {
            begin = start;
        } else if (start - begin > longest) {
            longest = start - begin;
        }
    }
    return longest;
}
