// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Interrupts have one purpose here: to end a halt.  They are enabled only while
// the processor waits, so no code of the kernel is ever interrupted.  All of
// this is in the processor's folder.
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include <stdbool.h>

// The timer ends every halt after at most this time.
#define IRQ_TICK_MS 10

// Masks all interrupts and starts the timer.
void irq_init(void);

// To be called at least IRQ_TICK_MS later: notes and returns whether the timer's
// interrupt arrives.  Until it does, irq_wait() only pauses.
bool irq_check(void);

// Has the processor take the interrupts that are pending.
void irq_take_pending(void);

// Halts until the serial port, the virtio console or the keyboard has input, or the
// timer ticks.
void irq_wait(void);

#endif // KERNEL_IRQ_H
