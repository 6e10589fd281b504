// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The loader's own command line: words that make it boot oddly, for tests.  README.md has the table.

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

static uint64_t whole_number(const char *text, const char *option) {
    uint64_t value;
    const char *p = text;
    if (!parse_number(&p, &value) || *p) {
        die("%s=%s: not a number", option, text);
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
static void parse_entries(struct regions *list, const char *option, char *text) {
    for (char *part; (part = next_part(&text, ','));) {
        struct limine_memmap_entry entry;
        const char *p = part;
        if (!parse_number(&p, &entry.base) || *p++ != '+' || !parse_number(&p, &entry.length) || *p++ != ':'
            || !parse_type(p, &entry.type)) {
            die("%s: '%s' is not base+length:type", option, part);
        }
        if (list->count == SERVED_ENTRIES_MAX) {
            die("%s: more than %u entries", option, (uint64_t)SERVED_ENTRIES_MAX);
        }
        list->entry[list->count++] = entry;
    }
}

static void set_memmap(struct options *options, char *value) {
    options->replace_map = true;
    if (!string_equal(value, "none")) {
        parse_entries(options->map, "memmap", value);
    }
}

static void set_add(struct options *options, char *value) {
    parse_entries(options->map, "add", value);
}

static void set_mark(struct options *options, char *value) {
    parse_entries(options->marks, "mark", value);
    for (size_t i = 0; i < options->marks->count; ++i) {
        const struct limine_memmap_entry *entry = &options->marks->entry[i];
        if (entry->base + entry->length < entry->base) {
            die("mark: %x+%x runs past 64 bits", entry->base, entry->length);
        }
    }
}

static void set_shuffle(struct options *options, char *value) {
    options->shuffle = true;
    options->shuffle_seed = *value ? whole_number(value, "shuffle") : 0;
}

static void set_omit(struct options *options, char *value) {
    for (char *name; (name = next_part(&value, ','));) {
        int index = feature_index(name);
        if (index < 0) {
            die("omit=%s: no such response", name);
        }
        options->omitted |= 1u << index;
    }
}

static void set_revision(struct options *options, char *value) {
    options->ignore_tag = string_equal(value, "none");
    if (options->ignore_tag) {
        return;
    }
    options->revision_cap = whole_number(value, "revision");
    if (options->revision_cap < REVISION_OLDEST || options->revision_cap > REVISION_NEWEST) {
        die("revision=%s: not one of %u to %u", value, (uint64_t)REVISION_OLDEST, (uint64_t)REVISION_NEWEST);
    }
}

static void set_junk(struct options *options, char *value) {
    uint64_t byte = *value ? whole_number(value, "junk") : 0xdb;
    if (byte > UINT8_MAX) {
        die("junk=%s: not a byte", value);
    }
    options->junk = true;
    options->junk_byte = (uint8_t)byte;
}

// The usual mode of its adapter under Limine.
#define DEFAULT_FRAMEBUFFER "1280x800x32"
#define FRAMEBUFFER_SIDE_MAX 16384

static void set_mode(struct options *options, uint64_t width, uint64_t height, uint64_t bpp) {
    uint8_t green = bpp == 16 ? 6 : 8, other = bpp == 16 ? 5 : 8;
    options->framebuffer = (struct limine_framebuffer) {
        .width = width,
        .height = height,
        .pitch = width * (bpp / 8),
        .bpp = (uint16_t)bpp,
        .memory_model = LIMINE_FRAMEBUFFER_RGB,
        .red_mask_size = other,
        .red_mask_shift = (uint8_t)(other + green),
        .green_mask_size = green,
        .green_mask_shift = other,
        .blue_mask_size = other,
    };
}

static void set_framebuffer(struct options *options, char *value) {
    uint64_t width, height, bpp;
    const char *p = value;
    if (string_equal(value, "none")) {
        options->framebuffer.width = 0;
    } else if (parse_number(&p, &width) && *p++ == 'x' && parse_number(&p, &height) && *p++ == 'x'
               && parse_number(&p, &bpp) && !*p && width && width <= FRAMEBUFFER_SIDE_MAX && height
               && height <= FRAMEBUFFER_SIDE_MAX && (bpp == 16 || bpp == 24 || bpp == 32)) {
        set_mode(options, width, height, bpp);
    } else {
        die("framebuffer=%s: not WIDTHxHEIGHTxBITS", value);
    }
}

#define FRAMEBUFFER_FIELD(name) \
    { #name, offsetof(struct limine_framebuffer, name), sizeof(((struct limine_framebuffer *)0)->name) }

static void garble(struct options *options, const char *name, uint64_t value) {
    static const struct {
        const char *name;
        size_t at, size;
    } fields[] = {
        FRAMEBUFFER_FIELD(address), FRAMEBUFFER_FIELD(width), FRAMEBUFFER_FIELD(height), FRAMEBUFFER_FIELD(pitch),
        FRAMEBUFFER_FIELD(bpp), FRAMEBUFFER_FIELD(memory_model), FRAMEBUFFER_FIELD(red_mask_size),
        FRAMEBUFFER_FIELD(red_mask_shift),
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); ++i) {
        if (string_equal(name, fields[i].name)) {
            memcpy((uint8_t *)&options->garbled + fields[i].at, &value, fields[i].size);
            memset((uint8_t *)&options->garble_mask + fields[i].at, UINT8_MAX, fields[i].size);
            return;
        }
    }
    die("garble: no field '%s'", name);
}

// "field:value,..." of the first framebuffer.
static void set_garble(struct options *options, char *value) {
    for (char *part; (part = next_part(&value, ','));) {
        char *number = part;
        const char *name = next_part(&number, ':');
        garble(options, name, whole_number(number, "garble"));
    }
}

static void parse_placement(struct placement *where, const char *value) {
    if (string_equal(value, "top")) {
        where->kind = PLACE_TOP;
        return;
    }
    where->kind = PLACE_AT;
    where->base_phys = whole_number(value, where->option);
    if (where->base_phys % PAGE_SIZE) {
        die("%s=%s: not page aligned", where->option, value);
    }
}

static void set_kernel(struct options *options, char *value) {
    parse_placement(&options->kernel, value);
}

static void set_modules(struct options *options, char *value) {
    parse_placement(&options->modules, value);
}

static void set_state(struct options *options, char *value) {
    parse_placement(&options->state, value);
}

static const struct {
    const char *name;
    bool needs_value;
    void (*set)(struct options *options, char *value);
} table[] = {
    { "memmap", true, set_memmap },
    { "add", true, set_add },
    { "mark", true, set_mark },
    { "shuffle", false, set_shuffle },
    { "omit", true, set_omit },
    { "revision", true, set_revision },
    { "junk", false, set_junk },
    { "framebuffer", true, set_framebuffer },
    { "garble", true, set_garble },
    { "kernel", true, set_kernel },
    { "modules", true, set_modules },
    { "state", true, set_state },
};

static void set_option(struct options *options, char *word) {
    char *value = word;
    char *name = next_part(&value, '=');
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); ++i) {
        if (string_equal(name, table[i].name)) {
            if (table[i].needs_value && !*value) {
                die("option '%s' needs a value", name);
            }
            table[i].set(options, value);
            return;
        }
    }
    die("unknown option '%s'", name);
}

void options_parse(struct options *options, char *line) {
    *options = (struct options) {
        .revision_cap = REVISION_NEWEST,
        .kernel.option = "kernel",
        .modules.option = "modules",
        .state.option = "state",
        .map = &given_map,
        .marks = &given_marks,
    };
    char usual[] = DEFAULT_FRAMEBUFFER;
    set_framebuffer(options, usual);
    // QEMU puts the loader's own file name first.
    next_part(&line, ' ');
    for (char *word; (word = next_part(&line, ' '));) {
        if (*word) {
            set_option(options, word);
        }
    }
}
