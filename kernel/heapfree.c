// SPDX-License-Identifier: MIT OR Apache-2.0
//
// While several processors run Python, memory is freed by the collector alone.
// C code that frees or shrinks a block knows its own references only; another
// processor may just be reading the table of a dict or the items of a list that
// this one replaces.  What that one's registers and stack refer to stays whole.
// The linker puts these functions in the place of upstream's (--wrap).

#include <string.h>

#include "py/gc.h"

#include "smp.h"

void __real_gc_free(void *ptr);
void __wrap_gc_free(void *ptr);
void *__real_gc_realloc(void *ptr, size_t n_bytes, bool allow_move);
void *__wrap_gc_realloc(void *ptr, size_t n_bytes, bool allow_move);

void __wrap_gc_free(void *ptr) {
    if (smp_running == 1) {
        __real_gc_free(ptr);
    }
}

static void *realloc_shared(void *ptr, size_t n_bytes, bool allow_move) {
    size_t old_bytes = gc_nbytes(ptr);
    if (n_bytes <= old_bytes) {
        return ptr;
    }
    void *grown = __real_gc_realloc(ptr, n_bytes, false);
    if (grown == NULL && allow_move) {
        grown = gc_alloc(n_bytes, 0);
        if (grown != NULL) {
            memcpy(grown, ptr, old_bytes);
        }
    }
    return grown;
}

void *__wrap_gc_realloc(void *ptr, size_t n_bytes, bool allow_move) {
    if (smp_running == 1 || ptr == NULL || n_bytes == 0) {
        return __real_gc_realloc(ptr, n_bytes, allow_move);
    }
    return realloc_shared(ptr, n_bytes, allow_move);
}
