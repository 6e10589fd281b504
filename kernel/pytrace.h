// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Which Python lines are running, for the fault report and for call sites.
#ifndef KERNEL_PYTRACE_H
#define KERNEL_PYTRACE_H

#include <stddef.h>
#include <stdint.h>

// The deepest recursion the kernel's stack can hold is about half of this.
#define PYTRACE_DEPTH 1024

struct _nlr_buf_t;
struct _mp_code_state_t;

typedef struct _pytrace_entry_t {
    const struct _nlr_buf_t *nlr;
    const void *returns_to;
    const struct _mp_code_state_t *code_state;
} pytrace_entry_t;

// What a processor runs.
typedef struct _pytrace_t {
    size_t depth;
    pytrace_entry_t entries[PYTRACE_DEPTH];
} pytrace_t;

// A line of Python: all null where there is none; qstr_short_t of py/qstr.h.
typedef struct {
    uint16_t file;
    uint16_t function;
    uint32_t line;
} pytrace_place_t;

// Prints this processor's running Python functions, innermost last, as a traceback does.
void pytrace_print(void);

// Returns the line that the innermost running function of bytecode is at.
pytrace_place_t pytrace_innermost(void);

// Forgets all frames: the interpreter or a thread is starting anew.
static inline void pytrace_reset(pytrace_t *trace) {
    trace->depth = 0;
}

#endif // KERNEL_PYTRACE_H
