// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_UART_H
#define KERNEL_UART_H

#include <stddef.h>
#include <stdint.h>

// Sets the first serial port to 115200 baud, 8N1, with its FIFOs on.  Where there is no UART
// all output is dropped and no input comes.
void uart_init(void);

// Reads what was received, size characters at most, and returns how many.
size_t uart_rx(uint8_t *buf, size_t size);

// Sends len bytes; waits for room, for some 10 s when the line has stopped.
void uart_tx_strn(const char *buf, size_t len);

// Waits until everything sent has left the UART, for some 10 s at most.
void uart_tx_flush(void);

#endif // KERNEL_UART_H
