// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The kernel module: the loaded image, the heap's ranges, the screen and its font, the
// keyboard's layout, call sites, how the program ended, the state that is kept over
// soft resets, and exit().

#include <string.h>

#include "py/binary.h"
#include "py/mphal.h"
#include "py/objarray.h"
#include "py/objstr.h"
#include "py/runtime.h"

#include "fault.h"
#include "files.h"
#include "font.h"
#include "heap.h"
#include "image.h"
#include "keyboard.h"
#include "main.h"
#include "power.h"
#include "pytrace.h"
#include "screen.h"
#include "virtioconsole.h"

// Kept over soft resets, zero at power on; Python defines the layout.
#define STATE_SIZE 4096
static char state[STATE_SIZE] __attribute__((aligned(STATE_SIZE)));

// exit(code): ends the machine with this exit code.
static mp_obj_t kernel_exit(mp_obj_t code_in) {
    mp_int_t code = mp_obj_get_int(code_in);
    if (code < 0 || code > UINT8_MAX) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("exit code %d is not in 0..255"), (int)code);
    }
    files_close();
    power_exit((int)code);
}
static MP_DEFINE_CONST_FUN_OBJ_1(kernel_exit_obj, kernel_exit);

static mp_obj_t segment(const char *start, const char *end, const char *permissions) {
    mp_obj_t items[] = {
        mp_obj_new_int_from_ull((uintptr_t)start),
        mp_obj_new_int_from_ull((uintptr_t)end - (uintptr_t)start),
        mp_obj_new_str_from_cstr(permissions),
    };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}

// segments(): the image as ((virtual address, size, permissions), ...).
static mp_obj_t kernel_segments(void) {
    mp_obj_t items[] = {
        segment(kernel_text_start, kernel_text_end, "r-x"),
        segment(kernel_rodata_start, kernel_rodata_end, "r--"),
        segment(kernel_data_start, kernel_data_end, "rw-"),
        segment(kernel_stack_bottom, kernel_stack_top, "rw-"),
        segment(kernel_native_start, kernel_native_end, "rwx"),
    };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}
static MP_DEFINE_CONST_FUN_OBJ_0(kernel_segments_obj, kernel_segments);

// stack(): (lowest virtual address, size); below it nothing is mapped.
static mp_obj_t kernel_stack(void) {
    mp_obj_t items[] = {
        mp_obj_new_int_from_ull((uintptr_t)kernel_stack_bottom),
        mp_obj_new_int_from_ull((uintptr_t)kernel_stack_top - (uintptr_t)kernel_stack_bottom),
    };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}
static MP_DEFINE_CONST_FUN_OBJ_0(kernel_stack_obj, kernel_stack);

// heap_reserve(virt, size): hands the collector mapped memory that it may grow
// into, for as long as the machine runs, soft resets included.
static mp_obj_t kernel_heap_reserve(mp_obj_t start_in, mp_obj_t size_in) {
    uintptr_t start = (uintptr_t)mp_obj_get_int_truncated(start_in);
    mp_int_t size = mp_obj_get_int(size_in);
    if (size <= 0) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("heap range of %ld bytes"), (long)size);
    }
    if (!heap_reserve(start, (size_t)size)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("no room to note one more heap range, at 0x%lx"), (unsigned long)start);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(kernel_heap_reserve_obj, kernel_heap_reserve);

// screen(show=None): (columns, rows, scale) of the text on the screen, or None when
// there is no screen.  With False the text is not drawn any more, so that a program
// can draw; with True it is drawn again, all of it.
static mp_obj_t kernel_screen(size_t n_args, const mp_obj_t *args) {
    if (n_args > 0) {
        screen_show(mp_obj_is_true(args[0]));
    }
    screen_layout_t layout;
    if (!screen_layout(&layout)) {
        return mp_const_none;
    }
    mp_obj_t items[] = {
        MP_OBJ_NEW_SMALL_INT(layout.columns),
        MP_OBJ_NEW_SMALL_INT(layout.rows),
        MP_OBJ_NEW_SMALL_INT(layout.scale),
    };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(kernel_screen_obj, 0, 1, kernel_screen);

// screen_scale(scale): clears the text and sets how many of the screen's pixels a
// pixel of the font has, each way; 0 is the least scale at which the text fits.
static mp_obj_t kernel_screen_scale(mp_obj_t scale_in) {
    mp_int_t scale = mp_obj_get_int(scale_in);
    if (scale < 0 || scale > SCREEN_SCALE_MAX) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("scale %d is not in 0..%d"), (int)scale, SCREEN_SCALE_MAX);
    }
    screen_set_scale((unsigned int)scale);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(kernel_screen_scale_obj, kernel_screen_scale);

static mp_obj_t mask(screen_mask_t mask) {
    mp_obj_t items[] = { MP_OBJ_NEW_SMALL_INT(mask.size), MP_OBJ_NEW_SMALL_INT(mask.shift) };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}

// framebuffers(): those that the text is drawn on, as [(virtual address, width, height,
// pitch, bits per pixel, red, green, blue)], the last three as (bits, shift).
static mp_obj_t kernel_framebuffers(void) {
    mp_obj_t list = mp_obj_new_list(0, NULL);
    const screen_framebuffer_t *f;
    for (unsigned int i = 0; (f = screen_framebuffer(i)) != NULL; ++i) {
        if (f->pixels == NULL) {
            continue;
        }
        mp_obj_t items[] = {
            mp_obj_new_int((mp_int_t)(uintptr_t)f->pixels),
            MP_OBJ_NEW_SMALL_INT(f->width),
            MP_OBJ_NEW_SMALL_INT(f->height),
            MP_OBJ_NEW_SMALL_INT(f->pitch),
            MP_OBJ_NEW_SMALL_INT(8 * f->bytes_per_pixel),
            mask(f->red),
            mask(f->green),
            mask(f->blue),
        };
        mp_obj_list_append(list, mp_obj_new_tuple(MP_ARRAY_SIZE(items), items));
    }
    return list;
}
static MP_DEFINE_CONST_FUN_OBJ_0(kernel_framebuffers_obj, kernel_framebuffers);

// glyph(code point): the character in the screen's font, 16 rows of 8 pixels as bytes, the
// leftmost in the highest bit; a question mark for what the font lacks.
static mp_obj_t kernel_glyph(mp_obj_t character_in) {
    mp_int_t character = mp_obj_get_int(character_in);
    uint16_t known = character < 0 || character > UINT16_MAX ? '?' : (uint16_t)character;
    return mp_obj_new_bytes(screen_glyph(known), FONT_HEIGHT);
}
static MP_DEFINE_CONST_FUN_OBJ_1(kernel_glyph_obj, kernel_glyph);

// keymap(table): the keyboard's layout, uint16_t[4][128]: the code points of the keys
// by their codes of set 1; plain, with Shift, with AltGr, with both.  0 is none.
static mp_obj_t kernel_keymap(mp_obj_t table_in) {
    mp_buffer_info_t table;
    mp_get_buffer_raise(table_in, &table, MP_BUFFER_READ);
    if (table.len != sizeof(keyboard_layout_t)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("keymap of %u bytes, not %u"), (unsigned int)table.len, (unsigned int)sizeof(keyboard_layout_t));
    }
    keyboard_set_layout(table.buf);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(kernel_keymap_obj, kernel_keymap);

static virtioconsole_queue_t console_queue(mp_obj_t parts_in) {
    mp_obj_t *parts;
    mp_obj_get_array_fixed_n(parts_in, 4, &parts);
    return (virtioconsole_queue_t) {
        .virt = (uintptr_t)mp_obj_get_int_truncated(parts[0]),
        .buffers_virt = (uintptr_t)mp_obj_get_int_truncated(parts[1]),
        .notify_virt = (uintptr_t)mp_obj_get_int_truncated(parts[2]),
        .number = (uint16_t)mp_obj_get_int_truncated(parts[3]),
    };
}

// console(received, sent, status_virt): has input and output use a virtio console,
// as virtioconsole.py has set it up: two queues as (virtual address, that of the
// buffers, where to notify the device, number), and where the device's status is.
// console(): whether they use one.
static mp_obj_t kernel_console(size_t n_args, const mp_obj_t *args) {
    if (n_args == 3) {
        virtioconsole_queue_t received = console_queue(args[0]);
        virtioconsole_queue_t sent = console_queue(args[1]);
        virtioconsole_start(&received, &sent, (uintptr_t)mp_obj_get_int_truncated(args[2]));
    } else if (n_args > 0) {
        mp_raise_TypeError(MP_ERROR_TEXT("a console has two queues and a status"));
    }
    return mp_obj_new_bool(virtioconsole_running());
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(kernel_console_obj, 0, 3, kernel_console);

// A place as a number: line << 32 | function << 16 | file, the last two as qstrs.
#define SITE_LINE_SHIFT 32
#define SITE_FUNCTION_SHIFT 16
#define SITE_QSTR_MASK 0xffff

// call_site(): where the innermost running function of bytecode is, as a number
// that is valid until the next soft reset; 0 for nowhere. Does not use the heap.
static mp_obj_t kernel_call_site(void) {
    pytrace_place_t place = pytrace_innermost();
    return MP_OBJ_NEW_SMALL_INT((mp_int_t)place.line << SITE_LINE_SHIFT
        | (mp_int_t)place.function << SITE_FUNCTION_SHIFT | place.file);
}
static MP_DEFINE_CONST_FUN_OBJ_0(kernel_call_site_obj, kernel_call_site);

// program_raised(): whether boot.py or a main.py has ended by an exception since the interpreter started.
static mp_obj_t kernel_program_raised(void) {
    return mp_obj_new_bool(main_program_raised());
}
static MP_DEFINE_CONST_FUN_OBJ_0(kernel_program_raised_obj, kernel_program_raised);

static mp_obj_t site_qstr(mp_uint_t number) {
    if (number >= MP_STATE_VM(last_pool)->total_prev_len + MP_STATE_VM(last_pool)->len) {
        mp_raise_ValueError(MP_ERROR_TEXT("not a call site"));
    }
    return MP_OBJ_NEW_QSTR(number);
}

// call_place(site): such a number as (file, line, function).
static mp_obj_t kernel_call_place(mp_obj_t site_in) {
    mp_uint_t site = (mp_uint_t)mp_obj_get_int(site_in);
    mp_obj_t items[] = {
        site_qstr(site & SITE_QSTR_MASK),
        MP_OBJ_NEW_SMALL_INT(site >> SITE_LINE_SHIFT),
        site_qstr(site >> SITE_FUNCTION_SHIFT & SITE_QSTR_MASK),
    };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}
static MP_DEFINE_CONST_FUN_OBJ_1(kernel_call_place_obj, kernel_call_place);

static const MP_DEFINE_STR_OBJ(kernel_version_obj, KERNEL_VERSION);

static const mp_obj_array_t kernel_state_obj = {
    .base = { &mp_type_bytearray },
    .typecode = BYTEARRAY_TYPECODE,
    .len = STATE_SIZE,
    .items = state,
};

static const mp_rom_map_elem_t kernel_module_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_kernel) },
    { MP_ROM_QSTR(MP_QSTR_version), MP_ROM_PTR(&kernel_version_obj) },
    { MP_ROM_QSTR(MP_QSTR_call_place), MP_ROM_PTR(&kernel_call_place_obj) },
    { MP_ROM_QSTR(MP_QSTR_call_site), MP_ROM_PTR(&kernel_call_site_obj) },
    { MP_ROM_QSTR(MP_QSTR_console), MP_ROM_PTR(&kernel_console_obj) },
    { MP_ROM_QSTR(MP_QSTR_exit), MP_ROM_PTR(&kernel_exit_obj) },
    { MP_ROM_QSTR(MP_QSTR_segments), MP_ROM_PTR(&kernel_segments_obj) },
    { MP_ROM_QSTR(MP_QSTR_stack), MP_ROM_PTR(&kernel_stack_obj) },
    { MP_ROM_QSTR(MP_QSTR_heap_reserve), MP_ROM_PTR(&kernel_heap_reserve_obj) },
    { MP_ROM_QSTR(MP_QSTR_program_raised), MP_ROM_PTR(&kernel_program_raised_obj) },
    { MP_ROM_QSTR(MP_QSTR_screen), MP_ROM_PTR(&kernel_screen_obj) },
    { MP_ROM_QSTR(MP_QSTR_screen_scale), MP_ROM_PTR(&kernel_screen_scale_obj) },
    { MP_ROM_QSTR(MP_QSTR_framebuffers), MP_ROM_PTR(&kernel_framebuffers_obj) },
    { MP_ROM_QSTR(MP_QSTR_glyph), MP_ROM_PTR(&kernel_glyph_obj) },
    { MP_ROM_QSTR(MP_QSTR_keymap), MP_ROM_PTR(&kernel_keymap_obj) },
    { MP_ROM_QSTR(MP_QSTR_state), MP_ROM_PTR(&kernel_state_obj) },
    { MP_ROM_QSTR(MP_QSTR_AccessFault), MP_ROM_PTR(&mp_type_AccessFault) },
};
static MP_DEFINE_CONST_DICT(kernel_module_globals, kernel_module_globals_table);

const mp_obj_module_t kernel_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&kernel_module_globals,
};

MP_REGISTER_MODULE(MP_QSTR_kernel, kernel_module);
