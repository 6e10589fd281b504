// SPDX-License-Identifier: MIT OR Apache-2.0

#include "apic.h"
#include "clock.h"
#include "smp_vector.h"

#define MSR_APIC_BASE   0x1b
#define APIC_BASE_BSP   (1u << 8)

#define APIC_ENABLED    0x1ff // software enable, and the vector of spurious interrupts
#define ICR_PENDING     (1u << 12)
#define ICR_ASSERT      (1u << 14)
#define ICR_DEST_SHIFT  24
#define TIMER_MASKED    (1u << 16)
#define DIVIDE_BY_16    0x3

// An ICR is free again within microseconds.
#define ICR_TRIES       1000000

uintptr_t apic_virt;

static uint64_t apic_base;
static uint32_t timer_per_ms;

void apic_init(uintptr_t virt) {
    apic_base = cpu_rdmsr(MSR_APIC_BASE) & ~(uint64_t)APIC_BASE_BSP;
    apic_virt = virt;
    // The timer's rate, for halts that need not be exact.
    apic_write(APIC_DIVIDE, DIVIDE_BY_16);
    apic_write(APIC_TIMER, TIMER_MASKED | SMP_VECTOR);
    apic_write(APIC_COUNT, UINT32_MAX);
    uint64_t start = cpu_ticks();
    while (cpu_ticks() - start < clock_ticks_hz() / 1000) {
        cpu_pause();
    }
    timer_per_ms = UINT32_MAX - apic_read(APIC_CURRENT);
    apic_write(APIC_COUNT, 0);
}

void apic_enable(void) {
    // The boot processor's mode.
    cpu_wrmsr(MSR_APIC_BASE, apic_base);
    apic_write(APIC_SPURIOUS, APIC_ENABLED);
}

void apic_send(uint32_t apic_id, uint32_t command) {
    command |= ICR_ASSERT;
    if (apic_virt == 0) {
        // Unlike a store, this write does not wait for the stores before it (SDM, 11.12.3).
        cpu_store_barrier();
        cpu_wrmsr(MSR_X2APIC + (APIC_ICR_LOW >> 4), (uint64_t)apic_id << 32 | command);
        return;
    }
    // The last one has mostly been delivered by now; waiting for this one would delay the caller.
    for (int i = 0; i < ICR_TRIES && apic_read(APIC_ICR_LOW) & ICR_PENDING; ++i) {
        cpu_pause();
    }
    apic_write(APIC_ICR_HIGH, apic_id << ICR_DEST_SHIFT);
    apic_write(APIC_ICR_LOW, command);
}

bool apic_halt(unsigned int ms) {
    if (timer_per_ms == 0) {
        return false;
    }
    bool enabled = cpu_irq_disable();
    apic_write(APIC_DIVIDE, DIVIDE_BY_16);
    apic_write(APIC_TIMER, SMP_VECTOR);
    apic_write(APIC_COUNT, timer_per_ms * ms);
    // Interrupts are recognised after the instruction that follows sti.
    __asm__ volatile ("sti; hlt; cli" : : : "memory");
    apic_write(APIC_TIMER, TIMER_MASKED | SMP_VECTOR);
    cpu_irq_restore(enabled);
    return true;
}
