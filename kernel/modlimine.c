// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The limine module: the addresses of the loader's responses.

#include <string.h>

#include "py/runtime.h"

#include "requests.h"

static request_t get_request(mp_obj_t name_in) {
    const char *name = mp_obj_str_get_str(name_in);
    for (request_t i = 0; i < REQUEST_COUNT; ++i) {
        if (strcmp(name, requests_name(i)) == 0) {
            return i;
        }
    }
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("no Limine request is named '%s'"), name);
}

// response(name): the response's virtual address, or None when there is none.
static mp_obj_t limine_response(mp_obj_t name_in) {
    const void *response = requests_response(get_request(name_in));
    return response == NULL ? mp_const_none : mp_obj_new_int_from_ull((uintptr_t)response);
}
static MP_DEFINE_CONST_FUN_OBJ_1(limine_response_obj, limine_response);

// move_response(name, address): makes response() return the address of a copy
// from now on, or None for 0.
static mp_obj_t limine_move_response(mp_obj_t name_in, mp_obj_t address_in) {
    requests_move_response(get_request(name_in), (const void *)mp_obj_get_int_truncated(address_in));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(limine_move_response_obj, limine_move_response);

// base_revision(): the protocol's base revision in force.
static mp_obj_t limine_base_revision(void) {
    return MP_OBJ_NEW_SMALL_INT(requests_base_revision());
}
static MP_DEFINE_CONST_FUN_OBJ_0(limine_base_revision_obj, limine_base_revision);

static const mp_rom_map_elem_t limine_module_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_limine) },
    { MP_ROM_QSTR(MP_QSTR_response), MP_ROM_PTR(&limine_response_obj) },
    { MP_ROM_QSTR(MP_QSTR_move_response), MP_ROM_PTR(&limine_move_response_obj) },
    { MP_ROM_QSTR(MP_QSTR_base_revision), MP_ROM_PTR(&limine_base_revision_obj) },
};
static MP_DEFINE_CONST_DICT(limine_module_globals, limine_module_globals_table);

const mp_obj_module_t limine_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&limine_module_globals,
};

MP_REGISTER_MODULE(MP_QSTR_limine, limine_module);
