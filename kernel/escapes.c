// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Sources: ECMA-48 (control functions), RFC 3629 (UTF-8).

#include "escapes.h"
#include "terminal.h"

// Larger numbers mean the same: there are fewer rows and columns.
#define PARAMETER_MAX 9999

typedef enum {
    STATE_TEXT,
    STATE_ESCAPE,        // after ESC
    STATE_ESCAPE_SKIP,   // after ESC and an intermediate character: one more belongs to it
    STATE_CONTROL,       // after ESC [
    STATE_STRING,        // after ESC ] and the like, up to BEL or ESC backslash
    STATE_STRING_ESCAPE,
} state_t;

static state_t state;
static escapes_sequence_t sequence;
static bool unknown_sequence; // is read to its end and ignored

static uint32_t utf8_character;
static uint32_t utf8_least; // a shorter encoding is an error
static unsigned int utf8_missing;

void escapes_reset(void) {
    state = STATE_TEXT;
    utf8_missing = 0;
}

bool escapes_is_between(void) {
    return state == STATE_TEXT && utf8_missing == 0;
}

static void text_byte(uint8_t byte) {
    if (utf8_missing > 0) {
        if ((byte & 0xc0) == 0x80) {
            utf8_character = utf8_character << 6 | (byte & 0x3f);
            if (--utf8_missing == 0) {
                bool wrong = utf8_character < utf8_least || utf8_character > 0xffff
                    || (utf8_character >= 0xd800 && utf8_character <= 0xdfff);
                terminal_put(wrong ? TERMINAL_REPLACEMENT : utf8_character);
            }
            return;
        }
        utf8_missing = 0;
        terminal_put(TERMINAL_REPLACEMENT);
    }
    if (byte < 0x80) {
        if (byte >= ' ' && byte != DEL) {
            terminal_put(byte);
        }
    } else if (byte >= 0xc2 && byte < 0xe0) {
        utf8_missing = 1;
        utf8_least = 0x80;
        utf8_character = byte & 0x1f;
    } else if (byte >= 0xe0 && byte < 0xf0) {
        utf8_missing = 2;
        utf8_least = 0x800;
        utf8_character = byte & 0x0f;
    } else if (byte >= 0xf0 && byte < 0xf5) {
        utf8_missing = 3;
        utf8_least = 0x10000;
        utf8_character = byte & 0x07;
    } else {
        terminal_put(TERMINAL_REPLACEMENT);
    }
}

static void escape_byte(uint8_t byte) {
    state = STATE_TEXT;
    switch (byte) {
        case '[':
            state = STATE_CONTROL;
            sequence.count = 0;
            sequence.private = unknown_sequence = false;
            break;
        case ']':
        case 'P':
        case 'X':
        case '^':
        case '_':
            state = STATE_STRING;
            break;
        default:
            if (byte >= ' ' && byte < '0') {
                state = STATE_ESCAPE_SKIP;
            } else {
                terminal_escape((char)byte);
            }
            break;
    }
}

static void control_byte(uint8_t byte) {
    if (byte >= '0' && byte <= '9') {
        if (sequence.count == 0) {
            sequence.parameters[sequence.count++] = 0;
        }
        unsigned int *last = &sequence.parameters[sequence.count - 1];
        *last = *last * 10 + (byte - '0');
        if (*last > PARAMETER_MAX) {
            *last = PARAMETER_MAX;
        }
    } else if (byte == ';') {
        if (sequence.count == 0) {
            sequence.parameters[sequence.count++] = 0;
        }
        if (sequence.count == ESCAPES_PARAMETERS_MAX) {
            unknown_sequence = true;
        } else {
            sequence.parameters[sequence.count++] = 0;
        }
    } else if (byte == '?') {
        sequence.private = true;
    } else if (byte >= '@' && byte <= '~') {
        state = STATE_TEXT;
        if (!unknown_sequence) {
            sequence.final = (char)byte;
            terminal_sequence(&sequence);
        }
    } else {
        unknown_sequence = true;
    }
}

// Returns whether the byte is a control character, which acts within a sequence too.
static bool take_control(uint8_t byte) {
    if (byte >= ' ') {
        return false;
    }
    if (byte == ESC) {
        state = STATE_ESCAPE;
    } else if (byte == CAN || byte == SUB) {
        state = STATE_TEXT;
    } else {
        terminal_control(byte);
    }
    return true;
}

void escapes_read(uint8_t byte) {
    switch (state) {
        case STATE_STRING:
            if (byte == ESC) {
                state = STATE_STRING_ESCAPE;
            } else if (byte == BEL || byte == CAN || byte == SUB) {
                state = STATE_TEXT;
            }
            return;
        case STATE_STRING_ESCAPE:
            state = STATE_ESCAPE;
            if (byte == '\\') {
                state = STATE_TEXT;
                return;
            }
            break;
        default:
            break;
    }
    if (byte < ' ' && utf8_missing > 0) {
        utf8_missing = 0;
        terminal_put(TERMINAL_REPLACEMENT);
    }
    if (take_control(byte)) {
        return;
    }
    switch (state) {
        case STATE_TEXT:
            text_byte(byte);
            break;
        case STATE_ESCAPE:
            escape_byte(byte);
            break;
        case STATE_CONTROL:
            control_byte(byte);
            break;
        default:
            state = STATE_TEXT;
            break;
    }
}
