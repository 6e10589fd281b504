// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The processor's instructions that C cannot express.
// Sources: Intel SDM volume 2 (instructions) and volume 3, 2.5 (control registers).
//
// The common files use what every processor's cpu.h has: cpu_init, cpu_name,
// cpu_ticks, cpu_pause, cpu_irq_disable, cpu_irq_restore and cpu_random.
#ifndef KERNEL_MCU_X86_64_CPU_H
#define KERNEL_MCU_X86_64_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RFLAGS_IF (UINT64_C(1) << 9)
#define RFLAGS_DF (UINT64_C(1) << 10)

typedef struct _cpuid_t {
    uint32_t eax, ebx, ecx, edx;
} cpuid_t;

// The operand of lgdt and lidt (SDM volume 3, figure 2-6).
typedef struct __attribute__((packed)) _table_register_t {
    uint16_t limit;
    uint64_t base_virt;
} table_register_t;

// Loads the kernel's descriptor tables and prepares what C code relies on.
void cpu_init(void);

// Writes the processor's name, without an end, and returns its length; 0 when it has none.
#define CPU_NAME_SIZE 48
size_t cpu_name(char name[CPU_NAME_SIZE]);

static inline uint8_t cpu_inb(uint16_t port) {
    uint8_t value;
    __asm__ volatile ("inb %1, %0" : "=a" (value) : "Nd" (port) : "memory");
    return value;
}

static inline uint16_t cpu_inw(uint16_t port) {
    uint16_t value;
    __asm__ volatile ("inw %1, %0" : "=a" (value) : "Nd" (port) : "memory");
    return value;
}

static inline uint32_t cpu_inl(uint16_t port) {
    uint32_t value;
    __asm__ volatile ("inl %1, %0" : "=a" (value) : "Nd" (port) : "memory");
    return value;
}

static inline void cpu_outb(uint16_t port, uint8_t value) {
    __asm__ volatile ("outb %0, %1" : : "a" (value), "Nd" (port) : "memory");
}

static inline void cpu_outw(uint16_t port, uint16_t value) {
    __asm__ volatile ("outw %0, %1" : : "a" (value), "Nd" (port) : "memory");
}

static inline void cpu_outl(uint16_t port, uint32_t value) {
    __asm__ volatile ("outl %0, %1" : : "a" (value), "Nd" (port) : "memory");
}

static inline cpuid_t cpu_cpuid(uint32_t leaf, uint32_t subleaf) {
    cpuid_t r;
    __asm__ volatile ("cpuid" : "=a" (r.eax), "=b" (r.ebx), "=c" (r.ecx), "=d" (r.edx) : "a" (leaf), "c" (subleaf));
    return r;
}

static inline uint64_t cpu_rdtsc(void) {
    uint32_t low, high;
    __asm__ volatile ("rdtsc" : "=a" (low), "=d" (high) : : "memory");
    return (uint64_t)high << 32 | low;
}

// A counter that runs at one rate and never stops: the time stamp counter.
static inline uint64_t cpu_ticks(void) {
    return cpu_rdtsc();
}

static inline uint64_t cpu_rdmsr(uint32_t msr) {
    uint32_t low, high;
    __asm__ volatile ("rdmsr" : "=a" (low), "=d" (high) : "c" (msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void cpu_wrmsr(uint32_t msr, uint64_t value) {
    __asm__ volatile ("wrmsr" : : "c" (msr), "a" ((uint32_t)value), "d" ((uint32_t)(value >> 32)) : "memory");
}

#define CPU_DEFINE_CR_READER(n) \
    static inline uint64_t cpu_read_cr##n(void) { \
        uint64_t value; \
        __asm__ volatile ("mov %%cr" #n ", %0" : "=r" (value) : : "memory"); \
        return value; \
    }

CPU_DEFINE_CR_READER(0)
CPU_DEFINE_CR_READER(2)
CPU_DEFINE_CR_READER(3)
CPU_DEFINE_CR_READER(4)

static inline void cpu_write_cr3(uint64_t value) {
    __asm__ volatile ("mov %0, %%cr3" : : "r" (value) : "memory");
}

static inline void cpu_invlpg(uintptr_t address_virt) {
    __asm__ volatile ("invlpg (%0)" : : "r" (address_virt) : "memory");
}

static inline void cpu_lidt(const table_register_t *idtr) {
    __asm__ volatile ("lidt %0" : : "m" (*idtr) : "memory");
}

static inline void cpu_pause(void) {
    __asm__ volatile ("pause" : : : "memory");
}

// Makes all earlier stores visible, those to write-combining memory too.
static inline void cpu_store_fence(void) {
    __asm__ volatile ("sfence" : : : "memory");
}

// Lets no later instruction begin before all earlier stores are visible.
static inline void cpu_store_barrier(void) {
    __asm__ volatile ("mfence; lfence" : : : "memory");
}

// Stores desired in *word if that is *expected, and otherwise *word in *expected.
// Whole to this processor alone, whose interrupts come between instructions: others
// may store to the word only while it is stopped.
static inline bool cpu_compare_exchange_here(uint32_t *word, uint32_t *expected, uint32_t desired) {
    bool equal;
    __asm__ volatile ("cmpxchgl %3, %1" : "=@ccz" (equal), "+m" (*word), "+a" (*expected) : "r" (desired) : "memory");
    return equal;
}

static inline void cpu_hlt(void) {
    __asm__ volatile ("hlt" : : : "memory");
}

// Clears the interrupt flag and returns whether it was set, for cpu_irq_restore().
static inline bool cpu_irq_disable(void) {
    uint64_t rflags;
    __asm__ volatile ("pushfq; popq %0; cli" : "=r" (rflags) : : "memory");
    return (rflags & RFLAGS_IF) != 0;
}

static inline void cpu_irq_restore(bool enable) {
    if (enable) {
        __asm__ volatile ("sti" : : : "memory");
    }
}

// Without RDRAND (leaf 1, ECX bit 30) this is the time stamp counter, which can
// seed a generator but is no source of keys.
static inline uint64_t cpu_random(void) {
    uint64_t value = cpu_rdtsc();
    if (cpu_cpuid(1, 0).ecx & (1u << 30)) {
        bool ok = false;
        // Ten tries, as the SDM recommends (volume 1, 7.3.17.1).
        for (int i = 0; i < 10 && !ok; ++i) {
            __asm__ volatile ("rdrand %0; setc %1" : "=r" (value), "=qm" (ok) : : "cc");
        }
    }
    return value;
}

#endif // KERNEL_MCU_X86_64_CPU_H
