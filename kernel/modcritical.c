// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The critical module: critical sections, and locks that begin one.  Inside a
// section interrupts are off and the interpreter's scheduler is locked, so that
// neither a KeyboardInterrupt nor a scheduled callback runs before its end.
// Sections nest.

#include "py/runtime.h"

#include "cpu.h"
#include "critical.h"

// Tries to take a lock that another processor holds: about a second.  The
// longest hold is a walk over a zone.
#define LOCK_TRIES 10000000

// Sections begun and not ended.  The scheduler's own count is not enough: the
// collector locks the scheduler too.
static int depth;

void critical_init(void) {
    depth = 0;
}

static bool enter(void) {
    bool enabled = cpu_irq_disable();
    ++depth;
    mp_sched_lock();
    return enabled;
}

static void leave(bool enabled) {
    // After critical_abandon() the section has ended already.
    if (depth > 0) {
        --depth;
        mp_sched_unlock();
    }
    cpu_irq_restore(enabled);
}

void critical_abandon(void) {
    for (; depth > 0; --depth) {
        mp_sched_unlock();
    }
}

// enter(): begins a section; returns the interrupt state, to be given to leave().
static mp_obj_t critical_enter(void) {
    return MP_OBJ_NEW_SMALL_INT(enter());
}
static MP_DEFINE_CONST_FUN_OBJ_0(critical_enter_obj, critical_enter);

// leave(state): ends the section that enter() began.
static mp_obj_t critical_leave(mp_obj_t state_in) {
    leave(mp_obj_get_int_truncated(state_in));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(critical_leave_obj, critical_leave);

static uint32_t *get_word(mp_obj_t virt_in) {
    return (uint32_t *)mp_obj_get_int_truncated(virt_in);
}

// lock(virt, owner): takes the lock word at virt for owner and begins a section.
// Returns the interrupt state, to be given to unlock(); or minus the number of
// the holder, with no section begun: at once where that is owner, else after a
// bounded wait.
static mp_obj_t critical_lock(mp_obj_t virt_in, mp_obj_t owner_in) {
    uint32_t *word = get_word(virt_in);
    uint32_t owner = (uint32_t)mp_obj_get_int_truncated(owner_in);
    bool enabled = enter();
    uint32_t holder = 0;
    for (int tries = 0; tries < LOCK_TRIES; ++tries) {
        holder = 0;
        if (__atomic_compare_exchange_n(word, &holder, owner, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return MP_OBJ_NEW_SMALL_INT(enabled);
        }
        if (holder == owner) {
            break;
        }
        cpu_pause();
    }
    leave(enabled);
    return MP_OBJ_NEW_SMALL_INT(-(mp_int_t)holder);
}
static MP_DEFINE_CONST_FUN_OBJ_2(critical_lock_obj, critical_lock);

// unlock(virt, state): releases the lock word at virt and ends the section that lock() began.
static mp_obj_t critical_unlock(mp_obj_t virt_in, mp_obj_t state_in) {
    __atomic_store_n(get_word(virt_in), 0, __ATOMIC_RELEASE);
    leave(mp_obj_get_int_truncated(state_in));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(critical_unlock_obj, critical_unlock);

static const mp_rom_map_elem_t critical_module_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_critical) },
    { MP_ROM_QSTR(MP_QSTR_enter), MP_ROM_PTR(&critical_enter_obj) },
    { MP_ROM_QSTR(MP_QSTR_leave), MP_ROM_PTR(&critical_leave_obj) },
    { MP_ROM_QSTR(MP_QSTR_lock), MP_ROM_PTR(&critical_lock_obj) },
    { MP_ROM_QSTR(MP_QSTR_unlock), MP_ROM_PTR(&critical_unlock_obj) },
};
static MP_DEFINE_CONST_DICT(critical_module_globals, critical_module_globals_table);

const mp_obj_module_t critical_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&critical_module_globals,
};

MP_REGISTER_MODULE(MP_QSTR_critical, critical_module);
