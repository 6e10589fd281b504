// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The processor's instructions that C cannot express, and its bits.

#ifndef PFM_DIRECT_CPU_H
#define PFM_DIRECT_CPU_H

// Intel SDM volume 4: the extended feature register.
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define EFER_LMA (1 << 10)
#define EFER_NXE (1 << 11)

#ifndef __ASSEMBLER__

#include <stdint.h>

static inline void outb(uint16_t port, uint8_t value) {
    __asm__ volatile ("outb %0, %1" : : "a" (value), "Nd" (port));
}

static inline uint8_t inb(uint16_t port) {
    uint8_t value;
    __asm__ volatile ("inb %1, %0" : "=a" (value) : "Nd" (port));
    return value;
}

static inline void outl(uint16_t port, uint32_t value) {
    __asm__ volatile ("outl %0, %1" : : "a" (value), "Nd" (port));
}

static inline uint32_t inl(uint16_t port) {
    uint32_t value;
    __asm__ volatile ("inl %1, %0" : "=a" (value) : "Nd" (port));
    return value;
}

static inline uint64_t rdmsr(uint32_t msr) {
    uint32_t low, high;
    __asm__ volatile ("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value) {
    __asm__ volatile ("wrmsr" : : "c" (msr), "a" ((uint32_t)value), "d" ((uint32_t)(value >> 32)) : "memory");
}

static inline void write_cr3(uint64_t table_phys) {
    __asm__ volatile ("mov %0, %%cr3" : : "r" (table_phys) : "memory");
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf) {
    struct cpuid r;
    __asm__ volatile ("cpuid" : "=a" (r.eax), "=b" (r.ebx), "=c" (r.ecx), "=d" (r.edx) : "a" (leaf), "c" (0));
    return r;
}

// Feature bits, named by CPUID leaf and register.
#define CPUID_1_EDX_APIC (1u << 9)
#define CPUID_1_EDX_PAT (1u << 16)
#define CPUID_80000001_EDX_NX (1u << 20)
#define CPUID_80000001_EDX_GIB_PAGES (1u << 26)
#define CPUID_80000008_EAX_PHYSICAL_BITS 0xffu

#endif // __ASSEMBLER__

#endif // PFM_DIRECT_CPU_H
