// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Segments and the task state segment.  Long mode needs neither for protection,
// but the loader's table is in memory that will be reclaimed, and only a TSS can
// give an exception a stack of its own.
// Layouts: Intel SDM volume 3, 3.4.5 (descriptors) and 9.7 (64-bit TSS).

#include <stdint.h>

#include "cpu.h"
#include "gdt.h"

#define DESCRIPTOR_KERNEL_CODE UINT64_C(0x00af9b000000ffff)
#define DESCRIPTOR_KERNEL_DATA UINT64_C(0x00cf93000000ffff)
#define DESCRIPTOR_TSS_PRESENT UINT64_C(0x0000890000000000)

_Static_assert(sizeof(tss_t) == 104, "64-bit TSS");

void gdt_init(gdt_t *gdt) {
    tss_t *tss = &gdt->tss;
    tss->iomap_base = sizeof(tss_t);
    for (int i = 0; i < IST_COUNT; ++i) {
        tss->ist[i] = (uintptr_t)gdt->ist_stacks[i] + IST_STACK_SIZE;
    }

    uint64_t base = (uintptr_t)tss;
    gdt->table[GDT_KERNEL_CODE / 8] = DESCRIPTOR_KERNEL_CODE;
    gdt->table[GDT_KERNEL_DATA / 8] = DESCRIPTOR_KERNEL_DATA;
    gdt->table[GDT_TSS / 8] = DESCRIPTOR_TSS_PRESENT | (sizeof(tss_t) - 1)
        | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    gdt->table[GDT_TSS / 8 + 1] = base >> 32;

    table_register_t gdtr = { sizeof(gdt->table) - 1, (uintptr_t)gdt->table };
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
        "movl %%eax, %%gs\n" // and its base
        "ltr %w3\n"
        :
        : "m" (gdtr), "i" (GDT_KERNEL_CODE), "i" (GDT_KERNEL_DATA), "r" (GDT_TSS)
        : "rax", "memory");
}
