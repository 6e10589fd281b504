// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The terminal (terminal.h) drawn on the loader's framebuffers, the same on each.
// Without a framebuffer all of this does nothing.
//
// What is written is drawn later, at a tick: a line that scrolls by at once costs
// little.  Nothing here reads a framebuffer, which is slow, and nothing here needs
// Python state.
#ifndef KERNEL_SCREEN_H
#define KERNEL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCREEN_SCALE_MAX 8

typedef struct _screen_layout_t {
    unsigned int columns;
    unsigned int rows;
    unsigned int scale; // of the first framebuffer: its pixels to a pixel of the font
} screen_layout_t;

// Takes the framebuffers from the loader's response and copies what is needed of
// it.  Reports each that is garbled in one line and leaves it out.
void screen_init(void);

// Clears the text and the screens, and sets the scale, or, for 0, the least at which the text
// fits into the terminal.  A screen that cannot have that scale gets the nearest.
void screen_set_scale(unsigned int scale);

// False without a screen; layout may be NULL.
bool screen_layout(screen_layout_t *layout);

typedef struct _screen_mask_t {
    uint8_t size;
    uint8_t shift;
} screen_mask_t;

typedef struct _screen_framebuffer_t {
    uint8_t *pixels; // NULL when it is not used any more
    unsigned int width, height;
    unsigned int pitch; // bytes from a row to the next
    unsigned int bytes_per_pixel;
    screen_mask_t red, green, blue;
} screen_framebuffer_t;

// A framebuffer that is drawn on, by its number; NULL for a higher number than there is.
const screen_framebuffer_t *screen_framebuffer(unsigned int number);

// The rows of a character's glyph, FONT_HEIGHT bytes; a question mark's for what the font lacks.
const uint8_t *screen_glyph(uint16_t character);

// Draws nothing until it is shown again, and then draws all anew.
void screen_show(bool show);

void screen_write(const char *str, size_t len);

// To be called often: draws what has changed if the last time is long enough ago.
void screen_tick(void);

// Draws what has changed now.
void screen_flush(void);

// To be called when a processor exception at this address ends what runs.  When
// that was drawing on a framebuffer that is not mapped any more, that one is left alone
// from now on.
void screen_abandon(uintptr_t address_virt);

#endif // KERNEL_SCREEN_H
