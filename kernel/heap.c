// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The collector starts on a small heap in .bss.  When that is full it asks for
// areas (MP_PLAT_ALLOC_HEAP), each about as large as all before, and gives back
// those that become empty.  Areas are allocated first fit from the ranges that
// Python has handed over (kernel.heap_reserve).

#include "py/gc.h"
#include "py/misc.h"
#include "py/mpstate.h"

#include "heap.h"
#include "smp.h"

#define INITIAL_HEAP_SIZE (4 * 1024 * 1024)

// A heap that doubles with each area fills any memory with far fewer.
#define RANGES_MAX 16
#define AREAS_MAX 64

// Areas start at page boundaries.
#define AREA_ALIGN 4096

typedef struct _span_t {
    uintptr_t start;
    uintptr_t end;
} span_t;

static char initial_heap[INITIAL_HEAP_SIZE] __attribute__((aligned(MICROPY_BYTES_PER_GC_BLOCK)));
static span_t ranges[RANGES_MAX];
static size_t range_count;
static span_t areas[AREAS_MAX];
static size_t area_count;

void heap_init(void) {
    area_count = 0;
    smp_empty_heap_stocks();
    gc_init(initial_heap, initial_heap + INITIAL_HEAP_SIZE);
}

bool heap_reserve(uintptr_t start_virt, size_t size) {
    if (range_count == RANGES_MAX) {
        return false;
    }
    ranges[range_count++] = (span_t) { start_virt, start_virt + size };
    return true;
}

static uintptr_t align_up(uintptr_t address) {
    return (address + AREA_ALIGN - 1) & ~(uintptr_t)(AREA_ALIGN - 1);
}

// The largest free span of a range that is at least wanted bytes; when first_fit
// is set, the first such span.
static span_t find_gap(const span_t *range, size_t wanted, bool first_fit) {
    span_t best = { 0, 0 };
    uintptr_t start = align_up(range->start);
    while (start < range->end) {
        uintptr_t end = range->end;
        uintptr_t after = range->end;
        for (size_t i = 0; i < area_count; ++i) {
            if (areas[i].start < end && areas[i].end > start) {
                end = areas[i].start > start ? areas[i].start : start;
                after = areas[i].end;
            }
        }
        if (end - start >= wanted && end - start > best.end - best.start) {
            best = (span_t) { start, end };
            if (first_fit) {
                break;
            }
        }
        start = align_up(after);
    }
    return best;
}

// The collector asks how large an area it could get (py/gc.h).
size_t gc_get_max_new_split(void) {
    size_t largest = 0;
    for (size_t i = 0; i < range_count && area_count < AREAS_MAX; ++i) {
        span_t gap = find_gap(&ranges[i], 1, false);
        largest = MAX(largest, gap.end - gap.start);
    }
    return largest;
}

// Called by gc_alloc(), which goes on, up to its next GC_EXIT, as if it held the
// collector's lock (py/gc.c, where it calls gc_try_add_heap()): so a success keeps it.
void *heap_area_alloc(uintptr_t size) {
    mp_thread_recursive_mutex_lock(&MP_STATE_MEM(gc_mutex), true);
    for (size_t i = 0; i < range_count && area_count < AREAS_MAX; ++i) {
        span_t gap = find_gap(&ranges[i], size, true);
        if (gap.end != gap.start) {
            areas[area_count++] = (span_t) { gap.start, gap.start + size };
            return (void *)gap.start;
        }
    }
    mp_thread_recursive_mutex_unlock(&MP_STATE_MEM(gc_mutex));
    return NULL;
}

void heap_area_free(void *ptr) {
    for (size_t i = 0; i < area_count; ++i) {
        if (areas[i].start == (uintptr_t)ptr) {
            areas[i] = areas[--area_count];
            return;
        }
    }
}
