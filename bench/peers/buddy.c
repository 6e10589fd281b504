// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A textbook buddy allocator (Knuth, volume 1, 2.5, algorithms R and S), on the frame
// manager's entries: doubly linked free lists, a bit for each list that is not empty, no locks
// and no checks of arguments.

#include <string.h>

#include "peers.h"

// pfm/alloc/zone.py
#define ORDER_MAX 18

struct buddy {
    entry_t *entries;
    uint32_t start;
    uint32_t end;
    // Bit n is set while the list of order n has a block.
    uint32_t orders;
    // Frame 0 is never freed, so 0 ends a list.
    uint32_t head[ORDER_MAX + 1];
    uint32_t blocks[ORDER_MAX + 1];
};

static inline void push(buddy_t *buddy, uint32_t pfn, unsigned order) {
    entry_t *entry = &buddy->entries[pfn];
    uint32_t first = buddy->head[order];
    entry->flags = 0;
    entry->order = (uint8_t)order;
    entry->state = (uint8_t)(KIND_FREE | order);
    entry->next = first;
    entry->prev = 0;
    if (first != 0) {
        buddy->entries[first].prev = pfn;
    }
    buddy->head[order] = pfn;
    ++buddy->blocks[order];
    buddy->orders |= 1u << order;
}

static inline void detach(buddy_t *buddy, uint32_t pfn, unsigned order) {
    entry_t *entry = &buddy->entries[pfn];
    if (entry->next != 0) {
        buddy->entries[entry->next].prev = entry->prev;
    }
    if (entry->prev != 0) {
        buddy->entries[entry->prev].next = entry->next;
    } else {
        buddy->head[order] = entry->next;
        if (entry->next == 0) {
            buddy->orders &= ~(1u << order);
        }
    }
    --buddy->blocks[order];
    entry->state = KIND_TAIL;
}

static inline uint32_t take(buddy_t *buddy, unsigned order) {
    uint32_t orders = buddy->orders >> order;
    if (orders == 0) {
        return 0;
    }
    unsigned found = order + (unsigned)__builtin_ctz(orders);
    uint32_t pfn = buddy->head[found];
    detach(buddy, pfn, found);
    while (found > order) {
        --found;
        push(buddy, pfn + (1u << found), found);
    }
    entry_t *entry = &buddy->entries[pfn];
    entry->flags = order == 0 ? FLAG_SMALL : 0;
    entry->order = (uint8_t)order;
    entry->state = (uint8_t)(KIND_USED | order);
    entry->rc = 1;
    return pfn;
}

static inline void give(buddy_t *buddy, uint32_t pfn, unsigned order) {
    buddy->entries[pfn].state = KIND_TAIL;
    buddy->entries[pfn].rc = 0;
    while (order < ORDER_MAX) {
        uint32_t other = pfn ^ (1u << order);
        if (other < buddy->start || other + (1u << order) > buddy->end
            || buddy->entries[other].state != (KIND_FREE | order)) {
            break;
        }
        detach(buddy, other, order);
        pfn &= other;
        ++order;
    }
    push(buddy, pfn, order);
}

size_t buddy_size(void) {
    return sizeof(buddy_t);
}

void buddy_open(buddy_t *buddy, entry_t *entries, size_t start, size_t end) {
    memset(buddy, 0, sizeof(*buddy));
    buddy->entries = entries;
    buddy->start = (uint32_t)start;
    buddy->end = (uint32_t)end;
    uint32_t pfn = buddy->start;
    while (pfn < buddy->end) {
        unsigned order = 0;
        while (order < ORDER_MAX && (pfn & ((2u << order) - 1)) == 0 && pfn + (2u << order) <= buddy->end) {
            ++order;
        }
        give(buddy, pfn, order);
        pfn += 1u << order;
    }
}

size_t buddy_alloc(buddy_t *buddy, unsigned order) {
    return take(buddy, order);
}

void buddy_free(buddy_t *buddy, size_t pfn) {
    give(buddy, (uint32_t)pfn, buddy->entries[pfn].order);
}

size_t buddy_blocks(const buddy_t *buddy, unsigned order) {
    return buddy->blocks[order];
}

void buddy_pairs(buddy_t *buddy, unsigned order, size_t times) {
    for (size_t i = 0; i < times; ++i) {
        buddy_free(buddy, take(buddy, order));
    }
}

void buddy_many(buddy_t *buddy, uint32_t *frames, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        frames[i] = take(buddy, 0);
    }
    for (size_t i = 0; i < count; ++i) {
        buddy_free(buddy, frames[i]);
    }
}
