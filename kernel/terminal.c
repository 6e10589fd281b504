// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the characters and sequences that escapes.c reads do to the rows.
//
// Sources: ECMA-48 (control functions), the VT100 User Guide (margins, the wrap at
// the last column), and xterm's ctlseqs (256 colours).

#include <string.h>

#include "escapes.h"
#include "terminal.h"

#define TAB_WIDTH 8

#define FOREGROUND_DEFAULT 7
#define BACKGROUND_DEFAULT 0
#define BRIGHT 8 // added to a named colour

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
    escapes_reset();
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

void terminal_put(uint32_t character) {
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

void terminal_control(uint8_t byte) {
    switch (byte) {
        case BS:
            at.column = min(at.column, columns - 1);
            if (at.column > 0) {
                --at.column;
            }
            break;
        case HT:
            at.column = min((at.column / TAB_WIDTH + 1) * TAB_WIDTH, columns - 1);
            break;
        case LF:
        case VT:
        case FF:
            line_feed();
            break;
        case CR:
            at.column = 0;
            break;
    }
}

void terminal_escape(char final) {
    switch (final) {
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
    }
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
static unsigned int extended_colour(const escapes_sequence_t *sequence, unsigned int index, uint8_t *colour) {
    unsigned int kind = escapes_parameter(sequence, index + 1, 0);
    if (kind == 5 && index + 2 < sequence->count) {
        *colour = (uint8_t)min(sequence->parameters[index + 2], UINT8_MAX);
        return index + 2;
    }
    if (kind == 2 && index + 4 < sequence->count) {
        const unsigned int *rgb = &sequence->parameters[index + 2];
        *colour = (uint8_t)(TERMINAL_COLOUR_CUBE + 36 * cube_level(rgb[0]) + 6 * cube_level(rgb[1]) + cube_level(rgb[2]));
        return index + 4;
    }
    return sequence->count;
}

static void select_rendition(const escapes_sequence_t *sequence) {
    if (sequence->count == 0) {
        at.pen = pen_default;
    }
    for (unsigned int i = 0; i < sequence->count; ++i) {
        unsigned int code = sequence->parameters[i];
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
                i = extended_colour(sequence, i, &at.pen.foreground);
                break;
            case 39:
                at.pen.foreground = FOREGROUND_DEFAULT;
                break;
            case 48:
                i = extended_colour(sequence, i, &at.pen.background);
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

static void set_margins(const escapes_sequence_t *sequence) {
    unsigned int top = escapes_parameter(sequence, 0, 1), bottom = min(escapes_parameter(sequence, 1, rows), rows);
    if (top < bottom) {
        margin_top = top - 1;
        margin_bottom = bottom - 1;
        move_to(1, 1);
    }
}

static void set_private_mode(const escapes_sequence_t *sequence, bool on) {
    for (unsigned int i = 0; i < sequence->count; ++i) {
        if (sequence->parameters[i] == 7) {
            wraps = on;
        } else if (sequence->parameters[i] == 25) {
            cursor_visible = on;
        }
    }
}

void terminal_sequence(const escapes_sequence_t *sequence) {
    if (sequence->private) {
        if (sequence->final == 'h' || sequence->final == 'l') {
            set_private_mode(sequence, sequence->final == 'h');
        }
        return;
    }
    unsigned int count = escapes_parameter(sequence, 0, 1);
    switch (sequence->final) {
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
            move_to(count, escapes_parameter(sequence, 1, 1));
            break;
        case 'J':
            erase_in_display(escapes_parameter(sequence, 0, 0));
            break;
        case 'K':
            erase_in_line(escapes_parameter(sequence, 0, 0));
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
            select_rendition(sequence);
            break;
        case 'r':
            set_margins(sequence);
            break;
        case 's':
            saved = at;
            break;
        case 'u':
            at = saved;
            break;
    }
}

// Puts plain text into the rest of the row, and returns how many bytes that took:
// most output is that, and this is several times as fast as byte by byte.
static size_t write_plain(const char *str, size_t len) {
    if (!escapes_is_between()) {
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
            escapes_read((uint8_t)str[i++]);
        }
    }
    changed(at.row, at.row + 1);
}
