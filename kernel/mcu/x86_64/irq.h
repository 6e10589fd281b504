// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Interrupts serve one purpose here: to end a halt.  They are let in only
// while the processor waits, so no code of the kernel is ever interrupted.
#ifndef KERNEL_MCU_X86_64_IRQ_H
#define KERNEL_MCU_X86_64_IRQ_H

// The timer ends every halt after at most this time.
#define IRQ_TICK_MS 10

// First of the 16 vectors of the legacy interrupt controllers.
#define IRQ_VECTOR_BASE 32

#define IRQ_TIMER 0
#define IRQ_COM1  4

#include <stdbool.h>

// Moves the interrupt controllers clear of the exceptions, masks them and
// starts the timer.
void irq_init(void);

// To be called at least IRQ_TICK_MS later: notes and returns whether the timer's
// interrupt arrives.  Until it does, irq_wait() only spends a moment.
bool irq_check(void);

// Waits for input on COM1 or the timer's next tick, at a halt.
void irq_wait(void);

#endif // KERNEL_MCU_X86_64_IRQ_H
