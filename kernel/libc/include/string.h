// SPDX-License-Identifier: MIT OR Apache-2.0
//
// mem* in the processor's memory.c, str* in libc/string.c.
#ifndef LIBC_STRING_H
#define LIBC_STRING_H

#include <stddef.h>

void *memchr(const void *s, int c, size_t n);
int memcmp(const void *s1, const void *s2, size_t n);
void *memcpy(void *restrict dest, const void *restrict src, size_t n);
void *memmove(void *dest, const void *src, size_t n);
void *memset(void *dest, int value, size_t n);

char *strchr(const char *s, int c);
int strcmp(const char *s1, const char *s2);
size_t strcspn(const char *s, const char *reject);
char *strcpy(char *restrict dest, const char *restrict src);
size_t strlen(const char *s);
int strncmp(const char *s1, const char *s2, size_t n);
size_t strnlen(const char *s, size_t n);
char *strrchr(const char *s, int c);
size_t strspn(const char *s, const char *accept);
char *strstr(const char *haystack, const char *needle);

#endif // LIBC_STRING_H
