// SPDX-License-Identifier: MIT OR Apache-2.0

#include <string.h>

#include "boot/limine.h"
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "font.h"
#include "requests.h"
#include "screen.h"
#include "terminal.h"

// Further framebuffers are left as they are.
#define SCREENS_MAX 4

// Beyond this a side is garbage; it also keeps products of sides in 32 bits.
#define SIDE_MAX 16384
#define BYTES_PER_PIXEL_MAX 4
#define MASK_SIZE_MAX 16

// A larger scale that leaves fewer characters than this is not used.
#define COLUMNS_LEAST 40
#define ROWS_LEAST 12

#define TICK_NS 10000000
// Drawing takes at most one part in this of the time.
#define DRAWING_SHARE 4

#define CURSOR_COLOUR 7

// A row of a glyph is drawn as two halves of 4 pixels, each copied from a table of
// the 16 patterns there are, in the framebuffer's format and the two colours.
#define PATTERNS 16
#define PATTERN_PIXELS 4
#define PATTERN_SIZE_MAX (PATTERN_PIXELS * SCREEN_SCALE_MAX * BYTES_PER_PIXEL_MAX)

typedef struct _screen_t {
    screen_framebuffer_t to;
    unsigned int scale;
    unsigned int pattern_size;
    uint8_t pattern_foreground, pattern_background;
    bool patterns_made;
    uint8_t patterns[PATTERNS][PATTERN_SIZE_MAX] __attribute__((aligned(16)));
} screen_t;

static screen_t screens[SCREENS_MAX];
static unsigned int screen_count;
static unsigned int columns, rows;

// What the screens show, to find the cells that differ.
static terminal_cell_t shown[TERMINAL_ROWS_MAX][TERMINAL_COLUMNS_MAX];
static bool hidden;
// Set while drawing: a fault there must not lead back there.
static const screen_t *drawing;
static uint64_t next_tick_ns;

// Why a framebuffer cannot be used, or NULL.
static const char *defect_of_masks(const struct limine_framebuffer *f) {
    const screen_mask_t masks[] = {
        { f->red_mask_size, f->red_mask_shift },
        { f->green_mask_size, f->green_mask_shift },
        { f->blue_mask_size, f->blue_mask_shift },
    };
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); ++i) {
        if (masks[i].size == 0 || masks[i].size > MASK_SIZE_MAX || masks[i].size + masks[i].shift > f->bpp) {
            return "masks";
        }
    }
    return NULL;
}

// All of the framebuffer's memory is in the memory map as such: then it is mapped,
// by the loader and later by the kernel, and nobody else uses it.
static bool in_memory_map(uint64_t address, uint64_t size) {
    const struct limine_hhdm_response *hhdm = requests_response(REQUEST_HHDM);
    const struct limine_memmap_response *memmap = requests_response(REQUEST_MEMMAP);
    if (hhdm == NULL || memmap == NULL) {
        // The kernel is about to say so and end, with what the loader mapped.
        return true;
    }
    uint64_t base_phys = address - hhdm->offset;
    const struct limine_memmap_entry *const *entries = (const void *)memmap->entries;
    bool inside = false;
    for (uint64_t i = 0; i < memmap->entry_count; ++i) {
        const struct limine_memmap_entry *entry = entries[i];
        if (entry->type == LIMINE_MEMMAP_FRAMEBUFFER) {
            inside |= base_phys >= entry->base && base_phys - entry->base < entry->length
                && size <= entry->length - (base_phys - entry->base);
        } else if (base_phys < entry->base + entry->length && entry->base < base_phys + size) {
            return false;
        }
    }
    return inside;
}

static const char *defect_of(const struct limine_framebuffer *f) {
    if (f->width < FONT_WIDTH || f->width > SIDE_MAX || f->height < FONT_HEIGHT || f->height > SIDE_MAX) {
        return "size";
    }
    if (f->memory_model != LIMINE_FRAMEBUFFER_RGB) {
        return "memory model";
    }
    if (f->bpp != 16 && f->bpp != 24 && f->bpp != 32) {
        return "bits per pixel";
    }
    if (f->pitch < f->width * (f->bpp / 8) || f->pitch > SIDE_MAX * BYTES_PER_PIXEL_MAX) {
        return "pitch";
    }
    const char *masks = defect_of_masks(f);
    if (masks != NULL) {
        return masks;
    }
    if (!in_memory_map(f->address, f->pitch * f->height)) {
        return "address";
    }
    return NULL;
}

static void take(const struct limine_framebuffer *f) {
    screens[screen_count++].to = (screen_framebuffer_t) {
        .pixels = (uint8_t *)f->address,
        .width = (unsigned int)f->width,
        .height = (unsigned int)f->height,
        .pitch = (unsigned int)f->pitch,
        .bytes_per_pixel = f->bpp / 8,
        .red = { f->red_mask_size, f->red_mask_shift },
        .green = { f->green_mask_size, f->green_mask_shift },
        .blue = { f->blue_mask_size, f->blue_mask_shift },
    };
}

void screen_init(void) {
    const struct limine_framebuffer_response *response = requests_response(REQUEST_FRAMEBUFFER);
    if (response == NULL) {
        return;
    }
    const struct limine_framebuffer *const *framebuffers = (const void *)response->framebuffers;
    uint64_t count = response->framebuffer_count < SCREENS_MAX ? response->framebuffer_count : SCREENS_MAX;
    for (uint64_t i = 0; i < count; ++i) {
        const char *defect = defect_of(framebuffers[i]);
        if (defect == NULL) {
            take(framebuffers[i]);
        }
    }
    screen_set_scale(0);
    for (uint64_t i = 0; i < count; ++i) {
        const struct limine_framebuffer *f = framebuffers[i];
        const char *defect = defect_of(f);
        if (defect != NULL) {
            console_printf("Framebuffer %u not used for its %s: %lux%lu, %u bits, pitch %lu, model %u, at v0x%016lx\n",
                (unsigned int)i, defect, f->width, f->height, f->bpp, f->pitch, f->memory_model, f->address);
        }
    }
}

static unsigned int least(unsigned int a, unsigned int b) {
    return a < b ? a : b;
}

static unsigned int columns_of(const screen_t *screen, unsigned int scale) {
    return screen->to.width / (FONT_WIDTH * scale);
}

static unsigned int rows_of(const screen_t *screen, unsigned int scale) {
    return screen->to.height / (FONT_HEIGHT * scale);
}

static unsigned int choose_scale(const screen_t *screen, unsigned int wanted) {
    unsigned int scale = 1;
    while (scale < SCREEN_SCALE_MAX
           && (columns_of(screen, scale) > TERMINAL_COLUMNS_MAX || rows_of(screen, scale) > TERMINAL_ROWS_MAX)) {
        ++scale;
    }
    while (scale < wanted && scale < SCREEN_SCALE_MAX
           && columns_of(screen, scale + 1) >= COLUMNS_LEAST && rows_of(screen, scale + 1) >= ROWS_LEAST) {
        ++scale;
    }
    return scale;
}

static void clear(void) {
    for (screen_t *screen = screens; screen < &screens[screen_count]; ++screen) {
        for (unsigned int y = 0; screen->to.pixels != NULL && y < screen->to.height; ++y) {
            memset(screen->to.pixels + (size_t)y * screen->to.pitch, 0, screen->to.width * screen->to.bytes_per_pixel);
        }
    }
    // No character: every cell differs from what is shown.
    memset(shown, 0, sizeof(shown));
}

void screen_set_scale(unsigned int scale) {
    if (screen_count == 0) {
        return;
    }
    columns = TERMINAL_COLUMNS_MAX;
    rows = TERMINAL_ROWS_MAX;
    for (screen_t *screen = screens; screen < &screens[screen_count]; ++screen) {
        screen->scale = choose_scale(screen, scale);
        screen->pattern_size = PATTERN_PIXELS * screen->scale * screen->to.bytes_per_pixel;
        screen->patterns_made = false;
        columns = least(columns, columns_of(screen, screen->scale));
        rows = least(rows, rows_of(screen, screen->scale));
    }
    terminal_init(columns, rows);
    clear();
}

bool screen_layout(screen_layout_t *layout) {
    if (screen_count == 0) {
        return false;
    }
    if (layout != NULL) {
        *layout = (screen_layout_t) { columns, rows, screens[0].scale };
    }
    return true;
}

const screen_framebuffer_t *screen_framebuffer(unsigned int number) {
    return number < screen_count ? &screens[number].to : NULL;
}

// The named colours of xterm's 256 are the VGA's.
static uint32_t rgb_of(uint8_t colour) {
    static const uint32_t named[TERMINAL_COLOUR_CUBE] = {
        0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
        0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
    };
    static const uint8_t level[] = { 0, 95, 135, 175, 215, 255 };
    if (colour < TERMINAL_COLOUR_CUBE) {
        return named[colour];
    }
    if (colour >= TERMINAL_COLOUR_GREYS) {
        return (8u + 10u * (colour - TERMINAL_COLOUR_GREYS)) * 0x010101;
    }
    unsigned int cube = colour - TERMINAL_COLOUR_CUBE;
    return (uint32_t)level[cube / 36] << 16 | (uint32_t)level[cube / 6 % 6] << 8 | level[cube % 6];
}

// An intensity of 8 bits in the mask's place, its highest bits repeated below them.
static uint32_t masked(uint32_t intensity, screen_mask_t mask) {
    return (intensity << 8 | intensity) >> (16 - mask.size) << mask.shift;
}

static uint32_t pixel_of(const screen_t *screen, uint8_t colour) {
    uint32_t rgb = rgb_of(colour);
    return masked(rgb >> 16, screen->to.red) | masked(rgb >> 8 & 0xff, screen->to.green) | masked(rgb & 0xff, screen->to.blue);
}

static void make_patterns(screen_t *screen, uint8_t foreground, uint8_t background) {
    if (screen->patterns_made && screen->pattern_foreground == foreground && screen->pattern_background == background) {
        return;
    }
    uint32_t on = pixel_of(screen, foreground), off = pixel_of(screen, background);
    for (unsigned int pattern = 0; pattern < PATTERNS; ++pattern) {
        uint8_t *to = screen->patterns[pattern];
        for (unsigned int i = 0; i < PATTERN_PIXELS * screen->scale; ++i) {
            uint32_t pixel = pattern >> (PATTERN_PIXELS - 1 - i / screen->scale) & 1 ? on : off;
            memcpy(to, &pixel, screen->to.bytes_per_pixel);
            to += screen->to.bytes_per_pixel;
        }
    }
    screen->pattern_foreground = foreground;
    screen->pattern_background = background;
    screen->patterns_made = true;
}

const uint8_t *screen_glyph(uint16_t character) {
    // ASCII comes first, without gaps.
    unsigned int low = 0, high = font_glyph_count - 1;
    if (character >= ' ' && character < 0x7f) {
        return font_glyphs[character - ' '].rows;
    }
    while (low < high) {
        unsigned int middle = (low + high) / 2;
        if (font_glyphs[middle].character < character) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return font_glyphs[font_glyphs[low].character == character ? low : '?' - ' '].rows;
}

typedef long long __attribute__((vector_size(16), may_alias)) u128_t;
typedef u128_t __attribute__((aligned(1))) unaligned_u128_t;

static void draw_cell(screen_t *screen, unsigned int row, unsigned int column, terminal_cell_t cell) {
    make_patterns(screen, cell.foreground, cell.background);
    const uint8_t *glyph = screen_glyph(cell.character);
    size_t size = screen->pattern_size;
    uint8_t *to = screen->to.pixels + (size_t)row * FONT_HEIGHT * screen->scale * screen->to.pitch + column * 2 * size;
    for (unsigned int y = 0; y < FONT_HEIGHT; ++y) {
        const uint8_t *left = screen->patterns[glyph[y] >> 4];
        const uint8_t *right = screen->patterns[glyph[y] & 15];
        for (unsigned int i = 0; i < screen->scale; ++i) {
            if (size == sizeof(u128_t)) {
                *(unaligned_u128_t *)to = *(const u128_t *)left;
                *(unaligned_u128_t *)(to + sizeof(u128_t)) = *(const u128_t *)right;
            } else {
                memcpy(to, left, size);
                memcpy(to + size, right, size);
            }
            to += screen->to.pitch;
        }
    }
}

static void draw_row(unsigned int row, terminal_cursor_t cursor) {
    const terminal_cell_t *cells = terminal_row(row);
    for (unsigned int column = 0; column < columns; ++column) {
        terminal_cell_t cell = cells[column];
        if (cursor.visible && row == cursor.row && column == cursor.column) {
            cell.background = CURSOR_COLOUR;
            cell.foreground = 0;
        }
        terminal_cell_t *was = &shown[row][column];
        if (memcmp(was, &cell, sizeof(cell)) != 0) {
            for (screen_t *screen = screens; screen < &screens[screen_count]; ++screen) {
                drawing = screen;
                if (screen->to.pixels != NULL) {
                    draw_cell(screen, row, column, cell);
                }
            }
            *was = cell;
        }
    }
}

void screen_flush(void) {
    if (screen_count == 0 || hidden || drawing != NULL) {
        return;
    }
    terminal_cursor_t cursor = terminal_cursor();
    unsigned int first, end;
    terminal_take_changes(&first, &end);
    for (unsigned int row = first; row < end; ++row) {
        draw_row(row, cursor);
    }
    // What waits to be combined reaches the screen before the processor halts.
    cpu_store_fence();
    drawing = NULL;
}

void screen_tick(void) {
    if (screen_count == 0) {
        return;
    }
    uint64_t start_ns = clock_ns();
    if (start_ns < next_tick_ns) {
        return;
    }
    screen_flush();
    uint64_t end_ns = clock_ns();
    uint64_t pause_ns = (end_ns - start_ns) * (DRAWING_SHARE - 1);
    next_tick_ns = end_ns + (pause_ns > TICK_NS ? pause_ns : TICK_NS);
}

void screen_write(const char *str, size_t len) {
    if (screen_count != 0) {
        terminal_write(str, len);
        screen_tick();
    }
}

void screen_show(bool show) {
    if (show && hidden) {
        hidden = false;
        clear();
        terminal_touch();
    }
    hidden = !show;
}

void screen_abandon(uintptr_t address_virt) {
    if (drawing == NULL) {
        return;
    }
    for (screen_t *screen = screens; screen < &screens[screen_count]; ++screen) {
        if (address_virt - (uintptr_t)screen->to.pixels < (size_t)screen->to.pitch * screen->to.height) {
            screen->to.pixels = NULL;
        }
    }
    drawing = NULL;
    memset(shown, 0, sizeof(shown));
    terminal_touch();
}
