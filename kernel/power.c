// SPDX-License-Identifier: MIT OR Apache-2.0

#include "cpu.h"
#include "power.h"
#include "screen.h"
#include "uart.h"
#include "virtioconsole.h"

void power_exit(int code) {
    cpu_irq_disable();
    uart_tx_flush();
    virtioconsole_tx_flush();
    screen_flush();
    power_debug_exit(code);
    if ((code == EXIT_PANIC || code == EXIT_FAULT) && screen_layout(NULL)) {
        for (;;) {
            cpu_hlt();
        }
    }
    power_reset();
}
