// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The four functions that the compiler may call, made of the string instructions, which are the fastest on emulators
// and processors alike; and helpers for text.

#include "direct.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    void *start = to;
    size_t words = size / 8, rest = size % 8;
    __asm__ volatile ("rep movsq" : "+D" (to), "+S" (from), "+c" (words) : : "memory");
    __asm__ volatile ("rep movsb" : "+D" (to), "+S" (from), "+c" (rest) : : "memory");
    return start;
}

void *memset(void *to, int byte, size_t size) {
    void *start = to;
    size_t words = size / 8, rest = size % 8;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101ull;
    __asm__ volatile ("rep stosq" : "+D" (to), "+c" (words) : "a" (pattern) : "memory");
    __asm__ volatile ("rep stosb" : "+D" (to), "+c" (rest) : "a" (pattern) : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t size) {
    uint8_t *t = to;
    const uint8_t *f = from;
    if (t <= f || t >= f + size) {
        return memcpy(to, from, size);
    }
    while (size--) {
        t[size] = f[size];
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size) {
    const uint8_t *x = a, *y = b;
    for (; size; --size, ++x, ++y) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}

size_t string_length(const char *s) {
    size_t n = 0;
    while (s[n]) {
        ++n;
    }
    return n;
}

bool string_equal(const char *a, const char *b) {
    while (*a && *a == *b) {
        ++a;
        ++b;
    }
    return *a == *b;
}

const char *string_after(const char *s, const char *prefix) {
    for (; *prefix; ++s, ++prefix) {
        if (*s != *prefix) {
            return NULL;
        }
    }
    return s;
}

static int digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return 16;
}

static unsigned int suffix_shift(char c) {
    switch (c) {
        case 'K':
            return 10;
        case 'M':
            return 20;
        case 'G':
            return 30;
        case 'T':
            return 40;
        default:
            return 0;
    }
}

bool parse_number(const char **s, uint64_t *value) {
    const char *after = string_after(*s, "0x");
    const char *p = after ? after : *s;
    unsigned int base = after ? 16 : 10;
    if (digit(*p) >= (int)base) {
        return false;
    }
    uint64_t n = 0;
    for (; digit(*p) < (int)base; ++p) {
        if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit(*p), &n)) {
            return false;
        }
    }
    unsigned int shift = suffix_shift(*p);
    if (shift) {
        ++p;
        if (n >> (64 - shift)) {
            return false;
        }
    }
    *value = n << shift;
    *s = p;
    return true;
}
