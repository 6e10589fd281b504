// SPDX-License-Identifier: MIT OR Apache-2.0

#include "cpu.h"
#include "power.h"

// QEMU's isa-debug-exit at the address its users agree on (-device isa-debug-exit,iobase=0xf4).
#define DEBUG_EXIT_PORT 0xf4

// Keyboard controller: pulse the processor's reset line (IBM PC/AT technical reference).
#define KBC_COMMAND_PORT  0x64
#define KBC_STATUS_FULL   0x02
#define KBC_PULSE_RESET   0xfe
#define KBC_READY_TRIES   100000

// Reset control register of Intel's chip sets and their successors: a system
// reset, then the transition of bit 2 that begins it (Intel ICH9 datasheet, 13.7.5).
#define RESET_CONTROL_PORT   0xcf9
#define RESET_CONTROL_SYSTEM 0x02
#define RESET_CONTROL_BEGIN  0x04

void power_debug_exit(int code) {
    cpu_outb(DEBUG_EXIT_PORT, (uint8_t)code);
}

// Time enough for a reset to take place.
static void wait_a_little(void) {
    for (int i = 0; i < KBC_READY_TRIES; ++i) {
        cpu_pause();
    }
}

void power_reset(void) {
    for (int i = 0; i < KBC_READY_TRIES && cpu_inb(KBC_COMMAND_PORT) & KBC_STATUS_FULL; ++i) {
        cpu_pause();
    }
    cpu_outb(KBC_COMMAND_PORT, KBC_PULSE_RESET);
    wait_a_little();
    cpu_outb(RESET_CONTROL_PORT, RESET_CONTROL_SYSTEM);
    cpu_outb(RESET_CONTROL_PORT, RESET_CONTROL_SYSTEM | RESET_CONTROL_BEGIN);
    wait_a_little();
    // Still here: an exception without an IDT shuts the processor down.
    static const table_register_t no_idt;
    cpu_lidt(&no_idt);
    __asm__ volatile ("int3");
    for (;;) {
        cpu_hlt();
    }
}
