// SPDX-License-Identifier: MIT OR Apache-2.0
//
// This file is never compiled standalone, it's included directly from
// extmod/modmachine.c via MICROPY_PY_MACHINE_INCLUDEFILE.

#include "kernel/clock.h"
#include "kernel/main.h"
#include "kernel/power.h"

#define MICROPY_PY_MACHINE_EXTRA_GLOBALS \
    { MP_ROM_QSTR(MP_QSTR_PWRON_RESET), MP_ROM_INT(RESET_CAUSE_POWER_ON) }, \
    { MP_ROM_QSTR(MP_QSTR_SOFT_RESET), MP_ROM_INT(RESET_CAUSE_SOFT) },

static void mp_machine_idle(void) {
    mp_event_handle_nowait();
    cpu_pause();
}

NORETURN static void mp_machine_reset(void) {
    power_exit(EXIT_OK);
}

static mp_int_t mp_machine_reset_cause(void) {
    return main_reset_cause();
}

static mp_obj_t mp_machine_unique_id(void) {
    char name[CPU_NAME_SIZE];
    size_t len = cpu_name(name);
    return mp_obj_new_bytes((const byte *)name, len);
}

static mp_obj_t mp_machine_get_freq(void) {
    return mp_obj_new_int_from_ull(clock_ticks_hz());
}

static void mp_machine_set_freq(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    (void)args;
    mp_raise_NotImplementedError(MP_ERROR_TEXT("the frequency cannot be set"));
}

// No deeper sleep state is used than the halt of a delay.
static void mp_machine_lightsleep(size_t n_args, const mp_obj_t *args) {
    mp_hal_delay_ms(n_args == 0 ? 0 : (mp_uint_t)mp_obj_get_int(args[0]));
}

NORETURN static void mp_machine_deepsleep(size_t n_args, const mp_obj_t *args) {
    mp_machine_lightsleep(n_args, args);
    power_exit(EXIT_OK);
}
