// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef BENCH_PEERS_ENTRY_H
#define BENCH_PEERS_ENTRY_H

#include <stdint.h>

// The entry of a frame, laid out as in pfm/frame/entry.py.
typedef struct {
    uint16_t flags;
    uint8_t order;
    uint8_t state;
    uint32_t next;
    uint32_t prev;
    uint8_t size_class;
    uint8_t shared;
    uint16_t rc;
    uint64_t freelist_va;
    uint32_t lock;
    uint32_t tag;
} entry_t;

_Static_assert(sizeof(entry_t) == 32, "an entry is 32 bytes");

// pfm/frame/flags.py
#define FLAG_SMALL (1 << 4)
#define FLAG_RESERVED (1 << 10)

// Kinds in the upper three bits of `state`, the order in the lower five (pfm/frame/entry.py).
#define KIND_TAIL (0 << 5)
#define KIND_FREE (1 << 5)
#define KIND_USED (2 << 5)

// A compiler barrier: stores before it reach memory, loads after it read memory.
#define MEMORY_IS_USED() __asm__ volatile ("" : : : "memory")

#endif // BENCH_PEERS_ENTRY_H
