// SPDX-License-Identifier: MIT OR Apache-2.0

#include <stdarg.h>

#include "console.h"
#include "panic.h"
#include "power.h"
#include "screen.h"
#include "smp.h"

void panic(const char *format, ...) {
    smp_freeze();
    screen_show(true);
    va_list args;
    va_start(args, format);
    console_printf("panic: ");
    mp_vprintf(&console_print, format, args);
    console_printf("\n");
    va_end(args);
    power_exit(EXIT_PANIC);
}
