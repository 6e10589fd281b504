// SPDX-License-Identifier: MIT OR Apache-2.0
//
// machine.RTC: the clock that runs while the machine is off.

#include "py/mperrno.h"
#include "py/runtime.h"

#include "clock.h"
#include "machine_rtc.h"
#include "rtc.h"

#define US_PER_S         1000000
#define NS_PER_US        1000

// The items of datetime(), as on upstream's ports.
enum { YEAR, MONTH, DAY, WEEKDAY, HOURS, MINUTES, SECONDS, MICROSECONDS, DATETIME_ITEMS };

static const mp_obj_base_t machine_rtc_obj = { &machine_rtc_type };

static mp_obj_t machine_rtc_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    (void)type;
    mp_arg_check_num(n_args, n_kw, 0, 1, false);
    if (n_args == 1 && mp_obj_get_int(args[0]) != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("RTC doesn't exist"));
    }
    return MP_OBJ_FROM_PTR(&machine_rtc_obj);
}

static mp_obj_t datetime_get(void) {
    timeutils_struct_time_t tm;
    if (!rtc_read(&tm)) {
        mp_raise_OSError(MP_ENODEV);
    }
    mp_obj_t items[DATETIME_ITEMS] = {
        [YEAR] = MP_OBJ_NEW_SMALL_INT(tm.tm_year),
        [MONTH] = MP_OBJ_NEW_SMALL_INT(tm.tm_mon),
        [DAY] = MP_OBJ_NEW_SMALL_INT(tm.tm_mday),
        [WEEKDAY] = MP_OBJ_NEW_SMALL_INT(timeutils_calc_weekday(tm.tm_year, tm.tm_mon, tm.tm_mday)),
        [HOURS] = MP_OBJ_NEW_SMALL_INT(tm.tm_hour),
        [MINUTES] = MP_OBJ_NEW_SMALL_INT(tm.tm_min),
        [SECONDS] = MP_OBJ_NEW_SMALL_INT(tm.tm_sec),
        [MICROSECONDS] = MP_OBJ_NEW_SMALL_INT(0),
    };
    return mp_obj_new_tuple(DATETIME_ITEMS, items);
}

// An item of datetime(), or a value that no item may have.
static uint16_t item(mp_obj_t value_in) {
    mp_int_t value = mp_obj_get_int(value_in);
    return value < 0 || value > UINT8_MAX ? UINT8_MAX : (uint16_t)value;
}

static void datetime_set(mp_obj_t datetime_in) {
    mp_obj_t *items;
    mp_obj_get_array_fixed_n(datetime_in, DATETIME_ITEMS, &items);
    mp_int_t year = mp_obj_get_int(items[YEAR]);
    mp_int_t us = mp_obj_get_int(items[MICROSECONDS]);
    timeutils_struct_time_t tm = {
        .tm_year = year < 0 || year > UINT16_MAX ? 0 : (uint16_t)year,
        .tm_mon = item(items[MONTH]),
        .tm_mday = item(items[DAY]),
        .tm_hour = item(items[HOURS]),
        .tm_min = item(items[MINUTES]),
        .tm_sec = item(items[SECONDS]),
    };
    if (!rtc_valid(&tm) || us < 0 || us >= US_PER_S) {
        vstr_t vstr;
        mp_print_t print;
        vstr_init_print(&vstr, 64, &print);
        mp_printf(&print, "no date and time from %d to %d: ", RTC_YEAR_MIN, RTC_YEAR_MAX);
        mp_obj_print_helper(&print, datetime_in, PRINT_REPR);
        nlr_raise(mp_obj_new_exception_arg1(&mp_type_ValueError, mp_obj_new_str_from_vstr(&vstr)));
    }
    rtc_write(&tm);
    uint64_t seconds = timeutils_seconds_since_epoch(tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    clock_set_unix_ns((seconds * US_PER_S + (uint64_t)us) * NS_PER_US);
}

// datetime(): the clock's (year, month, day, weekday, hours, minutes, seconds, 0).
// datetime(tuple): sets the clock, and what time.time() counts from.
static mp_obj_t machine_rtc_datetime(size_t n_args, const mp_obj_t *args) {
    if (n_args == 1) {
        return datetime_get();
    }
    datetime_set(args[1]);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(machine_rtc_datetime_obj, 1, 2, machine_rtc_datetime);

static const mp_rom_map_elem_t machine_rtc_locals_dict_table[] = {
    { MP_ROM_QSTR(MP_QSTR_datetime), MP_ROM_PTR(&machine_rtc_datetime_obj) },
};
static MP_DEFINE_CONST_DICT(machine_rtc_locals_dict, machine_rtc_locals_dict_table);

MP_DEFINE_CONST_OBJ_TYPE(
    machine_rtc_type,
    MP_QSTR_RTC,
    MP_TYPE_FLAG_NONE,
    make_new, machine_rtc_make_new,
    locals_dict, &machine_rtc_locals_dict
    );
