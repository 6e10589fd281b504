// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The screen's font, which makefont.py writes as C.
#ifndef KERNEL_FONT_H
#define KERNEL_FONT_H

#include <stdint.h>

#define FONT_WIDTH 8
#define FONT_HEIGHT 16

typedef struct _font_glyph_t {
    uint16_t character;
    uint8_t rows[FONT_HEIGHT]; // the leftmost pixel in the highest bit
} font_glyph_t;

// By character, in rising order.
extern const font_glyph_t font_glyphs[];
extern const unsigned int font_glyph_count;

#endif // KERNEL_FONT_H
