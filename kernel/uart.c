// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The polled driver of the first serial port, a 16550.  Its interrupt only ends
// a halt (irq.h).  Registers are accessed as the processor's uart_io.h says.
// Registers: National Semiconductor PC16550D data sheet, table 1.

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"
#include "uart.h"
#include "uart_io.h"

#define REG_DATA        0 // receive and transmit; divisor low while DLAB
#define REG_IER         1 // interrupt enable; divisor high while DLAB
#define REG_IIR         2 // interrupt identification, when read
#define REG_FCR         2
#define REG_LCR         3
#define REG_MCR         4
#define REG_LSR         5
#define REG_SCRATCH     7

#define FCR_ENABLE      0x01
#define FCR_RX_LEVEL_14 0xc0
#define LCR_8N1         0x03
#define LCR_DLAB        0x80
#define IER_RX          0x01
#define IIR_ID          0x0f
#define IIR_ID_RX_LEVEL 0x04 // the FIFO holds RX_LEVEL characters or more
#define MCR_DTR_RTS     0x03
#define MCR_OUT2        0x08 // on a PC this connects the interrupt line
#define LSR_DATA_READY  0x01
#define LSR_TX_EMPTY    0x20 // the FIFO has room for FIFO_SIZE characters
#define LSR_TX_IDLE     0x40 // and none is being shifted out

#define BAUD_BASE       115200
#define BAUD            115200
#define FIFO_SIZE       16
// Of these, as many as are read without a look at the status between them.  QEMU
// hands over as many at a time, with a turn of its main loop for each time.
#define RX_LEVEL        14

// A FIFO drains in 1.4 ms, but a virtual line stops while nobody reads it.  A
// read of a register takes about a microsecond, so this is 10 s.
#define TX_WAIT_TRIES   10000000

static bool present;
// The line has stopped: output is dropped without waiting until there is room again.
static bool stuck;

void uart_init(void) {
    // An absent port reads as all ones.
    uart_write(REG_SCRATCH, 0x5a);
    present = uart_read(REG_SCRATCH) == 0x5a;
    if (!present) {
        return;
    }
    uart_write(REG_IER, 0);
    uart_write(REG_LCR, LCR_DLAB);
    uart_write(REG_DATA, BAUD_BASE / BAUD & 0xff);
    uart_write(REG_IER, BAUD_BASE / BAUD >> 8);
    uart_write(REG_LCR, LCR_8N1);
    // The FIFOs are not cleared: input may have come while the loader ran.
    uart_write(REG_FCR, FCR_ENABLE | FCR_RX_LEVEL_14);
    uart_write(REG_MCR, MCR_DTR_RTS | MCR_OUT2);
    uart_write(REG_IER, IER_RX);
}

size_t uart_rx(uint8_t *buf, size_t size) {
    size_t len = 0;
    while (present && len < size && uart_read(REG_LSR) & LSR_DATA_READY) {
        bool level = size - len >= RX_LEVEL && (uart_read(REG_IIR) & IIR_ID) == IIR_ID_RX_LEVEL;
        for (size_t end = len + (level ? RX_LEVEL : 1); len < end; ++len) {
            buf[len] = uart_read(REG_DATA);
        }
    }
    return len;
}

static bool tx_wait(uint8_t lsr_bit) {
    int tries = stuck ? 1 : TX_WAIT_TRIES;
    for (stuck = true; stuck && tries > 0; --tries) {
        if (uart_read(REG_LSR) & lsr_bit) {
            stuck = false;
        } else {
            cpu_pause();
        }
    }
    return !stuck;
}

void uart_tx_strn(const char *buf, size_t len) {
    while (present && len > 0 && tx_wait(LSR_TX_EMPTY)) {
        for (size_t room = FIFO_SIZE; room > 0 && len > 0; --room, --len) {
            uart_write(REG_DATA, (uint8_t)*buf++);
        }
    }
}

void uart_tx_flush(void) {
    if (present) {
        tx_wait(LSR_TX_IDLE);
    }
}
