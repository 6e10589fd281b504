// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_AUTOCOMPLETE_H
#define KERNEL_AUTOCOMPLETE_H

#include <stddef.h>

#include "py/mpprint.h"

// As mp_repl_autocomplete, whose place it takes in readline.c (see the Makefile).
size_t autocomplete(const char *str, size_t len, const mp_print_t *print, const char **compl_str);

#endif // KERNEL_AUTOCOMPLETE_H
