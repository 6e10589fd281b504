// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_CRITICAL_H
#define KERNEL_CRITICAL_H

#include <stdbool.h>

// At each start of the interpreter: no section has begun.
void critical_init(void);

// Ends every critical section: a processor fault has left them by raising an exception.
void critical_abandon(void);

// Schedules the KeyboardInterrupt that has come, once nothing forbids it; waiting
// says that the interpreter waits, where it may interrupt callbacks, too.
void critical_raise_interrupt(bool waiting);

#endif // KERNEL_CRITICAL_H
