// SPDX-License-Identifier: MIT OR Apache-2.0
//
// memcpy, memmove, memset and memcmp near the memory's speed, on processors
// and under QEMU's translator (TCG) alike.  What is fast differs:
//
//   `rep movsb`    the fastest copy on processors with ERMS; the slowest under
//                  TCG, which moves one byte at a time;
//   16-byte moves  good everywhere, the fastest copy under TCG;
//   `rep stosq`    the fastest fill on both.
//
// So a copy depends on one flag, which memory_init() sets, and a fill on none.
// Short blocks are moved without string instructions, which take some 30 cycles
// to start.  Heads and tails are moves that overlap the rest, not byte loops.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cpu.h"
#include "memory.h"

// From these sizes on the string instructions are faster.
#define REP_MOVSB_MIN 768
#define REP_STOSQ_MIN 128

#define COPY_BLOCK 128

// CPUID.(7,0):EBX bit 9, enhanced rep movsb/stosb (SDM volume 2, CPUID).
#define CPUID_EXTENDED_FEATURES 7
#define CPUID_EBX_ERMS (1u << 9)
#define CPUID_ECX_HYPERVISOR (1u << 31)
#define CPUID_HYPERVISOR 0x40000000

typedef uint64_t __attribute__((may_alias, aligned(1))) u64_t;
typedef uint32_t __attribute__((may_alias, aligned(1))) u32_t;
typedef uint16_t __attribute__((may_alias, aligned(1))) u16_t;
typedef long long __attribute__((vector_size(16), may_alias, aligned(1))) u128_t;

static bool rep_movsb_is_fast;

void memory_init(void) {
    if (cpu_cpuid(0, 0).eax < CPUID_EXTENDED_FEATURES) {
        return;
    }
    bool erms = cpu_cpuid(CPUID_EXTENDED_FEATURES, 0).ebx & CPUID_EBX_ERMS;
    bool tcg = false;
    if (cpu_cpuid(1, 0).ecx & CPUID_ECX_HYPERVISOR) {
        cpuid_t id = cpu_cpuid(CPUID_HYPERVISOR, 0);
        const uint32_t name[3] = { id.ebx, id.ecx, id.edx };
        tcg = memcmp(name, "TCGTCGTCGTCG", sizeof(name)) == 0;
    }
    rep_movsb_is_fast = erms && !tcg;
}

// Up to 16 bytes: all loads before the first store, so the blocks may overlap.
static inline void copy_short(uint8_t *d, const uint8_t *s, size_t n) {
    if (n >= 8) {
        uint64_t a = *(const u64_t *)s, b = *(const u64_t *)(s + n - 8);
        *(u64_t *)d = a;
        *(u64_t *)(d + n - 8) = b;
    } else if (n >= 4) {
        uint32_t a = *(const u32_t *)s, b = *(const u32_t *)(s + n - 4);
        *(u32_t *)d = a;
        *(u32_t *)(d + n - 4) = b;
    } else if (n >= 2) {
        uint16_t a = *(const u16_t *)s, b = *(const u16_t *)(s + n - 2);
        *(u16_t *)d = a;
        *(u16_t *)(d + n - 2) = b;
    } else if (n != 0) {
        *d = *s;
    }
}

// All loads before the first store here too.  Eight at once are the fastest
// under TCG, where loops are expensive.
static inline void copy_block(uint8_t *d, const uint8_t *s) {
    const u128_t *from = (const u128_t *)s;
    u128_t *to = (u128_t *)d;
    u128_t v0 = from[0], v1 = from[1], v2 = from[2], v3 = from[3];
    u128_t v4 = from[4], v5 = from[5], v6 = from[6], v7 = from[7];
    to[0] = v0;
    to[1] = v1;
    to[2] = v2;
    to[3] = v3;
    to[4] = v4;
    to[5] = v5;
    to[6] = v6;
    to[7] = v7;
}

// More than 16 bytes, upwards; correct for overlap when d < s.
static inline void copy_up(uint8_t *d, const uint8_t *s, size_t n) {
    uint8_t *end = d + n;
    u128_t tail = *(const u128_t *)(s + n - 16);
    for (; n > COPY_BLOCK; n -= COPY_BLOCK, d += COPY_BLOCK, s += COPY_BLOCK) {
        copy_block(d, s);
    }
    for (; n > 16; n -= 16, d += 16, s += 16) {
        *(u128_t *)d = *(const u128_t *)s;
    }
    *(u128_t *)(end - 16) = tail;
}

// More than 16 bytes, downwards; correct for overlap when d > s.
static inline void copy_down(uint8_t *d, const uint8_t *s, size_t n) {
    u128_t head = *(const u128_t *)s;
    uint8_t *start = d;
    d += n;
    s += n;
    for (; n > COPY_BLOCK; n -= COPY_BLOCK) {
        d -= COPY_BLOCK;
        s -= COPY_BLOCK;
        copy_block(d, s);
    }
    for (; n > 16; n -= 16) {
        d -= 16;
        s -= 16;
        *(u128_t *)d = *(const u128_t *)s;
    }
    *(u128_t *)start = head;
}

static inline void copy_rep(uint8_t *d, const uint8_t *s, size_t n) {
    __asm__ volatile ("rep movsb" : "+D" (d), "+S" (s), "+c" (n) : : "memory");
}

void *memcpy(void *restrict dest, const void *restrict src, size_t n) {
    if (n <= 16) {
        copy_short(dest, src, n);
    } else if (n >= REP_MOVSB_MIN && rep_movsb_is_fast) {
        copy_rep(dest, src, n);
    } else {
        copy_up(dest, src, n);
    }
    return dest;
}

void *memmove(void *dest, const void *src, size_t n) {
    uintptr_t distance = (uintptr_t)dest - (uintptr_t)src;
    if (n <= 16) {
        copy_short(dest, src, n);
    } else if (distance < n) {
        copy_down(dest, src, n);
    } else if (n >= REP_MOVSB_MIN && rep_movsb_is_fast) {
        copy_rep(dest, src, n);
    } else {
        copy_up(dest, src, n);
    }
    return dest;
}

void *memset(void *dest, int value, size_t n) {
    uint8_t *d = dest;
    uint64_t pattern = UINT64_C(0x0101010101010101) * (uint8_t)value;
    if (n < 8) {
        for (; n != 0; --n) {
            *d++ = (uint8_t)value;
        }
        return dest;
    }
    // The first byte first: the fault on a bad range then reports its start.
    *(u64_t *)d = pattern;
    *(u64_t *)(d + n - 8) = pattern;
    if (n < REP_STOSQ_MIN) {
        for (; n > 8; n -= 8, d += 8) {
            *(u64_t *)d = pattern;
        }
        return dest;
    }
    size_t skip = -(uintptr_t)d & 7;
    d += skip;
    n = (n - skip) / 8;
    __asm__ volatile ("rep stosq" : "+D" (d), "+c" (n) : "a" (pattern) : "memory");
    return dest;
}

int memcmp(const void *s1, const void *s2, size_t n) {
    const uint8_t *a = s1, *b = s2;
    for (; n >= 8 && *(const u64_t *)a == *(const u64_t *)b; n -= 8) {
        a += 8;
        b += 8;
    }
    for (; n != 0; --n, ++a, ++b) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}

void *memchr(const void *s, int c, size_t n) {
    for (const uint8_t *p = s; n != 0; --n, ++p) {
        if (*p == (uint8_t)c) {
            return (void *)p;
        }
    }
    return NULL;
}
