// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Access to the registers of the first serial port: I/O ports, as on the PC/AT.
#ifndef KERNEL_MCU_X86_64_UART_IO_H
#define KERNEL_MCU_X86_64_UART_IO_H

#include "cpu.h"

#define COM1 0x3f8

static inline uint8_t uart_read(unsigned int reg) {
    return cpu_inb((uint16_t)(COM1 + reg));
}

static inline void uart_write(unsigned int reg, uint8_t value) {
    cpu_outb((uint16_t)(COM1 + reg), value);
}

#endif // KERNEL_MCU_X86_64_UART_IO_H
