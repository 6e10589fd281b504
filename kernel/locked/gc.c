// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The collector, with what needs its tables.  It takes its own lock (mpthreadport.h).

#include "py/mpconfig.h"

// gc_sweep_free_blocks() takes an area for empty, too, if only its first block is in
// use.  It has unlinked the area, and goes on from prev_area.
#undef MP_PLAT_FREE_HEAP
#define MP_PLAT_FREE_HEAP(area) \
    do { \
        if (ATB_GET_KIND(area, 0) == AT_FREE) { \
            heap_area_free(area); \
        } else { \
            NEXT_AREA(prev_area) = (area); \
            prev_area = (area); \
        } \
    } while (0)

#include "py/gc.c"

#include "gc.h"

// The head of the object that address lies in; NULL if it lies in none.
static void *find_head(uintptr_t address) {
    void *ptr = (void *)(address & ~(uintptr_t)(BYTES_PER_BLOCK - 1));
    mp_state_mem_area_t *area = gc_get_ptr_area(ptr);
    if (area == NULL) {
        return NULL;
    }
    size_t block = BLOCK_FROM_PTR(area, ptr);
    while (block > 0 && ATB_GET_KIND(area, block) == AT_TAIL) {
        --block;
    }
    return (void *)PTR_FROM_BLOCK(area, block);
}

// Upstream collects where C code allocates: there it holds a pointer to the head of
// each object that it needs.  A processor is stopped at any instruction, and the
// compiler may have left it a pointer into the middle only, or one element beyond
// either end, as in mp_unpack_sequence().
void gc_collect_stopped(void **ptrs, size_t len) {
    for (size_t i = 0; i < len; ++i) {
        uintptr_t address = (uintptr_t)ptrs[i];
        void *heads[] = {
            find_head(address - sizeof(void *)),
            find_head(address),
            find_head(address + sizeof(void *)),
        };
        gc_collect_root(heads, MP_ARRAY_SIZE(heads));
    }
}

// As gc_alloc() does for one block (see there for the two places where it looks first).
size_t gc_take_blocks(void **blocks, size_t count) {
    size_t taken = 0;
    for (mp_state_mem_area_t *area = MP_STATE_MEM(gc_last_free_area); area != NULL && taken < count; area = NEXT_AREA(area)) {
        size_t end = area->gc_alloc_table_byte_len * BLOCKS_PER_ATB;
        size_t block = area->gc_last_free_atb_index * BLOCKS_PER_ATB;
        for (; block < end && taken < count; ++block) {
            if (ATB_GET_KIND(area, block) == AT_FREE) {
                ATB_FREE_TO_HEAD(area, block);
                area->gc_last_used_block = MAX(area->gc_last_used_block, block);
                blocks[taken++] = (void *)PTR_FROM_BLOCK(area, block);
            }
        }
        MP_STATE_MEM(gc_last_free_area) = area;
        area->gc_last_free_atb_index = block / BLOCKS_PER_ATB;
    }
    #if MICROPY_GC_ALLOC_THRESHOLD
    MP_STATE_MEM(gc_alloc_amount) += taken;
    #endif
    return taken;
}
