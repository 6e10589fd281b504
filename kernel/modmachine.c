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

// Brand string of the processor: three CPUID leaves of 16 characters (SDM
// volume 2, CPUID, leaves 80000002H to 80000004H).
#define CPUID_EXTENDED_MAX 0x80000000
#define CPUID_BRAND_FIRST  0x80000002
#define CPUID_BRAND_LAST   0x80000004

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
    cpuid_t brand[CPUID_BRAND_LAST - CPUID_BRAND_FIRST + 1] = { 0 };
    if (cpu_cpuid(CPUID_EXTENDED_MAX, 0).eax >= CPUID_BRAND_LAST) {
        for (uint32_t i = 0; i < MP_ARRAY_SIZE(brand); ++i) {
            brand[i] = cpu_cpuid(CPUID_BRAND_FIRST + i, 0);
        }
    }
    return mp_obj_new_bytes((const byte *)brand, strnlen((const char *)brand, sizeof(brand)));
}

static mp_obj_t mp_machine_get_freq(void) {
    return mp_obj_new_int_from_ull(clock_tsc_hz());
}

static void mp_machine_set_freq(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    (void)args;
    mp_raise_NotImplementedError(MP_ERROR_TEXT("the frequency cannot be set"));
}

// Without a timer interrupt there is nothing to sleep deeper on than a delay.
static void mp_machine_lightsleep(size_t n_args, const mp_obj_t *args) {
    mp_hal_delay_ms(n_args == 0 ? 0 : (mp_uint_t)mp_obj_get_int(args[0]));
}

NORETURN static void mp_machine_deepsleep(size_t n_args, const mp_obj_t *args) {
    mp_machine_lightsleep(n_args, args);
    power_exit(EXIT_OK);
}
