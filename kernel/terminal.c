// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Sources: ECMA-48 (control functions), the VT100 User Guide (margins, the wrap at
// the last column), and xterm's ctlseqs (256 colours).

#include <string.h>

#include "terminal.h"

#define TAB_WIDTH 8
#define PARAMETERS_MAX 16
// Larger numbers mean the same: there are fewer rows and columns.
#define PARAMETER_MAX 9999

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
#define BEL 0x07

#define FOREGROUND_DEFAULT 7
#define BACKGROUND_DEFAULT 0
#define BRIGHT 8 // added to a named colour

typedef enum {
    STATE_TEXT,
    STATE_ESCAPE,        // after ESC
    STATE_ESCAPE_SKIP,   // after ESC and an intermediate character: one more belongs to it
    STATE_CONTROL,       // after ESC [
    STATE_STRING,        // after ESC ] and the like, up to BEL or ESC backslash
    STATE_STRING_ESCAPE,
} state_t;

typedef struct _pen_t {
    uint8_t foreground;
    uint8_t background;
    bool bold;
    bool reverse;
} pen_t;

typedef struct _position_t {
    unsigned int row;
    unsigned int column; // equal to columns after a character in the last one: the next wraps
    pen_t pen;
} position_t;

static const pen_t pen_default = { FOREGROUND_DEFAULT, BACKGROUND_DEFAULT, false, false };

static terminal_cell_t storage[TERMINAL_ROWS_MAX][TERMINAL_COLUMNS_MAX];
// Where each row is stored: scrolling moves these numbers, never cells.
static uint8_t stored[TERMINAL_ROWS_MAX];
static unsigned int columns, rows;
static unsigned int changed_first, changed_end;

static position_t at, saved;
static bool cursor_visible;
static bool wraps;
static unsigned int margin_top, margin_bottom; // the rows that scroll, both included

static state_t state;
static unsigned int parameters[PARAMETERS_MAX];
static unsigned int parameter_count;
static bool private_sequence; // ESC [ ?
static bool unknown_sequence; // is read to its end and ignored

static uint32_t utf8_character;
static uint32_t utf8_least; // a shorter encoding is an error
static unsigned int utf8_missing;

static unsigned int min(unsigned int a, unsigned int b) {
    return a < b ? a : b;
}

static void changed(unsigned int first, unsigned int end) {
    changed_first = min(changed_first, first);
    changed_end = changed_end > end ? changed_end : end;
}

static terminal_cell_t cell_of(uint32_t character, const pen_t *pen) {
    uint8_t foreground = pen->foreground;
    if (pen->bold && foreground < BRIGHT) {
        foreground += BRIGHT;
    }
    return (terminal_cell_t) {
        .character = (uint16_t)character,
        .foreground = pen->reverse ? pen->background : foreground,
        .background = pen->reverse ? foreground : pen->background,
    };
}

static void fill(unsigned int row, unsigned int first, unsigned int end, const pen_t *pen) {
    terminal_cell_t blank = cell_of(' ', pen);
    terminal_cell_t *cells = storage[stored[row]];
    for (unsigned int column = first; column < end; ++column) {
        cells[column] = blank;
    }
    changed(row, row + 1);
}

// What is erased gets the background, not the reverse of it.
static void erase(unsigned int row, unsigned int first, unsigned int end) {
    pen_t pen = at.pen;
    pen.reverse = false;
    fill(row, first, min(end, columns), &pen);
}

static void erase_rows(unsigned int first, unsigned int end) {
    for (unsigned int row = first; row < end; ++row) {
        erase(row, 0, columns);
    }
}

// Moves rows top to bottom up (or down) by count; those that become free are blank.
static void scroll(unsigned int top, unsigned int bottom, unsigned int count, bool up) {
    unsigned int height = bottom - top + 1;
    count = min(count, height);
    for (unsigned int i = 0; i < count; ++i) {
        uint8_t moved;
        if (up) {
            moved = stored[top];
            memmove(&stored[top], &stored[top + 1], (height - 1) * sizeof(stored[0]));
            stored[bottom] = moved;
            fill(bottom, 0, columns, &pen_default);
        } else {
            moved = stored[bottom];
            memmove(&stored[top + 1], &stored[top], (height - 1) * sizeof(stored[0]));
            stored[top] = moved;
            fill(top, 0, columns, &pen_default);
        }
    }
    changed(top, bottom + 1);
}

static void line_feed(void) {
    if (at.row == margin_bottom) {
        scroll(margin_top, margin_bottom, 1, true);
    } else if (at.row + 1 < rows) {
        ++at.row;
    }
}

static void reverse_line_feed(void) {
    if (at.row == margin_top) {
        scroll(margin_top, margin_bottom, 1, false);
    } else if (at.row > 0) {
        --at.row;
    }
}

static void reset(void) {
    at = saved = (position_t) { 0, 0, pen_default };
    cursor_visible = true;
    wraps = true;
    margin_top = 0;
    margin_bottom = rows - 1;
    erase_rows(0, rows);
}

void terminal_init(unsigned int columns_wanted, unsigned int rows_wanted) {
    columns = columns_wanted;
    rows = rows_wanted;
    for (unsigned int row = 0; row < rows; ++row) {
        stored[row] = (uint8_t)row;
    }
    changed_first = rows;
    changed_end = 0;
    state = STATE_TEXT;
    utf8_missing = 0;
    reset();
}

const terminal_cell_t *terminal_row(unsigned int row) {
    return storage[stored[row]];
}

terminal_cursor_t terminal_cursor(void) {
    return (terminal_cursor_t) { at.row, min(at.column, columns - 1), cursor_visible };
}

void terminal_take_changes(unsigned int *first, unsigned int *end) {
    *first = changed_first;
    *end = changed_end;
    changed_first = rows;
    changed_end = 0;
}

void terminal_touch(void) {
    changed(0, rows);
}

static void put(uint32_t character) {
    if (at.column == columns) {
        if (wraps) {
            at.column = 0;
            line_feed();
        } else {
            --at.column;
        }
    }
    storage[stored[at.row]][at.column++] = cell_of(character, &at.pen);
    changed(at.row, at.row + 1);
}

static void put_byte(uint8_t byte) {
    if (utf8_missing > 0) {
        if ((byte & 0xc0) == 0x80) {
            utf8_character = utf8_character << 6 | (byte & 0x3f);
            if (--utf8_missing == 0) {
                bool wrong = utf8_character < utf8_least || utf8_character > 0xffff
                    || (utf8_character >= 0xd800 && utf8_character <= 0xdfff);
                put(wrong ? TERMINAL_REPLACEMENT : utf8_character);
            }
            return;
        }
        utf8_missing = 0;
        put(TERMINAL_REPLACEMENT);
    }
    if (byte < 0x80) {
        if (byte >= ' ' && byte != DEL) {
            put(byte);
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
        put(TERMINAL_REPLACEMENT);
    }
}

// Returns whether the byte is a control character that acts in a sequence too.
static bool control(uint8_t byte) {
    switch (byte) {
        case BS:
            at.column = min(at.column, columns - 1);
            if (at.column > 0) {
                --at.column;
            }
            return true;
        case HT:
            at.column = min((at.column / TAB_WIDTH + 1) * TAB_WIDTH, columns - 1);
            return true;
        case LF:
        case VT:
        case FF:
            line_feed();
            return true;
        case CR:
            at.column = 0;
            return true;
        case CAN:
        case SUB:
            state = STATE_TEXT;
            return true;
        case ESC:
            state = STATE_ESCAPE;
            return true;
        default:
            return byte < ' ';
    }
}

static unsigned int parameter(unsigned int index, unsigned int missing) {
    return index < parameter_count && parameters[index] != 0 ? parameters[index] : missing;
}

// Row and column count from 1.
static void move_to(unsigned int row, unsigned int column) {
    at.row = min(row, rows) - 1;
    at.column = min(column, columns) - 1;
}

// Vertical moves stop at a margin, unless they begin outside it.
static void move_up(unsigned int count) {
    unsigned int top = at.row >= margin_top ? margin_top : 0;
    at.row -= min(count, at.row - top);
}

static void move_down(unsigned int count) {
    unsigned int bottom = at.row <= margin_bottom ? margin_bottom : rows - 1;
    at.row += min(count, bottom - at.row);
}

static void erase_in_display(unsigned int what) {
    if (what == 0) {
        erase(at.row, at.column, columns);
        erase_rows(at.row + 1, rows);
    } else if (what == 1) {
        erase_rows(0, at.row);
        erase(at.row, 0, at.column + 1);
    } else if (what <= 3) {
        erase_rows(0, rows);
    }
}

static void erase_in_line(unsigned int what) {
    if (what <= 2) {
        erase(at.row, what == 0 ? at.column : 0, what == 1 ? at.column + 1 : columns);
    }
}

static void shift_cells(unsigned int count, bool insert) {
    if (at.column == columns) {
        return;
    }
    terminal_cell_t *cells = &storage[stored[at.row]][at.column];
    unsigned int length = columns - at.column;
    count = min(count, length);
    if (insert) {
        memmove(cells + count, cells, (length - count) * sizeof(*cells));
        erase(at.row, at.column, at.column + count);
    } else {
        memmove(cells, cells + count, (length - count) * sizeof(*cells));
        erase(at.row, columns - count, columns);
    }
}

static void shift_rows(unsigned int count, bool up) {
    if (at.row >= margin_top && at.row <= margin_bottom) {
        scroll(at.row, margin_bottom, count, up);
        at.column = 0;
    }
}

// The colour of 24 bits that is nearest in xterm's cube: its levels are 0, 95, 135, ... 255.
static unsigned int cube_level(unsigned int intensity) {
    return intensity < 48 ? 0 : intensity < 115 ? 1 : min((intensity - 35) / 40, 5);
}

// Reads what follows 38 or 48, and returns the index of the last parameter taken.
static unsigned int extended_colour(unsigned int index, uint8_t *colour) {
    unsigned int kind = parameter(index + 1, 0);
    if (kind == 5 && index + 2 < parameter_count) {
        *colour = (uint8_t)min(parameters[index + 2], UINT8_MAX);
        return index + 2;
    }
    if (kind == 2 && index + 4 < parameter_count) {
        const unsigned int *rgb = &parameters[index + 2];
        *colour = (uint8_t)(TERMINAL_COLOUR_CUBE + 36 * cube_level(rgb[0]) + 6 * cube_level(rgb[1]) + cube_level(rgb[2]));
        return index + 4;
    }
    return parameter_count;
}

static void select_rendition(void) {
    if (parameter_count == 0) {
        at.pen = pen_default;
    }
    for (unsigned int i = 0; i < parameter_count; ++i) {
        unsigned int code = parameters[i];
        switch (code) {
            case 0:
                at.pen = pen_default;
                break;
            case 1:
                at.pen.bold = true;
                break;
            case 22:
                at.pen.bold = false;
                break;
            case 7:
                at.pen.reverse = true;
                break;
            case 27:
                at.pen.reverse = false;
                break;
            case 38:
                i = extended_colour(i, &at.pen.foreground);
                break;
            case 39:
                at.pen.foreground = FOREGROUND_DEFAULT;
                break;
            case 48:
                i = extended_colour(i, &at.pen.background);
                break;
            case 49:
                at.pen.background = BACKGROUND_DEFAULT;
                break;
            default:
                if (code >= 30 && code <= 37) {
                    at.pen.foreground = (uint8_t)(code - 30);
                } else if (code >= 40 && code <= 47) {
                    at.pen.background = (uint8_t)(code - 40);
                } else if (code >= 90 && code <= 97) {
                    at.pen.foreground = (uint8_t)(code - 90 + BRIGHT);
                } else if (code >= 100 && code <= 107) {
                    at.pen.background = (uint8_t)(code - 100 + BRIGHT);
                }
                break;
        }
    }
}

static void set_margins(void) {
    unsigned int top = parameter(0, 1), bottom = min(parameter(1, rows), rows);
    if (top < bottom) {
        margin_top = top - 1;
        margin_bottom = bottom - 1;
        move_to(1, 1);
    }
}

static void set_private_mode(bool on) {
    for (unsigned int i = 0; i < parameter_count; ++i) {
        if (parameters[i] == 7) {
            wraps = on;
        } else if (parameters[i] == 25) {
            cursor_visible = on;
        }
    }
}

static void run_private_sequence(char final) {
    if (final == 'h' || final == 'l') {
        set_private_mode(final == 'h');
    }
}

static void run_sequence(char final) {
    unsigned int count = parameter(0, 1);
    switch (final) {
        case '@':
            shift_cells(count, true);
            break;
        case 'A':
            move_up(count);
            break;
        case 'B':
        case 'e':
            move_down(count);
            break;
        case 'C':
        case 'a':
            at.column = min(at.column + count, columns - 1);
            break;
        case 'D':
            at.column = min(at.column, columns - 1);
            at.column -= min(count, at.column);
            break;
        case 'E':
            move_down(count);
            at.column = 0;
            break;
        case 'F':
            move_up(count);
            at.column = 0;
            break;
        case 'G':
        case '`':
            at.column = min(count, columns) - 1;
            break;
        case 'H':
        case 'f':
            move_to(count, parameter(1, 1));
            break;
        case 'J':
            erase_in_display(parameter(0, 0));
            break;
        case 'K':
            erase_in_line(parameter(0, 0));
            break;
        case 'L':
            shift_rows(count, false);
            break;
        case 'M':
            shift_rows(count, true);
            break;
        case 'P':
            shift_cells(count, false);
            break;
        case 'S':
            scroll(margin_top, margin_bottom, count, true);
            break;
        case 'T':
            scroll(margin_top, margin_bottom, count, false);
            break;
        case 'X':
            erase(at.row, at.column, at.column + count);
            break;
        case 'd':
            at.row = min(count, rows) - 1;
            break;
        case 'm':
            select_rendition();
            break;
        case 'r':
            set_margins();
            break;
        case 's':
            saved = at;
            break;
        case 'u':
            at = saved;
            break;
    }
}

static void escape_byte(uint8_t byte) {
    state = STATE_TEXT;
    switch (byte) {
        case '[':
            state = STATE_CONTROL;
            parameter_count = 0;
            private_sequence = unknown_sequence = false;
            break;
        case ']':
        case 'P':
        case 'X':
        case '^':
        case '_':
            state = STATE_STRING;
            break;
        case '7':
            saved = at;
            break;
        case '8':
            at = saved;
            break;
        case 'D':
            line_feed();
            break;
        case 'E':
            at.column = 0;
            line_feed();
            break;
        case 'M':
            reverse_line_feed();
            break;
        case 'c':
            reset();
            break;
        default:
            if (byte >= ' ' && byte < '0') {
                state = STATE_ESCAPE_SKIP;
            }
            break;
    }
}

static void control_byte(uint8_t byte) {
    if (byte >= '0' && byte <= '9') {
        if (parameter_count == 0) {
            parameters[parameter_count++] = 0;
        }
        unsigned int *last = &parameters[parameter_count - 1];
        *last = min(*last * 10 + (byte - '0'), PARAMETER_MAX);
    } else if (byte == ';') {
        if (parameter_count == 0) {
            parameters[parameter_count++] = 0;
        }
        if (parameter_count == PARAMETERS_MAX) {
            unknown_sequence = true;
        } else {
            parameters[parameter_count++] = 0;
        }
    } else if (byte == '?') {
        private_sequence = true;
    } else if (byte >= '@' && byte <= '~') {
        state = STATE_TEXT;
        if (unknown_sequence) {
            return;
        }
        if (private_sequence) {
            run_private_sequence((char)byte);
        } else {
            run_sequence((char)byte);
        }
    } else {
        unknown_sequence = true;
    }
}

static void write_byte(uint8_t byte) {
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
        put(TERMINAL_REPLACEMENT);
    }
    if (control(byte)) {
        return;
    }
    switch (state) {
        case STATE_TEXT:
            put_byte(byte);
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

// Puts plain text into the rest of the row, and returns how many bytes that took:
// most output is that, and this is several times as fast as byte by byte.
static size_t write_plain(const char *str, size_t len) {
    if (state != STATE_TEXT || utf8_missing > 0) {
        return 0;
    }
    size_t count = 0, room = columns - at.column;
    terminal_cell_t *cells = &storage[stored[at.row]][at.column];
    terminal_cell_t cell = cell_of(' ', &at.pen);
    for (; count < len && count < room && str[count] >= ' ' && str[count] < DEL; ++count) {
        cell.character = (uint16_t)str[count];
        cells[count] = cell;
    }
    at.column += (unsigned int)count;
    return count;
}

void terminal_write(const char *str, size_t len) {
    // The row that the cursor leaves and the one that it reaches change at least.
    changed(at.row, at.row + 1);
    for (size_t i = 0; i < len;) {
        size_t count = write_plain(str + i, len - i);
        changed(at.row, at.row + 1);
        i += count;
        if (count == 0) {
            write_byte((uint8_t)str[i++]);
        }
    }
    changed(at.row, at.row + 1);
}
