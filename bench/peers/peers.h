// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The C functions against which the frame manager is measured. Each does the whole work of a
// row, loop included, so that the cost of a call through ffi or from MicroPython does not
// count. Python calls them: through ffi on the unix port, through modpeers.c on the target.
#ifndef BENCH_PEERS_PEERS_H
#define BENCH_PEERS_PEERS_H

#include <stddef.h>
#include <stdint.h>

#include "entry.h"

typedef struct frame frame_t;
typedef struct buddy buddy_t;
typedef struct slab_cache slab_cache_t;

// A range of frames and the first word of their entries.
typedef struct {
    uint32_t start;
    uint32_t end;
    uint32_t word;
    uint32_t unused;
} span_t;

// fill.c: the state after init, as bytes or entry by entry.
void peer_memset(void *dest, size_t size);
void peer_fill(entry_t *entries, const span_t *spans, size_t count);

// copy.c: copies of `size` bytes (a multiple of 64), each in a different way.
void peer_memcpy(void *dest, const void *src, size_t size);
void peer_copy_bytes(void *dest, const void *src, size_t size);
void peer_copy_movsb(void *dest, const void *src, size_t size);
void peer_copy_movsq(void *dest, const void *src, size_t size);
void peer_copy_words(void *dest, const void *src, size_t size);
void peer_copy_sse(void *dest, const void *src, size_t size);

// flags.c: flags of 32-byte entries, without locks.
void peer_set_range(entry_t *entries, size_t start, size_t end, unsigned flags);
void peer_clear_range(entry_t *entries, size_t start, size_t end, unsigned flags);
void peer_set_many(entry_t *entries, const uint32_t *frames, size_t count, unsigned flags);
void peer_clear_many(entry_t *entries, const uint32_t *frames, size_t count, unsigned flags);
void peer_flip_one(entry_t *entries, size_t pfn, unsigned flags, size_t times);
size_t peer_count_entries(const entry_t *entries, size_t count, unsigned flags);
void peer_bitmap_fill(uint64_t *bitmap, const entry_t *entries, size_t count, unsigned flags);
size_t peer_bitmap_count(const uint64_t *bitmap, size_t count);

// reference.c: the algorithm of faces-pfm, a lock and 64 bytes for each frame.
void reference_init(frame_t *frames, size_t count, const span_t *usable, size_t spans,
    size_t own_start, size_t own_end);
void reference_set_range(frame_t *frames, size_t start, size_t end, unsigned flags);
void reference_clear_range(frame_t *frames, size_t start, size_t end, unsigned flags);
void reference_set_many(frame_t *frames, const uint32_t *pfns, size_t count, unsigned flags);
void reference_clear_many(frame_t *frames, const uint32_t *pfns, size_t count, unsigned flags);
void reference_flip_one(frame_t *frames, size_t pfn, unsigned flags, size_t times);
void reference_write_five(frame_t *frames, size_t pfn, size_t times);
size_t reference_count(frame_t *frames, size_t count, unsigned flags);
size_t reference_differs(frame_t *frames, const entry_t *entries, size_t count, unsigned mask);

// buddy.c: a buddy allocator over the frames start..end, in `size` bytes of state.
size_t buddy_size(void);
void buddy_open(buddy_t *buddy, entry_t *entries, size_t start, size_t end);
size_t buddy_alloc(buddy_t *buddy, unsigned order);
void buddy_free(buddy_t *buddy, size_t pfn);
size_t buddy_blocks(const buddy_t *buddy, unsigned order);
void buddy_pairs(buddy_t *buddy, unsigned order, size_t times);
void buddy_many(buddy_t *buddy, uint32_t *frames, size_t count);

// walk.c: over the blocks of the frames start..end, a run as one: the frames in use, and the
// longest range of free frames.
size_t walk_used(const entry_t *entries, size_t start, size_t end);
size_t walk_longest(const entry_t *entries, size_t start, size_t end);

// slab.c: a cache of objects of `size` bytes; `memory` is where frame 0 would be.
size_t slab_size(void);
void slab_open(slab_cache_t *cache, buddy_t *buddy, void *memory, size_t size);
void slab_pairs(slab_cache_t *cache, size_t times);

// locked.c, on the host only: compare-exchanges that succeed.
void peer_exchange(uint32_t *word, size_t times);

// threads.c, on the host only: the nanoseconds until the last of so many threads has done its
// rounds of a plain loop, all at once; 0 where no thread could be made.
size_t threads_burst(size_t threads, size_t rounds);

// compare.c: the first of `count` entries whose flags under `mask` differ, `count` for none.
size_t peer_differs(const entry_t *entries, const entry_t *others, size_t count, unsigned mask);

#endif // BENCH_PEERS_PEERS_H
