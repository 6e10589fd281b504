// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A stock of single blocks of the Python heap for each processor, so that most
// allocations take no lock.  The linker puts __wrap_gc_alloc() in the place of
// upstream's gc_alloc() (--wrap), which it calls for everything else.
//
// What is in stock is allocated as far as the collector knows, but nothing refers
// to it.  So a collection empties all stocks, and sweeps what was in them.

#include <string.h>

#include "py/gc.h"
#include "py/mpstate.h"

#include "cpu.h"
#include "locked/gc.h"
#include "smp.h"

void *__real_gc_alloc(size_t n_bytes, unsigned int alloc_flags);
void *__wrap_gc_alloc(size_t n_bytes, unsigned int alloc_flags);

static void *pop(smp_cpu_t *self) {
    unsigned int count = self->heap_stock_count;
    while (count > 0) {
        void *block = self->heap_stock[count - 1];
        // Fails after a collection in between, which has swept the block.
        if (cpu_compare_exchange_here(&self->heap_stock_count, &count, count - 1)) {
            return block;
        }
    }
    return NULL;
}

// Returns a block, and fills the stock; NULL if the heap is full.
static void *refill(smp_cpu_t *self) {
    mp_thread_recursive_mutex_lock(&MP_STATE_MEM(gc_mutex), true);
    // Collects if it must.  After that none does while this processor holds the lock.
    void *block = __real_gc_alloc(MICROPY_BYTES_PER_GC_BLOCK, 0);
    if (block != NULL) {
        self->heap_stock_count = gc_take_blocks(self->heap_stock, SMP_HEAP_STOCK);
    }
    mp_thread_recursive_mutex_unlock(&MP_STATE_MEM(gc_mutex));
    return block;
}

// A function of its own, so that a single processor only jumps to __real_gc_alloc().
__attribute__((noinline)) static void *alloc_block(void) {
    smp_cpu_t *self = smp_self();
    void *block = pop(self);
    if (block == NULL) {
        block = refill(self);
    }
    if (block != NULL) {
        // MICROPY_GC_CONSERVATIVE_CLEAR, which m_malloc0() relies on.
        memset(block, 0, MICROPY_BYTES_PER_GC_BLOCK);
    }
    return block;
}

void *__wrap_gc_alloc(size_t n_bytes, unsigned int alloc_flags) {
    if (smp_running == 1 || n_bytes - 1 >= MICROPY_BYTES_PER_GC_BLOCK || alloc_flags != 0
        || MP_STATE_THREAD(gc_lock_depth) > 0) {
        return __real_gc_alloc(n_bytes, alloc_flags);
    }
    return alloc_block();
}
