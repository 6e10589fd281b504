// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Implemented by upstream's shared/libc/printf.c.
#ifndef LIBC_STDIO_H
#define LIBC_STDIO_H

#include <stdarg.h>
#include <stddef.h>

int printf(const char *format, ...);
int vprintf(const char *format, va_list args);
int snprintf(char *str, size_t size, const char *format, ...);
int vsnprintf(char *str, size_t size, const char *format, va_list args);
int putchar(int c);
int puts(const char *str);

#endif // LIBC_STDIO_H
