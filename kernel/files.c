// SPDX-License-Identifier: MIT OR Apache-2.0

#include "py/gc.h"
#include "py/nlr.h"
#include "py/runtime.h"

#include "files.h"

// extmod/modos.c
extern const mp_obj_fun_builtin_fixed_t mp_os_sync_obj;

void files_sync(void) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        gc_collect();
        mp_call_function_0(MP_OBJ_FROM_PTR(&mp_os_sync_obj));
        nlr_pop();
    }
}
