// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The loader's own command line: words that make it boot oddly on purpose.  README.md has the table.

#include "direct.h"

static const char *const type_names[] = {
    [LIMINE_MEMMAP_USABLE] = "usable",
    [LIMINE_MEMMAP_RESERVED] = "reserved",
    [LIMINE_MEMMAP_ACPI_RECLAIMABLE] = "acpi",
    [LIMINE_MEMMAP_ACPI_NVS] = "nvs",
    [LIMINE_MEMMAP_BAD_MEMORY] = "bad",
    [LIMINE_MEMMAP_BOOTLOADER_RECLAIMABLE] = "loader",
    [LIMINE_MEMMAP_EXECUTABLE_AND_MODULES] = "kernel",
    [LIMINE_MEMMAP_FRAMEBUFFER] = "framebuffer",
    [LIMINE_MEMMAP_RESERVED_MAPPED] = "mapped",
};

static struct regions given_map, given_marks;

// Cuts the text at the next `separator` and returns what lies before it; NULL at the end.
static char *next_part(char **text, char separator) {
    char *part = *text;
    if (!part || !*part) {
        return NULL;
    }
    char *p = part;
    while (*p && *p != separator) {
        ++p;
    }
    *text = *p ? p + 1 : p;
    *p = '\0';
    return part;
}

static uint64_t whole_number(const char *text, const char *order) {
    uint64_t value;
    const char *p = text;
    if (!parse_number(&p, &value) || *p) {
        die("%s=%s: not a number", order, text);
    }
    return value;
}

static bool parse_type(const char *text, uint64_t *type) {
    for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); ++i) {
        if (string_equal(text, type_names[i])) {
            *type = i;
            return true;
        }
    }
    return parse_number(&text, type) && !*text;
}

// "base+length:type,...", each kept as it stands.
static void parse_entries(struct regions *list, const char *order, char *text) {
    for (char *part; (part = next_part(&text, ','));) {
        struct limine_memmap_entry entry;
        const char *p = part;
        if (!parse_number(&p, &entry.base) || *p++ != '+' || !parse_number(&p, &entry.length) || *p++ != ':'
            || !parse_type(p, &entry.type)) {
            die("%s: '%s' is not base+length:type", order, part);
        }
        if (list->count == SERVED_ENTRIES_MAX) {
            die("%s: more than %u entries", order, (uint64_t)SERVED_ENTRIES_MAX);
        }
        list->entry[list->count++] = entry;
    }
}

static void order_memmap(struct orders *orders, char *value) {
    orders->replace_map = true;
    if (!string_equal(value, "none")) {
        parse_entries(orders->map, "memmap", value);
    }
}

static void order_add(struct orders *orders, char *value) {
    parse_entries(orders->map, "add", value);
}

static void order_mark(struct orders *orders, char *value) {
    parse_entries(orders->marks, "mark", value);
    for (size_t i = 0; i < orders->marks->count; ++i) {
        const struct limine_memmap_entry *entry = &orders->marks->entry[i];
        if (entry->base + entry->length < entry->base) {
            die("mark: %x+%x runs past 64 bits", entry->base, entry->length);
        }
    }
}

static void order_shuffle(struct orders *orders, char *value) {
    orders->shuffle = true;
    orders->shuffle_seed = *value ? whole_number(value, "shuffle") : 0;
}

static void order_omit(struct orders *orders, char *value) {
    for (char *name; (name = next_part(&value, ','));) {
        int index = feature_index(name);
        if (index < 0) {
            die("omit=%s: no such response", name);
        }
        orders->omitted |= 1u << index;
    }
}

static void order_revision(struct orders *orders, char *value) {
    orders->ignore_tag = string_equal(value, "none");
    if (orders->ignore_tag) {
        return;
    }
    orders->revision_cap = whole_number(value, "revision");
    if (orders->revision_cap < REVISION_OLDEST || orders->revision_cap > REVISION_NEWEST) {
        die("revision=%s: not one of %u to %u", value, (uint64_t)REVISION_OLDEST, (uint64_t)REVISION_NEWEST);
    }
}

static void order_junk(struct orders *orders, char *value) {
    uint64_t byte = *value ? whole_number(value, "junk") : 0xdb;
    if (byte > UINT8_MAX) {
        die("junk=%s: not a byte", value);
    }
    orders->junk = true;
    orders->junk_byte = (uint8_t)byte;
}

static void parse_placement(struct placement *where, const char *value) {
    if (string_equal(value, "top")) {
        where->kind = PLACE_TOP;
        return;
    }
    where->kind = PLACE_AT;
    where->base_phys = whole_number(value, where->order);
    if (where->base_phys % PAGE_SIZE) {
        die("%s=%s: not page aligned", where->order, value);
    }
}

static void order_kernel(struct orders *orders, char *value) {
    parse_placement(&orders->kernel, value);
}

static void order_modules(struct orders *orders, char *value) {
    parse_placement(&orders->modules, value);
}

static void order_state(struct orders *orders, char *value) {
    parse_placement(&orders->state, value);
}

static const struct {
    const char *name;
    bool needs_value;
    void (*obey)(struct orders *orders, char *value);
} table[] = {
    { "memmap", true, order_memmap },
    { "add", true, order_add },
    { "mark", true, order_mark },
    { "shuffle", false, order_shuffle },
    { "omit", true, order_omit },
    { "revision", true, order_revision },
    { "junk", false, order_junk },
    { "kernel", true, order_kernel },
    { "modules", true, order_modules },
    { "state", true, order_state },
};

static void obey(struct orders *orders, char *word) {
    char *value = word;
    char *name = next_part(&value, '=');
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); ++i) {
        if (string_equal(name, table[i].name)) {
            if (table[i].needs_value && !*value) {
                die("order '%s' needs a value", name);
            }
            table[i].obey(orders, value);
            return;
        }
    }
    die("unknown order '%s'", name);
}

void orders_parse(struct orders *orders, char *line) {
    *orders = (struct orders) {
        .revision_cap = REVISION_NEWEST,
        .kernel.order = "kernel",
        .modules.order = "modules",
        .state.order = "state",
        .map = &given_map,
        .marks = &given_marks,
    };
    // QEMU puts the loader's own file name first.
    next_part(&line, ' ');
    for (char *word; (word = next_part(&line, ' '));) {
        if (*word) {
            obey(orders, word);
        }
    }
}
