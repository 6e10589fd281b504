// SPDX-License-Identifier: MIT OR Apache-2.0

#include <stdarg.h>

#include "py/mphal.h"

#include "console.h"

static void print_strn(void *data, const char *str, size_t len) {
    (void)data;
    mp_hal_stdout_tx_strn_cooked(str, len);
}

const mp_print_t console_print = { NULL, print_strn };

void console_printf(const char *format, ...) {
    va_list args;
    va_start(args, format);
    mp_vprintf(&console_print, format, args);
    va_end(args);
}
