// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_UART_H
#define KERNEL_UART_H

#include <stddef.h>

#define UART_RX_NO_CHAR (-1)

// Sets the first serial port to 115200 baud, 8N1, with its FIFOs on.  Where there is no UART
// all output is dropped and no input comes.
void uart_init(void);

// The next received character, or UART_RX_NO_CHAR at once.
int uart_rx_chr(void);

// Sends len bytes; waits for room, but not for ever on a stuck line.
void uart_tx_strn(const char *buf, size_t len);

// Waits until everything sent has left the UART, within a bound.
void uart_tx_flush(void);

#endif // KERNEL_UART_H
