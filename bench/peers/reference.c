// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The algorithm of faces-pfm: each frame's entry is behind a spinlock of its own, 64 bytes in
// all, and init takes every lock three times: for the default entry, for RESERVED on every
// frame, and to clear it on the usable ones.

#include <stdatomic.h>
#include <stdbool.h>

#include "peers.h"

struct frame {
    atomic_bool lock;
    _Alignas(32) entry_t entry;
};

_Static_assert(sizeof(frame_t) == 64, "a frame is 64 bytes");

static inline entry_t *lock(frame_t *frame) {
    bool free = false;
    while (!atomic_compare_exchange_weak_explicit(&frame->lock, &free, true,
        memory_order_acquire, memory_order_relaxed)) {
        free = false;
        __builtin_ia32_pause();
    }
    return &frame->entry;
}

static inline void unlock(frame_t *frame) {
    atomic_store_explicit(&frame->lock, false, memory_order_release);
}

static inline void set_flags(frame_t *frame, unsigned flags) {
    lock(frame)->flags |= (uint16_t)flags;
    unlock(frame);
}

static inline void clear_flags(frame_t *frame, unsigned flags) {
    lock(frame)->flags &= (uint16_t) ~flags;
    unlock(frame);
}

static inline bool check_flags(frame_t *frame, unsigned flags) {
    bool result = (lock(frame)->flags & flags) == flags;
    unlock(frame);
    return result;
}

void reference_init(frame_t *frames, size_t count, const span_t *usable, size_t spans,
    size_t own_start, size_t own_end) {
    for (size_t pfn = 0; pfn < count; ++pfn) {
        *lock(&frames[pfn]) = (entry_t) { 0 };
        unlock(&frames[pfn]);
    }
    reference_set_range(frames, 0, count, FLAG_RESERVED);
    for (size_t i = 0; i < spans; ++i) {
        reference_clear_range(frames, usable[i].start, usable[i].end, FLAG_RESERVED);
    }
    reference_set_range(frames, own_start, own_end, FLAG_RESERVED);
}

void reference_set_range(frame_t *frames, size_t start, size_t end, unsigned flags) {
    for (size_t pfn = start; pfn < end; ++pfn) {
        set_flags(&frames[pfn], flags);
    }
}

void reference_clear_range(frame_t *frames, size_t start, size_t end, unsigned flags) {
    for (size_t pfn = start; pfn < end; ++pfn) {
        clear_flags(&frames[pfn], flags);
    }
}

void reference_set_many(frame_t *frames, const uint32_t *pfns, size_t count, unsigned flags) {
    for (size_t i = 0; i < count; ++i) {
        set_flags(&frames[pfns[i]], flags);
    }
}

void reference_clear_many(frame_t *frames, const uint32_t *pfns, size_t count, unsigned flags) {
    for (size_t i = 0; i < count; ++i) {
        clear_flags(&frames[pfns[i]], flags);
    }
}

void reference_flip_one(frame_t *frames, size_t pfn, unsigned flags, size_t times) {
    for (size_t i = 0; i < times; i += 2) {
        set_flags(&frames[pfn], flags);
        clear_flags(&frames[pfn], flags);
    }
}

void reference_write_five(frame_t *frames, size_t pfn, size_t times) {
    for (size_t i = 0; i < times; ++i) {
        entry_t *entry = lock(&frames[pfn]);
        entry->size_class = 1;
        entry->tag = 2;
        entry->next = 0;
        entry->prev = 0;
        entry->rc = 1;
        unlock(&frames[pfn]);
    }
}

size_t reference_count(frame_t *frames, size_t count, unsigned flags) {
    size_t found = 0;
    for (size_t pfn = 0; pfn < count; ++pfn) {
        found += check_flags(&frames[pfn], flags);
    }
    return found;
}

size_t reference_differs(frame_t *frames, const entry_t *entries, size_t count, unsigned mask) {
    size_t pfn = 0;
    while (pfn < count && ((frames[pfn].entry.flags ^ entries[pfn].flags) & mask) == 0) {
        ++pfn;
    }
    return pfn;
}
