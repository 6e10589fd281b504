// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Which Python lines are running, for the fault report.
#ifndef KERNEL_PYTRACE_H
#define KERNEL_PYTRACE_H

// Prints the running Python functions, innermost last, as a traceback does.
void pytrace_print(void);

// Forgets all frames: the interpreter is starting anew.
void pytrace_reset(void);

#endif // KERNEL_PYTRACE_H
