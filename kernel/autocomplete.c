// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The Tab key at the prompt.  Upstream's mp_repl_autocomplete leaves out private
// names when it looks for completions, but not when it lists them.

#include "py/runtime.h"
#include "py/repl.h"

#include "autocomplete.h"

// As upstream has them.
#define WORD_SLOT_LEN (16)
#define MAX_LINE_LEN (4 * WORD_SLOT_LEN)

typedef struct {
    const mp_print_t *print;
    size_t column; // 0 before the first word
} list_t;

// Upstream prints each word by itself, and what separates words by itself.
static void print_public(void *data, const char *str, size_t len) {
    list_t *list = data;
    if (len == 0 || str[0] == '_' || str[0] == ' ' || str[0] == '\n') {
        return;
    }
    size_t start = (list->column + 2 + WORD_SLOT_LEN - 1) / WORD_SLOT_LEN * WORD_SLOT_LEN;
    if (list->column == 0 || start + len > MAX_LINE_LEN) {
        mp_print_str(list->print, "\n");
        list->column = 0;
        start = 0;
    }
    for (; list->column < start; ++list->column) {
        mp_print_str(list->print, " ");
    }
    list->print->print_strn(list->print->data, str, len);
    list->column += len;
}

static bool names_anything(const char *str, size_t len) {
    return len == 0 || !unichar_isident((byte)str[len - 1]);
}

size_t autocomplete(const char *str, size_t len, const mp_print_t *print, const char **compl_str) {
    // Who has typed an underscore wants the private names.
    if (!names_anything(str, len)) {
        return mp_repl_autocomplete(str, len, print, compl_str);
    }
    list_t list = { print, 0 };
    mp_print_t public = { &list, print_public };
    size_t found = mp_repl_autocomplete(str, len, &public, compl_str);
    if (list.column) {
        mp_print_str(print, "\n");
    }
    return found;
}
