// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The descriptor tables that the kernel finds loaded.  "Machine State at Entry" lists the first seven entries; Intel
// SDM volume 3A, sections 3.4.5 and 7.2.3, has their layout.

#include "direct.h"

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed, aligned(2)));

struct descriptors {
    struct table_register gdtr __attribute__((aligned(16)));
    struct table_register idtr __attribute__((aligned(16)));
    uint64_t gdt[9] __attribute__((aligned(16)));
};

_Static_assert(offsetof(struct descriptors, gdtr) == 0 && offsetof(struct descriptors, idtr) == 16, "handover.S");

static const uint64_t gdt[] = {
    0x0000000000000000,
    0x00009a000000ffff, // 16-bit code, 64 KiB
    0x000092000000ffff, // 16-bit data, 64 KiB
    0x00cf9a000000ffff, // 32-bit code, 4 GiB
    0x00cf92000000ffff, // 32-bit data, 4 GiB
    0x00209a0000000000, // 64-bit code
    0x0000920000000000, // 64-bit data
    0x0000890000000000, // a task state of base 0 and limit 0, in two words
    0x0000000000000000,
};

uint64_t descriptors_write(void) {
    struct descriptors *tables = state_object(sizeof(*tables));
    memcpy(tables->gdt, gdt, sizeof(gdt));
    tables->gdtr = (struct table_register) { sizeof(gdt) - 1, hhdm(tables->gdt) };
    return hhdm(tables);
}
