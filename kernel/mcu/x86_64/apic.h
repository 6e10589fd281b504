// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The local APIC, which each processor has for itself: interrupts to other
// processors, the end of an interrupt, and the timer.  modules/apic.py routes its
// inputs.
//
// Source: Intel SDM volume 3, chapter "Advanced Programmable Interrupt Controller".
#ifndef KERNEL_MCU_X86_64_APIC_H
#define KERNEL_MCU_X86_64_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"

// Registers: their offsets in the page, and in x2APIC mode their MSRs.
#define APIC_EOI        0xb0
#define APIC_SPURIOUS   0xf0
#define APIC_ICR_LOW    0x300
#define APIC_ICR_HIGH   0x310
#define APIC_TIMER      0x320
#define APIC_COUNT      0x380 // initial count of the timer
#define APIC_CURRENT    0x390
#define APIC_DIVIDE     0x3e0

#define MSR_X2APIC      0x800 // plus the register's offset divided by 16

// What apic_send() sends: an interrupt, with its vector added; or an NMI.
#define ICR_FIXED       0x000
#define ICR_NMI         0x400

// Where the registers of every processor are mapped, 0 in x2APIC mode.
extern uintptr_t apic_virt;

static inline uint32_t apic_read(unsigned int offset) {
    if (apic_virt == 0) {
        return (uint32_t)cpu_rdmsr(MSR_X2APIC + (offset >> 4));
    }
    return *(volatile uint32_t *)(apic_virt + offset);
}

static inline void apic_write(unsigned int offset, uint32_t value) {
    if (apic_virt == 0) {
        cpu_wrmsr(MSR_X2APIC + (offset >> 4), value);
    } else {
        *(volatile uint32_t *)(apic_virt + offset) = value;
    }
}

// Lets the next interrupt in.  Inline: another processor may wait for this one.
static inline void apic_end_interrupt(void) {
    apic_write(APIC_EOI, 0);
}

// On the boot processor, whose mode the others take over: virt is where the
// registers are mapped, 0 in x2APIC mode.  Measures the timer, which takes 1 ms.
void apic_init(uintptr_t virt);

// On a processor that has just started.
void apic_enable(void);

// Sends an interrupt to another processor.  Interrupts are off, since the ICR is
// two registers in xAPIC mode.
void apic_send(uint32_t apic_id, uint32_t command);

// Halts until an interrupt comes, at most for about ms milliseconds.  Returns
// false at once where the timer does not run.
bool apic_halt(unsigned int ms);

#endif // KERNEL_MCU_X86_64_APIC_H
