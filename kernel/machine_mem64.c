// SPDX-License-Identifier: MIT OR Apache-2.0
//
// machine.mem64: what upstream's mem8, mem16 and mem32 are, for 64 bits.

#include "py/runtime.h"

#include "machine_mem64.h"

static void machine_mem64_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    (void)self_in;
    (void)kind;
    mp_print_str(print, "<64-bit memory>");
}

static mp_obj_t machine_mem64_subscr(mp_obj_t self_in, mp_obj_t index, mp_obj_t value) {
    (void)self_in;
    if (value == MP_OBJ_NULL) {
        return MP_OBJ_NULL; // op not supported
    }
    uintptr_t address = (uintptr_t)mp_obj_get_int_truncated(index);
    if (address % sizeof(uint64_t) != 0) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("address %08lx is not aligned to %d bytes"), address, (int)sizeof(uint64_t));
    }
    volatile uint64_t *word = (volatile uint64_t *)address;
    if (value == MP_OBJ_SENTINEL) {
        return mp_obj_new_int_from_ull(*word);
    }
    *word = (uint64_t)mp_obj_get_int_truncated(value);
    return mp_const_none;
}

static MP_DEFINE_CONST_OBJ_TYPE(
    machine_mem64_type,
    MP_QSTR_mem,
    MP_TYPE_FLAG_NONE,
    print, machine_mem64_print,
    subscr, machine_mem64_subscr
    );

const mp_obj_base_t machine_mem64_obj = { &machine_mem64_type };
