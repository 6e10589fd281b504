// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The interrupt descriptor table.  Layout: Intel SDM volume 3, 7.14.1.

#include <stdint.h>

#include "cpu.h"
#include "fault.h"
#include "gdt.h"
#include "idt.h"

#define IDT_ENTRIES 256
#define GATE_PRESENT_INTERRUPT 0x8e

// The two 8259 controllers (Intel 8259A data sheet; ports as on the PC/AT).
#define PIC1_COMMAND 0x20
#define PIC1_DATA    0x21
#define PIC2_COMMAND 0xa0
#define PIC2_DATA    0xa1
#define PIC_ICW1_INIT_WITH_ICW4 0x11
#define PIC_ICW4_8086           0x01
#define PIC_CASCADE_IRQ         2
#define PIC_MASK_ALL            0xff

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

typedef struct __attribute__((packed)) _table_register_t {
    uint16_t limit;
    uint64_t base_virt;
} table_register_t;

// In isr.S: one stub for each exception, and one that only returns.
extern const uintptr_t isr_exception_table[FAULT_VECTORS];
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
        default:
            return 0;
    }
}

static void pic_move_and_mask(void) {
    cpu_outb(PIC1_COMMAND, PIC_ICW1_INIT_WITH_ICW4);
    cpu_outb(PIC2_COMMAND, PIC_ICW1_INIT_WITH_ICW4);
    cpu_outb(PIC1_DATA, FAULT_VECTORS);
    cpu_outb(PIC2_DATA, FAULT_VECTORS + 8);
    cpu_outb(PIC1_DATA, 1 << PIC_CASCADE_IRQ);
    cpu_outb(PIC2_DATA, PIC_CASCADE_IRQ);
    cpu_outb(PIC1_DATA, PIC_ICW4_8086);
    cpu_outb(PIC2_DATA, PIC_ICW4_8086);
    cpu_outb(PIC1_DATA, PIC_MASK_ALL);
    cpu_outb(PIC2_DATA, PIC_MASK_ALL);
}

void idt_init(void) {
    for (unsigned int vector = 0; vector < IDT_ENTRIES; ++vector) {
        uintptr_t handler = vector < FAULT_VECTORS ? isr_exception_table[vector] : (uintptr_t)isr_ignore;
        idt[vector] = (idt_gate_t) {
            .offset_low = (uint16_t)handler,
            .selector = GDT_KERNEL_CODE,
            .ist = ist_of(vector),
            .type = GATE_PRESENT_INTERRUPT,
            .offset_middle = (uint16_t)(handler >> 16),
            .offset_high = (uint32_t)(handler >> 32),
        };
    }
    table_register_t idtr = { sizeof(idt) - 1, (uintptr_t)idt };
    __asm__ volatile ("lidt %0" : : "m" (idtr) : "memory");
    pic_move_and_mask();
}
