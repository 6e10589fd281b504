// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Whether two ways to do the same work have the same result.

#include "peers.h"

size_t peer_differs(const entry_t *entries, const entry_t *others, size_t count, unsigned mask) {
    size_t pfn = 0;
    while (pfn < count && ((entries[pfn].flags ^ others[pfn].flags) & mask) == 0) {
        ++pfn;
    }
    return pfn;
}
