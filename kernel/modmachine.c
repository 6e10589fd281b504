// SPDX-License-Identifier: MIT OR Apache-2.0
//
// This file is never compiled standalone, it's included directly from
// extmod/modmachine.c via MICROPY_PY_MACHINE_INCLUDEFILE.

#include "kernel/clock.h"
#include "kernel/files.h"
#include "kernel/machine_mem64.h"
#include "kernel/machine_rtc.h"
#include "kernel/main.h"
#include "kernel/power.h"
#include "kernel/uart.h"
#include "kernel/virtioconsole.h"
#include "smp.h"

#define MICROPY_PY_MACHINE_EXTRA_GLOBALS \
    { MP_ROM_QSTR(MP_QSTR_poweroff), MP_ROM_PTR(&machine_poweroff_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_PWRON_RESET), MP_ROM_INT(RESET_CAUSE_POWER_ON) }, \
    { MP_ROM_QSTR(MP_QSTR_SOFT_RESET), MP_ROM_INT(RESET_CAUSE_SOFT) }, \
    { MP_ROM_QSTR(MP_QSTR_mem64), MP_ROM_PTR(&machine_mem64_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_RTC), MP_ROM_PTR(&machine_rtc_type) }, \
    { MP_ROM_QSTR(MP_QSTR_Timer), MP_ROM_PTR(&machine_timer_type) }, \
    { MP_ROM_QSTR(MP_QSTR_cpus), MP_ROM_PTR(&machine_cpus_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_cpu), MP_ROM_PTR(&machine_cpu_obj) },

// cpus(): how many processors have been started, this one included.
static mp_obj_t machine_cpus(void) {
    return MP_OBJ_NEW_SMALL_INT(smp_started);
}
static MP_DEFINE_CONST_FUN_OBJ_0(machine_cpus_obj, machine_cpus);

// cpu(): the number of this processor, from 1 on; 1 runs the main thread.
static mp_obj_t machine_cpu(void) {
    return MP_OBJ_NEW_SMALL_INT(smp_this->number);
}
static MP_DEFINE_CONST_FUN_OBJ_0(machine_cpu_obj, machine_cpu);

static void mp_machine_idle(void) {
    mp_event_handle_nowait();
    cpu_pause();
}

// Calls a function of the frozen module acpipower, which does not return if the
// machine did as told.
static void call_acpipower(qstr name) {
    mp_obj_t module = mp_import_name(MP_QSTR_acpipower, mp_const_none, MP_OBJ_NEW_SMALL_INT(0));
    mp_call_function_0(mp_load_attr(module, name));
}

NORETURN static void mp_machine_reset(void) {
    files_sync();
    uart_tx_flush();
    virtioconsole_tx_flush();
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        call_acpipower(MP_QSTR_reset);
        nlr_pop();
    }
    // No ACPI, or not even memory to ask it.
    cpu_irq_disable();
    power_reset();
}

// poweroff(): ends QEMU with status "powered off", else enters ACPI's state S5.
static mp_obj_t machine_poweroff(void) {
    files_sync();
    uart_tx_flush();
    virtioconsole_tx_flush();
    power_debug_exit(EXIT_OK);
    call_acpipower(MP_QSTR_poweroff);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(machine_poweroff_obj, machine_poweroff);

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
    mp_machine_reset();
}
