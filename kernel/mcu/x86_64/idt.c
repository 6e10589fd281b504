// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The interrupt descriptor table.  Layout: Intel SDM volume 3, 7.14.1.

#include <stdint.h>

#include "cpu.h"
#include "exception.h"
#include "gdt.h"
#include "idt.h"
#include "pic.h"
#include "smp_vector.h"

#define IDT_ENTRIES 256
#define GATE_PRESENT_INTERRUPT 0x8e

typedef struct __attribute__((packed)) _idt_gate_t {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
} idt_gate_t;

_Static_assert(sizeof(idt_gate_t) == 16, "64-bit gate");

// In isr.S: a stub for each exception, one for the interrupts that end a halt,
// one for another processor's, and one that only returns.
extern const uintptr_t isr_exception_table[EXCEPTION_VECTORS];
extern void isr_irq(void);
extern void isr_smp(void);
extern void isr_ignore(void);

static idt_gate_t idt[IDT_ENTRIES];

static uint8_t ist_of(unsigned int vector) {
    switch (vector) {
        case VECTOR_NMI:
            return IST_NMI;
        case VECTOR_DOUBLE_FAULT:
            return IST_DOUBLE_FAULT;
        case VECTOR_MACHINE_CHECK:
            return IST_MACHINE_CHECK;
        case VECTOR_PAGE_FAULT:
            return IST_PAGE_FAULT;
        default:
            return 0;
    }
}

static uintptr_t handler_of(unsigned int vector) {
    if (vector < EXCEPTION_VECTORS) {
        return isr_exception_table[vector];
    }
    switch (vector) {
        case IRQ_VECTOR_BASE + IRQ_TIMER:
        case IRQ_VECTOR_BASE + IRQ_KEYBOARD:
        case IRQ_VECTOR_BASE + IRQ_COM1:
            return (uintptr_t)isr_irq;
        case SMP_VECTOR:
            return (uintptr_t)isr_smp;
        default:
            return (uintptr_t)isr_ignore;
    }
}

void idt_init(void) {
    for (unsigned int vector = 0; vector < IDT_ENTRIES; ++vector) {
        uintptr_t handler = handler_of(vector);
        idt[vector] = (idt_gate_t) {
            .offset_low = (uint16_t)handler,
            .selector = GDT_KERNEL_CODE,
            .ist = ist_of(vector),
            .type = GATE_PRESENT_INTERRUPT,
            .offset_middle = (uint16_t)(handler >> 16),
            .offset_high = (uint32_t)(handler >> 32),
        };
    }
}

void idt_load(void) {
    const table_register_t idtr = { sizeof(idt) - 1, (uintptr_t)idt };
    cpu_lidt(&idtr);
}
