// SPDX-License-Identifier: MIT OR Apache-2.0
//
// This file is never compiled standalone, it's included directly from
// extmod/modos.c via MICROPY_PY_OS_INCLUDEFILE.

#include <string.h>

#include "py/objstr.h"
#include "py/runtime.h"

#include "boot/limine.h"
#include "kernel/requests.h"

// From the processor's generator, or from its time stamp counter where it has
// none; then it is not fit for keys.
static void mp_hal_get_random(size_t n, uint8_t *buf) {
    for (size_t i = 0; i < n; ++i) {
        buf[i] = (uint8_t)cpu_random();
    }
}

// Releases from 1.28 bring urandom(n) themselves.
#if MICROPY_VERSION < MICROPY_MAKE_VERSION(1, 28, 0)
static mp_obj_t mp_os_urandom(mp_obj_t num) {
    mp_int_t n = mp_obj_get_int(num);
    if (n < 0) {
        mp_raise_ValueError(NULL);
    }
    vstr_t vstr;
    vstr_init_len(&vstr, n);
    mp_hal_get_random(n, (uint8_t *)vstr.buf);
    return mp_obj_new_bytes_from_vstr(&vstr);
}
static MP_DEFINE_CONST_FUN_OBJ_1(mp_os_urandom_obj, mp_os_urandom);
#endif

// What putenv() and unsetenv() have set; a dict, made at the first need.
MP_REGISTER_ROOT_POINTER(mp_obj_t os_environ);

static mp_obj_t environ(void) {
    if (MP_STATE_PORT(os_environ) == MP_OBJ_NULL) {
        MP_STATE_PORT(os_environ) = mp_obj_new_dict(0);
    }
    return MP_STATE_PORT(os_environ);
}

static const char *command_line(void) {
    const struct limine_executable_file_response *file = requests_response(REQUEST_EXECUTABLE_FILE);
    const struct limine_executable_cmdline_response *cmdline = requests_response(REQUEST_EXECUTABLE_CMDLINE);
    const char *line = NULL;
    if (file != NULL) {
        line = (const char *)((const struct limine_file *)file->executable_file)->string;
    } else if (cmdline != NULL) {
        line = (const char *)cmdline->cmdline;
    }
    return line == NULL ? "" : line;
}

// The value of the last word NAME=value of the command line, or None.
static mp_obj_t command_line_value(const char *name, size_t name_len) {
    mp_obj_t value = mp_const_none;
    for (const char *word = command_line(); *word != '\0';) {
        size_t len = strcspn(word, " ");
        if (len > name_len && word[name_len] == '=' && memcmp(word, name, name_len) == 0) {
            value = mp_obj_new_str(word + name_len + 1, len - name_len - 1);
        }
        word += len;
        word += strspn(word, " ");
    }
    return value;
}

// getenv(name[, default]): the environment is what the words NAME=value of the
// command line say, and what putenv() has set since the last soft reset.
static mp_obj_t mp_os_getenv(size_t n_args, const mp_obj_t *args) {
    size_t len;
    const char *name = mp_obj_str_get_data(args[0], &len);
    mp_map_elem_t *set = mp_map_lookup(mp_obj_dict_get_map(environ()), args[0], MP_MAP_LOOKUP);
    mp_obj_t value = set != NULL ? set->value : command_line_value(name, len);
    return value == mp_const_none && n_args == 2 ? args[1] : value;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(mp_os_getenv_obj, 1, 2, mp_os_getenv);

static mp_obj_t mp_os_putenv(mp_obj_t name_in, mp_obj_t value_in) {
    mp_obj_str_get_str(name_in);
    mp_obj_str_get_str(value_in);
    mp_obj_dict_store(environ(), name_in, value_in);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(mp_os_putenv_obj, mp_os_putenv);

static mp_obj_t mp_os_unsetenv(mp_obj_t name_in) {
    mp_obj_str_get_str(name_in);
    mp_obj_dict_store(environ(), name_in, mp_const_none);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(mp_os_unsetenv_obj, mp_os_unsetenv);
