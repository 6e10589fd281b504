// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Reads what is written to a terminal: characters in UTF-8, control characters, and
// escape sequences, in pieces that may end anywhere.  What these do is up to
// terminal.c.  Includes nothing of the kernel, as terminal.h.
#ifndef KERNEL_ESCAPES_H
#define KERNEL_ESCAPES_H

#include <stdbool.h>
#include <stdint.h>

#define ESCAPES_PARAMETERS_MAX 16

// Control characters.
#define BEL 0x07
#define BS  0x08
#define HT  0x09
#define LF  0x0a
#define VT  0x0b
#define FF  0x0c
#define CR  0x0d
#define CAN 0x18
#define SUB 0x1a
#define ESC 0x1b
#define DEL 0x7f

// ESC [, parameters, and a character that says what is to be done.
typedef struct _escapes_sequence_t {
    char final;
    bool private; // ESC [ ?
    unsigned int count;
    unsigned int parameters[ESCAPES_PARAMETERS_MAX];
} escapes_sequence_t;

// A parameter, or what counts if it is missing or 0.
static inline unsigned int escapes_parameter(const escapes_sequence_t *sequence, unsigned int index, unsigned int missing) {
    return index < sequence->count && sequence->parameters[index] != 0 ? sequence->parameters[index] : missing;
}

// Forgets what has begun.
void escapes_reset(void);

// Whether nothing has begun: a byte from ' ' to DEL - 1 is a character then.
bool escapes_is_between(void);

void escapes_read(uint8_t byte);

// What escapes_read() calls, in terminal.c: for a character, for a control character
// other than those that begin and end sequences, for ESC and one character, and for
// a sequence.
void terminal_put(uint32_t character);
void terminal_control(uint8_t byte);
void terminal_escape(char final);
void terminal_sequence(const escapes_sequence_t *sequence);

#endif // KERNEL_ESCAPES_H
