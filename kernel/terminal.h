// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A terminal without a screen: what is written, with its escape sequences, becomes
// rows of characters in colours.  It knows no hardware and includes nothing of the
// kernel, so that it runs on a host too.  docs/screen.md lists the sequences.
#ifndef KERNEL_TERMINAL_H
#define KERNEL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// 2560x1600 pixels in characters of 8x16.
#define TERMINAL_COLUMNS_MAX 320
#define TERMINAL_ROWS_MAX 100

// A character outside Unicode's basic plane, or bytes that are no UTF-8.
#define TERMINAL_REPLACEMENT 0xfffd

// Colours are those of xterm's 256: 16 named ones, a cube of 6x6x6, 24 greys.
#define TERMINAL_COLOUR_CUBE 16
#define TERMINAL_COLOUR_GREYS 232

typedef struct _terminal_cell_t {
    uint16_t character; // Unicode, never a control character
    uint8_t foreground;
    uint8_t background;
} terminal_cell_t;

typedef struct _terminal_cursor_t {
    unsigned int row;
    unsigned int column;
    bool visible;
} terminal_cursor_t;

// Clears the terminal, which has at least one row and column from now on and at most the MAX.
void terminal_init(unsigned int columns, unsigned int rows);

// Text is UTF-8, in pieces that may end anywhere.
void terminal_write(const char *str, size_t len);

// The cells of a row, from 0 at the top.
const terminal_cell_t *terminal_row(unsigned int row);

terminal_cursor_t terminal_cursor(void);

// The rows that may have changed since the last call: first to end - 1.
void terminal_take_changes(unsigned int *first, unsigned int *end);

// Makes all rows count as changed.
void terminal_touch(void);

#endif // KERNEL_TERMINAL_H
