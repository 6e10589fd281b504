// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Segments and the task state segment.  Long mode needs neither for protection,
// but the loader's table is in memory that will be reclaimed, and only a TSS can
// give an exception a stack of its own.
// Layouts: Intel SDM volume 3, 3.4.5 (descriptors) and 9.7 (64-bit TSS).

#include <stdint.h>

#include "cpu.h"
#include "gdt.h"

#define IST_STACK_SIZE 8192

#define DESCRIPTOR_KERNEL_CODE UINT64_C(0x00af9b000000ffff)
#define DESCRIPTOR_KERNEL_DATA UINT64_C(0x00cf93000000ffff)
#define DESCRIPTOR_TSS_PRESENT UINT64_C(0x0000890000000000)

typedef struct __attribute__((packed)) _tss_t {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t iomap_base;
} tss_t;

_Static_assert(sizeof(tss_t) == 104, "64-bit TSS");

static uint8_t ist_stacks[IST_COUNT][IST_STACK_SIZE] __attribute__((aligned(16)));
static tss_t tss = { .iomap_base = sizeof(tss_t) };
static uint64_t gdt[5] = { 0, DESCRIPTOR_KERNEL_CODE, DESCRIPTOR_KERNEL_DATA };

void gdt_init(void) {
    for (int i = 0; i < IST_COUNT; ++i) {
        tss.ist[i] = (uintptr_t)ist_stacks[i] + IST_STACK_SIZE;
    }

    uint64_t base = (uintptr_t)&tss;
    gdt[GDT_TSS / 8] = DESCRIPTOR_TSS_PRESENT | (sizeof(tss_t) - 1)
        | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    gdt[GDT_TSS / 8 + 1] = base >> 32;

    table_register_t gdtr = { sizeof(gdt) - 1, (uintptr_t)gdt };
    // CS cannot be loaded by mov: a far return takes it from the stack.
    __asm__ volatile (
        "lgdt %0\n"
        "pushq %1\n"
        "leaq 1f(%%rip), %%rax\n"
        "pushq %%rax\n"
        "lretq\n"
        "1:\n"
        "movl %2, %%eax\n"
        "movl %%eax, %%ds\n"
        "movl %%eax, %%es\n"
        "movl %%eax, %%ss\n"
        "xorl %%eax, %%eax\n"
        "movl %%eax, %%fs\n"
        "movl %%eax, %%gs\n"
        "ltr %w3\n"
        :
        : "m" (gdtr), "i" (GDT_KERNEL_CODE), "i" (GDT_KERNEL_DATA), "r" (GDT_TSS)
        : "rax", "memory");
}
