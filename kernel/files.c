// SPDX-License-Identifier: MIT OR Apache-2.0

#include "py/gc.h"
#include "py/nlr.h"
#include "py/runtime.h"

#include "files.h"

// extmod/modos.c
extern const mp_obj_fun_builtin_fixed_t mp_os_sync_obj;

static bool in_finaliser(void) {
    return MP_STATE_THREAD(gc_lock_depth) & GC_COLLECT_FLAG;
}

static void sync_disks(void) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_call_function_0(MP_OBJ_FROM_PTR(&mp_os_sync_obj));
        nlr_pop();
    }
}

void files_sync(void) {
    if (!in_finaliser()) {
        gc_collect();
        sync_disks();
    }
}

void files_close(void) {
    if (!in_finaliser()) {
        sync_disks();
        gc_sweep_all();
    }
}
