// SPDX-License-Identifier: MIT OR Apache-2.0
//
// COM1, polled, for the line that a failed boot prints, and the end of the machine.

#include <stdarg.h>

#include "cpu.h"
#include "direct.h"
#include "serial.h"

// 16550 registers, as offsets from the port's base, and their bits.
enum { DATA = 0, INTERRUPT_ENABLE = 1, FIFO_CONTROL = 2, LINE_CONTROL = 3 };
enum { DIVISOR_LOW = 0, DIVISOR_HIGH = 1 }; // instead of the first two, under LINE_DIVISOR_ACCESS
#define LINE_8N1 0x03
#define LINE_DIVISOR_ACCESS 0x80
#define FIFO_ENABLE_AND_CLEAR 0x07
#define DIVISOR_115200 1

// How often a full transmitter is polled before a byte is dropped: for more than a second.
#define TRANSMIT_POLLS 1000000

#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_PULSE_RESET 0xfe

static void put(char c) {
    for (int i = 0; i < TRANSMIT_POLLS && !(inb(COM1_LINE_STATUS) & STATUS_TRANSMITTER_EMPTY); ++i) {
    }
    outb(COM1 + DATA, (uint8_t)c);
}

// Control characters are shown as dots: the options come from outside.
static void put_string(const char *s) {
    for (; *s; ++s) {
        put(*s >= ' ' && *s <= '~' ? *s : '.');
    }
}

static void put_number(uint64_t value, unsigned int base) {
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (n) {
        put(digits[--n]);
    }
}

static void put_format(const char *format, va_list args) {
    for (; *format; ++format) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        switch (*++format) {
            case 's':
                put_string(va_arg(args, const char *));
                break;
            case 'u':
                put_number(va_arg(args, uint64_t), 10);
                break;
            case 'x':
                put_string("0x");
                put_number(va_arg(args, uint64_t), 16);
                break;
        }
    }
}

static _Noreturn void leave(void) {
    outb(DEBUG_EXIT, EXIT_LOADER);
    outb(KEYBOARD_COMMAND, KEYBOARD_PULSE_RESET);
    const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) no_idt = { 0, 0 };
    __asm__ volatile ("lidt %0; ud2" : : "m" (no_idt));
    __builtin_unreachable();
}

void die(const char *format, ...) {
    outb(COM1 + INTERRUPT_ENABLE, 0);
    outb(COM1 + LINE_CONTROL, LINE_DIVISOR_ACCESS);
    outb(COM1 + DIVISOR_LOW, DIVISOR_115200);
    outb(COM1 + DIVISOR_HIGH, 0);
    outb(COM1 + LINE_CONTROL, LINE_8N1);
    outb(COM1 + FIFO_CONTROL, FIFO_ENABLE_AND_CLEAR);

    put_string("direct: ");
    va_list args;
    va_start(args, format);
    put_format(format, args);
    va_end(args);
    put('\r');
    put('\n');
    leave();
}
