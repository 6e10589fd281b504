// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Memory for code that the compiler emits and that .mpy files contain.  The
// collector need not scan it.  It is freed only as a whole, at a soft reset: the
// collector does not find pointers into the middle of a block.

#include "py/runtime.h"

#include "heap.h"
#include "image.h"
#include "smp.h"

// Functions are aligned to 16 bytes, as by compilers.
#define NATIVE_CODE_ALIGN 16

static uintptr_t next;
static smp_lock_t lock;

void native_code_reset(void) {
    next = (uintptr_t)kernel_native_start;
}

void native_code_alloc(uintptr_t min_size, void **ptr, uintptr_t *size) {
    uintptr_t rounded = (min_size + NATIVE_CODE_ALIGN - 1) & ~(uintptr_t)(NATIVE_CODE_ALIGN - 1);
    smp_lock(&lock);
    uintptr_t start = next;
    bool fits = rounded <= (uintptr_t)kernel_native_end - start;
    next += fits ? rounded : 0;
    smp_unlock(&lock);
    if (!fits) {
        mp_raise_msg_varg(&mp_type_MemoryError, MP_ERROR_TEXT("native code segment full, %u bytes wanted, %u free"),
            (uint)min_size, (uint)((uintptr_t)kernel_native_end - start));
    }
    *ptr = (void *)start;
    *size = rounded;
}

void native_code_free(void *ptr, uintptr_t size) {
    // Only the compiler frees, and only its last allocation.
    smp_lock(&lock);
    if ((uintptr_t)ptr + size == next) {
        next = (uintptr_t)ptr;
    }
    smp_unlock(&lock);
}
