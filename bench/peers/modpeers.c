// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The module peers: the same functions as through ffi; all arguments and results are integers.

#include "py/runtime.h"

#include "peers.h"

#define INT(i) ((size_t)mp_obj_get_int_truncated(args[i]))
#define BITS(i) ((unsigned)mp_obj_get_int_truncated(args[i]))
#define POINTER(i) ((void *)mp_obj_get_int_truncated(args[i]))

// A function of so many arguments, with a result or without.
#define RESULT(name, count, ...) \
    static mp_obj_t call_##name(size_t n_args, const mp_obj_t *args) { \
        (void)n_args; \
        (void)args; \
        return mp_obj_new_int_from_uint(name(__VA_ARGS__)); \
    } \
    static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(call_##name##_obj, count, count, call_##name)

#define ACTION(name, count, ...) \
    static mp_obj_t call_##name(size_t n_args, const mp_obj_t *args) { \
        (void)n_args; \
        name(__VA_ARGS__); \
        return mp_const_none; \
    } \
    static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(call_##name##_obj, count, count, call_##name)

ACTION(peer_memset, 2, POINTER(0), INT(1));
ACTION(peer_fill, 3, POINTER(0), POINTER(1), INT(2));
ACTION(peer_memcpy, 3, POINTER(0), POINTER(1), INT(2));
ACTION(peer_copy_bytes, 3, POINTER(0), POINTER(1), INT(2));
ACTION(peer_copy_movsb, 3, POINTER(0), POINTER(1), INT(2));
ACTION(peer_copy_movsq, 3, POINTER(0), POINTER(1), INT(2));
ACTION(peer_copy_words, 3, POINTER(0), POINTER(1), INT(2));
ACTION(peer_copy_sse, 3, POINTER(0), POINTER(1), INT(2));
ACTION(peer_set_range, 4, POINTER(0), INT(1), INT(2), BITS(3));
ACTION(peer_clear_range, 4, POINTER(0), INT(1), INT(2), BITS(3));
ACTION(peer_set_many, 4, POINTER(0), POINTER(1), INT(2), BITS(3));
ACTION(peer_clear_many, 4, POINTER(0), POINTER(1), INT(2), BITS(3));
ACTION(peer_flip_one, 4, POINTER(0), INT(1), BITS(2), INT(3));
RESULT(peer_count_entries, 3, POINTER(0), INT(1), BITS(2));
ACTION(peer_bitmap_fill, 4, POINTER(0), POINTER(1), INT(2), BITS(3));
RESULT(peer_bitmap_count, 2, POINTER(0), INT(1));
ACTION(reference_init, 6, POINTER(0), INT(1), POINTER(2), INT(3), INT(4), INT(5));
ACTION(reference_set_range, 4, POINTER(0), INT(1), INT(2), BITS(3));
ACTION(reference_clear_range, 4, POINTER(0), INT(1), INT(2), BITS(3));
ACTION(reference_set_many, 4, POINTER(0), POINTER(1), INT(2), BITS(3));
ACTION(reference_clear_many, 4, POINTER(0), POINTER(1), INT(2), BITS(3));
ACTION(reference_flip_one, 4, POINTER(0), INT(1), BITS(2), INT(3));
ACTION(reference_write_five, 3, POINTER(0), INT(1), INT(2));
RESULT(reference_count, 3, POINTER(0), INT(1), BITS(2));
RESULT(reference_differs, 4, POINTER(0), POINTER(1), INT(2), BITS(3));
RESULT(buddy_size, 0);
ACTION(buddy_open, 4, POINTER(0), POINTER(1), INT(2), INT(3));
RESULT(buddy_alloc, 2, POINTER(0), BITS(1));
ACTION(buddy_free, 2, POINTER(0), INT(1));
RESULT(buddy_blocks, 2, POINTER(0), BITS(1));
ACTION(buddy_pairs, 3, POINTER(0), BITS(1), INT(2));
ACTION(buddy_many, 3, POINTER(0), POINTER(1), INT(2));
RESULT(walk_used, 3, POINTER(0), INT(1), INT(2));
RESULT(walk_longest, 3, POINTER(0), INT(1), INT(2));
RESULT(slab_size, 0);
ACTION(slab_open, 4, POINTER(0), POINTER(1), POINTER(2), INT(3));
ACTION(slab_pairs, 2, POINTER(0), INT(1));
RESULT(peer_differs, 4, POINTER(0), POINTER(1), INT(2), BITS(3));

#define ENTRY(name) { MP_ROM_QSTR(MP_QSTR_##name), MP_ROM_PTR(&call_##name##_obj) }

static const mp_rom_map_elem_t peers_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_peers) },
    ENTRY(peer_memset),
    ENTRY(peer_fill),
    ENTRY(peer_memcpy),
    ENTRY(peer_copy_bytes),
    ENTRY(peer_copy_movsb),
    ENTRY(peer_copy_movsq),
    ENTRY(peer_copy_words),
    ENTRY(peer_copy_sse),
    ENTRY(peer_set_range),
    ENTRY(peer_clear_range),
    ENTRY(peer_set_many),
    ENTRY(peer_clear_many),
    ENTRY(peer_flip_one),
    ENTRY(peer_count_entries),
    ENTRY(peer_bitmap_fill),
    ENTRY(peer_bitmap_count),
    ENTRY(reference_init),
    ENTRY(reference_set_range),
    ENTRY(reference_clear_range),
    ENTRY(reference_set_many),
    ENTRY(reference_clear_many),
    ENTRY(reference_flip_one),
    ENTRY(reference_write_five),
    ENTRY(reference_count),
    ENTRY(reference_differs),
    ENTRY(buddy_size),
    ENTRY(buddy_open),
    ENTRY(buddy_alloc),
    ENTRY(buddy_free),
    ENTRY(buddy_blocks),
    ENTRY(buddy_pairs),
    ENTRY(buddy_many),
    ENTRY(walk_used),
    ENTRY(walk_longest),
    ENTRY(slab_size),
    ENTRY(slab_open),
    ENTRY(slab_pairs),
    ENTRY(peer_differs),
};
static MP_DEFINE_CONST_DICT(peers_globals, peers_globals_table);

const mp_obj_module_t peers_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&peers_globals,
};

MP_REGISTER_MODULE(MP_QSTR_peers, peers_module);
