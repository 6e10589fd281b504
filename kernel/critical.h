// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_CRITICAL_H
#define KERNEL_CRITICAL_H

// At each start of the interpreter: no section has begun.
void critical_init(void);

// Ends every critical section: a processor fault has left them by raising an exception.
void critical_abandon(void);

#endif // KERNEL_CRITICAL_H
