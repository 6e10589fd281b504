# SPDX-License-Identifier: MIT OR Apache-2.0
"""Write the screen's font as C: makefont.py FONT.hex, a line "CODE:BITMAP" for each character.

The font must begin with ASCII from the space on: screen.c finds those by their numbers.
"""

import sys
from pathlib import Path

ASCII = list(range(0x20, 0x7F))


def main():
    rows = [line.split(":") for line in Path(sys.argv[1]).read_text().splitlines()]
    font = sorted((int(code, 16), bytes.fromhex(bitmap)) for code, bitmap in rows)
    if [code for code, _ in font[: len(ASCII)]] != ASCII:
        sys.exit(f"{sys.argv[1]}: a font that does not begin with ASCII")
    print('#include "font.h"')
    print("const font_glyph_t font_glyphs[] = {")
    for code, bitmap in font:
        print(f"    {{ {code:#06x}, {{ {', '.join(f'{row:#04x}' for row in bitmap)} }} }},")
    print("};")
    print(f"const unsigned int font_glyph_count = {len(font)};")


main()
