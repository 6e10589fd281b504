// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What is left of init once the kind of every frame is known: a fill.

#include <string.h>

#include "peers.h"

void peer_memset(void *dest, size_t size) {
    memset(dest, 0, size);
    MEMORY_IS_USED();
}

void peer_fill(entry_t *entries, const span_t *spans, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        entry_t value = {
            .flags = (uint16_t)spans[i].word,
            .order = (uint8_t)(spans[i].word >> 16),
            .state = (uint8_t)(spans[i].word >> 24),
        };
        for (size_t pfn = spans[i].start; pfn < spans[i].end; ++pfn) {
            entries[pfn] = value;
        }
    }
    MEMORY_IS_USED();
}
