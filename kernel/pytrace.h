// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Which Python lines are running, for the fault report and for call sites.
#ifndef KERNEL_PYTRACE_H
#define KERNEL_PYTRACE_H

#include <stdint.h>

#include "py/qstr.h"

// A line of Python: all null where there is none.
typedef struct {
    qstr_short_t file;
    qstr_short_t function;
    uint32_t line;
} pytrace_place_t;

// Prints the running Python functions, innermost last, as a traceback does.
void pytrace_print(void);

// Returns the line that the innermost running function of bytecode is at.
pytrace_place_t pytrace_innermost(void);

// Forgets all frames: the interpreter is starting anew.
void pytrace_reset(void);

#endif // KERNEL_PYTRACE_H
