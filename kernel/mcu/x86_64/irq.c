// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The two 8259 interrupt controllers and channel 0 of the 8254 timer (Intel
// data sheets; ports and wiring as on the PC/AT).
//
// The controllers are masked outside irq_wait(): under QEMU's translator (TCG) an
// interrupt that is pending and disabled slows everything down.

#include "cpu.h"
#include "irq.h"
#include "pic.h"
#include "pit.h"

#define PIC1_MASK_TIMER (PIC_MASK_ALL & ~(1 << IRQ_TIMER))
#define PIC1_MASK_WAITING (PIC1_MASK_TIMER & ~(1 << IRQ_KEYBOARD | 1 << IRQ_COM1))
#define PIT_COUNT (PIT_HZ / 1000 * IRQ_TICK_MS)

// Counted by isr.S.
volatile uint32_t irq_count;

static bool can_halt;

void irq_init(void) {
    cpu_outb(PIC1_COMMAND, PIC_ICW1_INIT_WITH_ICW4);
    cpu_outb(PIC2_COMMAND, PIC_ICW1_INIT_WITH_ICW4);
    cpu_outb(PIC1_DATA, IRQ_VECTOR_BASE);
    cpu_outb(PIC2_DATA, IRQ_VECTOR_BASE + 8);
    cpu_outb(PIC1_DATA, 1 << PIC_CASCADE_IRQ);
    cpu_outb(PIC2_DATA, PIC_CASCADE_IRQ);
    cpu_outb(PIC1_DATA, PIC_ICW4_8086);
    cpu_outb(PIC2_DATA, PIC_ICW4_8086);
    cpu_outb(PIC1_DATA, PIC_MASK_ALL);
    cpu_outb(PIC2_DATA, PIC_MASK_ALL);

    cpu_outb(PIT_COMMAND, PIT_CH0_MODE2);
    cpu_outb(PIT_CHANNEL0, PIT_COUNT & 0xff);
    cpu_outb(PIT_CHANNEL0, PIT_COUNT >> 8);
}

void irq_take_pending(void) {
    bool enabled = cpu_irq_disable();
    // Interrupts are recognised after the instruction that follows sti.
    __asm__ volatile ("sti; nop; nop; cli" : : : "memory");
    cpu_irq_restore(enabled);
}

bool irq_check(void) {
    cpu_outb(PIC1_DATA, PIC1_MASK_TIMER);
    irq_take_pending();
    cpu_outb(PIC1_DATA, PIC_MASK_ALL);
    can_halt = irq_count != 0;
    return can_halt;
}

void irq_wait(void) {
    if (!can_halt) {
        cpu_pause();
        return;
    }
    bool enabled = cpu_irq_disable();
    cpu_outb(PIC1_DATA, PIC1_MASK_WAITING);
    __asm__ volatile ("sti; hlt; cli" : : : "memory");
    cpu_outb(PIC1_DATA, PIC_MASK_ALL);
    cpu_irq_restore(enabled);
}
