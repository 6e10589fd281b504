// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Makes characters of the keyboard's codes, as a terminal does: modifiers choose a
// level of the layout, keys that move the cursor send escape sequences.
// Codes: scan code set 1 (Microsoft, "Keyboard Scan Code Specification", 1.3a).

#include <stdbool.h>
#include <string.h>

#include "py/mpconfig.h"
#include "py/misc.h"

#include "keyboard.h"

#define CODE_EXTENDED    0xe0 // before the code of a key that the PC/XT had not
#define CODE_PAUSE       0xe1 // before each half of the Pause key's codes, of two bytes
#define CODE_RELEASED    0x80
#define CODE_PAUSE_BYTES 2

#define KEY_CTRL         0x1d
#define KEY_LEFT_SHIFT   0x2a
#define KEY_SLASH        0x35
#define KEY_RIGHT_SHIFT  0x36
#define KEY_ALT          0x38
#define KEY_CAPS_LOCK    0x3a
#define KEY_NUM_LOCK     0x45
#define KEY_ENTER        0x1c
#define KEY_KEYPAD_FIRST 0x47 // the digits, the point, and the signs between them
#define KEY_KEYPAD_LAST  0x53
#define KEY_EXTENDED     0x80 // added here to the keys that follow CODE_EXTENDED

#define LEVEL_SHIFT      1
#define LEVEL_ALTGR      2

#define CHAR_ESCAPE      0x1b
#define SEQUENCE_CTRL    "\x1b[1;5"
#define SEQUENCE_LETTER  2
#define CASE_BIT         0x20 // between 'a' and 'A', and between their likes in Latin-1
#define CONTROL_BITS     0x1f // what Ctrl leaves of '@' to '~'

// Room for what one key types.
#define TEXT_MAX         8

// Codes that are read in one call at most: a garbled controller may have one ready for ever.
#define POLL_CODES       64

// What xterm sends for the keys from KEY_KEYPAD_FIRST on, NULL for those that are signs;
// with Ctrl the arrows, Home and End, which end in a letter, send SEQUENCE_CTRL and it.
static const char *const cursor_sequences[KEY_KEYPAD_LAST - KEY_KEYPAD_FIRST + 1] = {
    "\x1b[H", "\x1b[A", "\x1b[5~", NULL,
    "\x1b[D", NULL, "\x1b[C", NULL,
    "\x1b[F", "\x1b[B", "\x1b[6~",
    "\x1b[2~", "\x1b[3~",
};

static keyboard_layout_t layout;

static struct {
    bool extended;
    int skip;
    bool left_shift, right_shift, left_ctrl, right_ctrl, alt, altgr;
    bool caps_lock, caps_lock_down;
    // Off, or the keypad types its digits.
    bool cursor_keypad, num_lock_down;
} state;

void keyboard_set_layout(const keyboard_layout_t new_layout) {
    memcpy(layout, new_layout, sizeof(layout));
}

// A key that is held is pressed again and again.
static void toggle(bool *on, bool *down, bool pressed) {
    *on ^= pressed && !*down;
    *down = pressed;
}

// Notes a modifier's press or release; returns whether the key is one.
static bool note_modifier(int key, bool pressed) {
    switch (key) {
        case KEY_LEFT_SHIFT:
            state.left_shift = pressed;
            return true;
        case KEY_RIGHT_SHIFT:
            state.right_shift = pressed;
            return true;
        case KEY_CTRL:
            state.left_ctrl = pressed;
            return true;
        case KEY_EXTENDED | KEY_CTRL:
            state.right_ctrl = pressed;
            return true;
        case KEY_ALT:
            state.alt = pressed;
            return true;
        case KEY_EXTENDED | KEY_ALT:
            state.altgr = pressed;
            return true;
        case KEY_CAPS_LOCK:
            toggle(&state.caps_lock, &state.caps_lock_down, pressed);
            return true;
        case KEY_NUM_LOCK:
            toggle(&state.cursor_keypad, &state.num_lock_down, pressed);
            return true;
        default:
            return false;
    }
}

static bool ctrl(void) {
    return state.left_ctrl || state.right_ctrl;
}

static const char *cursor_sequence(int key) {
    int code = key & ~KEY_EXTENDED;
    if (code < KEY_KEYPAD_FIRST || code > KEY_KEYPAD_LAST || !(key & KEY_EXTENDED || state.cursor_keypad)) {
        return NULL;
    }
    return cursor_sequences[code - KEY_KEYPAD_FIRST];
}

// The code point that a key types now, 0 if none.
static unichar key_char(int key) {
    if (key & KEY_EXTENDED) {
        // Two keys of the keypad; others, among them the false Shift around some keys, type nothing.
        switch (key & ~KEY_EXTENDED) {
            case KEY_ENTER:
                return '\r';
            case KEY_SLASH:
                return '/';
            default:
                return 0;
        }
    }
    int level = state.altgr ? LEVEL_ALTGR : 0;
    bool letter = layout[level][key] >= 'a' && layout[level | LEVEL_SHIFT][key] == layout[level][key] - CASE_BIT;
    if ((state.left_shift || state.right_shift) != (state.caps_lock && letter)) {
        level |= LEVEL_SHIFT;
    }
    unichar c = layout[level][key];
    if (!ctrl() || c < ' ' || c == 0x7f) {
        return c;
    }
    return c >= '@' && c <= '~' ? c & CONTROL_BITS : 0;
}

static void press(int key, void (*put)(const char *str, size_t len)) {
    const char *sequence = cursor_sequence(key);
    unichar c = sequence == NULL ? key_char(key) : 0;
    VSTR_FIXED(text, TEXT_MAX);
    if (sequence != NULL && ctrl() && sequence[SEQUENCE_LETTER] >= 'A') {
        vstr_add_str(&text, SEQUENCE_CTRL);
        vstr_add_byte(&text, sequence[SEQUENCE_LETTER]);
    } else if (sequence != NULL) {
        vstr_add_str(&text, sequence);
    } else if (c != 0) {
        if (state.alt) {
            vstr_add_byte(&text, CHAR_ESCAPE);
        }
        vstr_add_char(&text, c);
    }
    put(text.buf, text.len);
}

void keyboard_poll(void (*put)(const char *str, size_t len)) {
    int code;
    for (int i = 0; i < POLL_CODES && (code = keyboard_read_code()) != KEYBOARD_NO_CODE; ++i) {
        if (state.skip > 0) {
            --state.skip;
        } else if (code == CODE_EXTENDED) {
            state.extended = true;
        } else if (code == CODE_PAUSE) {
            state.skip = CODE_PAUSE_BYTES;
        } else {
            int key = (code & ~CODE_RELEASED) | (state.extended ? KEY_EXTENDED : 0);
            bool pressed = !(code & CODE_RELEASED);
            state.extended = false;
            if (!note_modifier(key, pressed) && pressed) {
                press(key, put);
            }
        }
    }
}
