// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The keyboard as a source of characters, like the serial port.  The processor's
// folder reads the codes of its keys, keyboard.c makes characters of them.
#ifndef KERNEL_KEYBOARD_H
#define KERNEL_KEYBOARD_H

#include <stddef.h>
#include <stdint.h>

#define KEYBOARD_LEVELS  4   // plain, Shift, AltGr, Shift and AltGr
#define KEYBOARD_KEYS    128
#define KEYBOARD_NO_CODE (-1)

// The code points that the keys type at each level; 0 where a key types nothing.
typedef uint16_t keyboard_layout_t[KEYBOARD_LEVELS][KEYBOARD_KEYS];

// In the processor's folder: looks for a keyboard and prepares it.
void keyboard_init(void);

// In the processor's folder: the next code of scan code set 1, or KEYBOARD_NO_CODE at once.
int keyboard_read_code(void);

// Which characters the keys type from now on; until the first call they type none.
void keyboard_set_layout(const keyboard_layout_t layout);

// Reads what was typed; calls put with the characters of each key press: UTF-8,
// or an escape sequence.
void keyboard_poll(void (*put)(const char *str, size_t len));

#endif // KERNEL_KEYBOARD_H
