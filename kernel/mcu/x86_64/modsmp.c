// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The smp module: what processors.py needs of C to start processors.

#include "py/obj.h"
#include "py/objstr.h"
#include "py/runtime.h"

#include "apic.h"
#include "cpu.h"
#include "smp.h"
#include "smp_vector.h"

// In trampoline.S.
extern const char smp_trampoline_start[], smp_trampoline_end[];

// trampoline(): the code that a processor starts with, as bytes.
static mp_obj_t mod_trampoline(void) {
    return mp_obj_new_bytes((const byte *)smp_trampoline_start, (size_t)(smp_trampoline_end - smp_trampoline_start));
}
static MP_DEFINE_CONST_FUN_OBJ_0(mod_trampoline_obj, mod_trampoline);

static smp_cpu_t *get_cpu(mp_obj_t virt_in) {
    return (smp_cpu_t *)mp_obj_get_int_truncated(virt_in);
}

// prepare(virt, apic_id, guard, bottom, top): makes the state of a processor in
// STATE_SIZE bytes of zeroed memory at virt, with its stack from bottom to top.
static mp_obj_t mod_prepare(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    smp_prepare(get_cpu(args[0]), 0, (uint32_t)mp_obj_get_int_truncated(args[1]),
        (char *)mp_obj_get_int_truncated(args[2]), (char *)mp_obj_get_int_truncated(args[3]),
        (char *)mp_obj_get_int_truncated(args[4]));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(mod_prepare_obj, 5, 5, mod_prepare);

// adopt(virt): counts the prepared processor if it has started, and returns whether it has.
static mp_obj_t mod_adopt(mp_obj_t virt_in) {
    return mp_obj_new_bool(smp_adopt(get_cpu(virt_in)));
}
static MP_DEFINE_CONST_FUN_OBJ_1(mod_adopt_obj, mod_adopt);

// set_apic(virt): the local APIC's registers are mapped at virt; 0 in x2APIC mode.
static mp_obj_t mod_set_apic(mp_obj_t virt_in) {
    apic_init((uintptr_t)mp_obj_get_int_truncated(virt_in));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(mod_set_apic_obj, mod_set_apic);

// entry(): the address where a started processor enters the kernel.
static mp_obj_t mod_entry(void) {
    return mp_obj_new_int_from_ull((uintptr_t)smp_entry);
}
static MP_DEFINE_CONST_FUN_OBJ_0(mod_entry_obj, mod_entry);

// accept(): lets the other processors stop this one: turns its interrupts on.
static mp_obj_t mod_accept(void) {
    cpu_irq_restore(true);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(mod_accept_obj, mod_accept);

static const mp_rom_map_elem_t smp_module_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_smp) },
    { MP_ROM_QSTR(MP_QSTR_trampoline), MP_ROM_PTR(&mod_trampoline_obj) },
    { MP_ROM_QSTR(MP_QSTR_prepare), MP_ROM_PTR(&mod_prepare_obj) },
    { MP_ROM_QSTR(MP_QSTR_adopt), MP_ROM_PTR(&mod_adopt_obj) },
    { MP_ROM_QSTR(MP_QSTR_set_apic), MP_ROM_PTR(&mod_set_apic_obj) },
    { MP_ROM_QSTR(MP_QSTR_entry), MP_ROM_PTR(&mod_entry_obj) },
    { MP_ROM_QSTR(MP_QSTR_accept), MP_ROM_PTR(&mod_accept_obj) },
    { MP_ROM_QSTR(MP_QSTR_STATE_SIZE), MP_ROM_INT(sizeof(smp_cpu_t)) },
    { MP_ROM_QSTR(MP_QSTR_VECTOR), MP_ROM_INT(SMP_VECTOR) },
    { MP_ROM_QSTR(MP_QSTR_PROCESSORS_MAX), MP_ROM_INT(SMP_PROCESSORS_MAX) },
};
static MP_DEFINE_CONST_DICT(smp_module_globals, smp_module_globals_table);

const mp_obj_module_t smp_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&smp_module_globals,
};

MP_REGISTER_MODULE(MP_QSTR_smp, smp_module);
