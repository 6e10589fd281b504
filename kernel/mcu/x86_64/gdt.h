// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MCU_X86_64_GDT_H
#define KERNEL_MCU_X86_64_GDT_H

#include <stdint.h>

#define GDT_KERNEL_CODE 0x08
#define GDT_KERNEL_DATA 0x10
#define GDT_TSS         0x18

// Slots of the interrupt stack table, 1 to 7.  These exceptions may occur when
// the current stack is not usable, a page fault on a stack overflow, so each has
// a stack of its own.
#define IST_DOUBLE_FAULT  1
#define IST_NMI           2
#define IST_MACHINE_CHECK 3
#define IST_PAGE_FAULT    4
#define IST_COUNT         4

#define IST_STACK_SIZE 8192

typedef struct __attribute__((packed)) _tss_t {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t iomap_base;
} tss_t;

// What each processor has of its own.
typedef struct _gdt_t {
    uint64_t table[5];
    tss_t tss;
    uint8_t ist_stacks[IST_COUNT][IST_STACK_SIZE] __attribute__((aligned(16)));
} gdt_t;

// Fills gdt, which is zeroed, and loads it into this processor.  GS has base 0 afterwards.
void gdt_init(gdt_t *gdt);

#endif // KERNEL_MCU_X86_64_GDT_H
