// SPDX-License-Identifier: MIT OR Apache-2.0

#include <string.h>

#include "cpu.h"
#include "memory.h"
#include "smp.h"

// Brand string of the processor: three leaves of 16 characters (SDM volume 2,
// CPUID, leaves 80000002H to 80000004H).
#define CPUID_EXTENDED_MAX 0x80000000
#define CPUID_BRAND_FIRST  0x80000002
#define CPUID_BRAND_LAST   0x80000004

_Static_assert(CPU_NAME_SIZE == (CPUID_BRAND_LAST - CPUID_BRAND_FIRST + 1) * sizeof(cpuid_t), "brand string");

void cpu_init(void) {
    smp_init();
    memory_init();
}

size_t cpu_name(char name[CPU_NAME_SIZE]) {
    if (cpu_cpuid(CPUID_EXTENDED_MAX, 0).eax < CPUID_BRAND_LAST) {
        return 0;
    }
    for (uint32_t leaf = CPUID_BRAND_FIRST; leaf <= CPUID_BRAND_LAST; ++leaf) {
        cpuid_t part = cpu_cpuid(leaf, 0);
        memcpy(name + (leaf - CPUID_BRAND_FIRST) * sizeof(part), &part, sizeof(part));
    }
    return strnlen(name, CPU_NAME_SIZE);
}
