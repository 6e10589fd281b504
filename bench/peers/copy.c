// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Ways to copy memory among which the kernel's memcpy chooses.

#include <string.h>

#include "peers.h"

#define BLOCK 64

typedef uint64_t __attribute__((may_alias)) word_t;
typedef long long __attribute__((vector_size(16), may_alias)) vector_t;

void peer_memcpy(void *dest, const void *src, size_t size) {
    memcpy(dest, src, size);
    MEMORY_IS_USED();
}

// The plainest memcpy, which uses nothing special of the processor.
void peer_copy_bytes(void *dest, const void *src, size_t size) {
    uint8_t *d = dest;
    const uint8_t *s = src;
    for (; size > 0; --size) {
        *d++ = *s++;
        MEMORY_IS_USED();
    }
}

void peer_copy_movsb(void *dest, const void *src, size_t size) {
    __asm__ volatile ("rep movsb" : "+D" (dest), "+S" (src), "+c" (size) : : "memory");
}

void peer_copy_movsq(void *dest, const void *src, size_t size) {
    size /= sizeof(word_t);
    __asm__ volatile ("rep movsq" : "+D" (dest), "+S" (src), "+c" (size) : : "memory");
}

void peer_copy_words(void *dest, const void *src, size_t size) {
    word_t *d = dest;
    const word_t *s = src;
    for (; size > 0; size -= 4 * sizeof(word_t), d += 4, s += 4) {
        word_t a = s[0], b = s[1], c = s[2], e = s[3];
        // Keeps the compiler from using vectors or calling memcpy.
        __asm__ volatile ("" : "+r" (a), "+r" (b), "+r" (c), "+r" (e));
        d[0] = a;
        d[1] = b;
        d[2] = c;
        d[3] = e;
    }
}

void peer_copy_sse(void *dest, const void *src, size_t size) {
    vector_t *d = dest;
    const vector_t *s = src;
    for (; size > 0; size -= BLOCK, d += 4, s += 4) {
        vector_t a = s[0], b = s[1], c = s[2], e = s[3];
        __asm__ volatile ("" : "+x" (a), "+x" (b), "+x" (c), "+x" (e));
        d[0] = a;
        d[1] = b;
        d[2] = c;
        d[3] = e;
    }
}
