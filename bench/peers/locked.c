// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What one locked instruction costs on a line in the processor's own cache.

#include <stdbool.h>

#include "peers.h"

void peer_exchange(uint32_t *word, size_t times) {
    uint32_t value = *word;
    for (size_t i = 0; i < times; ++i) {
        __atomic_compare_exchange_n(word, &value, value + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        ++value;
    }
}
