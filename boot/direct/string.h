// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Memory and text: what the compiler may call, named as in C's <string.h>, and helpers for the option line.

#ifndef PFM_DIRECT_STRING_H
#define PFM_DIRECT_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

size_t string_length(const char *s);
bool string_equal(const char *a, const char *b);
// The rest of `s` after `prefix`, or NULL when `s` does not begin with it.
const char *string_after(const char *s, const char *prefix);
// Parses a decimal or 0x number with an optional suffix K, M, G or T and moves *s past it; false when there is none or
// it does not fit 64 bits.
bool parse_number(const char **s, uint64_t *value);

#endif // PFM_DIRECT_STRING_H
