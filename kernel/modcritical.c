// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The critical module: critical sections, and locks that begin one.  Inside a
// section interrupts are off and the interpreter's scheduler is locked, so that
// neither a KeyboardInterrupt nor a scheduled callback runs before its end.
// Sections nest.

#include "py/runtime.h"
#include "shared/runtime/interrupt_char.h"

#include "cpu.h"
#include "critical.h"
#include "smp.h"

// Tries to take a lock that another processor holds: about a second.  The
// longest hold is a walk over a zone.
#define LOCK_TRIES 10000000

// Ctrl-C has come, and no section, callback or finaliser may be interrupted by
// it.  With threads the interpreter itself would not wait for their ends.
static bool interrupted;

void mp_sched_keyboard_interrupt_now(void) __asm__("__real_mp_sched_keyboard_interrupt");
void critical_note_interrupt(void) __asm__("__wrap_mp_sched_keyboard_interrupt");

// In place of mp_sched_keyboard_interrupt(), on any processor.
void critical_note_interrupt(void) {
    __atomic_store_n(&interrupted, true, __ATOMIC_RELEASE);
}

void critical_raise_interrupt(bool waiting) {
    if (!__atomic_load_n(&interrupted, __ATOMIC_ACQUIRE) || !mp_thread_is_main_thread()) {
        return;
    }
    if (mp_interrupt_char < 0) {
        // What it was to interrupt has ended.
        interrupted = false;
    } else if (smp_this->critical_depth == 0 && (waiting || MP_STATE_VM(sched_state) >= 0)) {
        interrupted = false;
        mp_sched_keyboard_interrupt_now();
    }
}

void critical_init(void) {
    smp_this->critical_depth = 0;
    interrupted = false;
}

// Callbacks and KeyboardInterrupts reach the main thread only.
static bool enter(void) {
    bool enabled = cpu_irq_disable();
    if (smp_this->critical_depth++ == 0 && mp_thread_is_main_thread()) {
        mp_sched_lock();
    }
    return enabled;
}

// All sections end, of which there is at least one.
static void end(void) {
    smp_this->critical_depth = 0;
    if (mp_thread_is_main_thread()) {
        mp_sched_unlock();
        if (interrupted) {
            // At the first jump.
            smp_this->vm_hook_countdown = 0;
        }
    }
}

static void leave(bool enabled) {
    // After critical_abandon() the section has ended already.
    if (smp_this->critical_depth > 1) {
        --smp_this->critical_depth;
    } else if (smp_this->critical_depth == 1) {
        end();
    }
    cpu_irq_restore(enabled);
}

void critical_abandon(void) {
    if (smp_this->critical_depth > 0) {
        end();
    }
    // Or no other processor could stop this one any more.
    cpu_irq_restore(smp_started > 1);
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

// Takes a lock word for owner, with interrupts off.  Returns 0, or its holder: at
// once where that is owner, else after a bounded wait.
static uint32_t take(uint32_t *word, uint32_t owner) {
    uint32_t holder = 0;
    for (int tries = 0; tries < LOCK_TRIES; ++tries) {
        holder = 0;
        if (__atomic_compare_exchange_n(word, &holder, owner, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return 0;
        }
        if (holder == owner) {
            break;
        }
        smp_relax();
    }
    return holder;
}

static void release(uint32_t *word) {
    __atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

// lock(virt, owner): takes the lock word at virt for owner and begins a section.
// Returns the interrupt state, to be given to unlock(); or minus the number of
// the holder, with no section begun: at once where that is owner, else after a
// bounded wait.
static mp_obj_t critical_lock(mp_obj_t virt_in, mp_obj_t owner_in) {
    bool enabled = enter();
    uint32_t holder = take(get_word(virt_in), (uint32_t)mp_obj_get_int_truncated(owner_in));
    if (holder != 0) {
        leave(enabled);
        return MP_OBJ_NEW_SMALL_INT(-(mp_int_t)holder);
    }
    return MP_OBJ_NEW_SMALL_INT(enabled);
}
static MP_DEFINE_CONST_FUN_OBJ_2(critical_lock_obj, critical_lock);

// unlock(virt, state): releases the lock word at virt and ends the section that lock() began.
static mp_obj_t critical_unlock(mp_obj_t virt_in, mp_obj_t state_in) {
    release(get_word(virt_in));
    leave(mp_obj_get_int_truncated(state_in));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(critical_unlock_obj, critical_unlock);

// context(): the number of this processor, from 1, under which it holds locks.
static mp_obj_t critical_context(void) {
    return MP_OBJ_NEW_SMALL_INT(smp_this->number);
}
static MP_DEFINE_CONST_FUN_OBJ_0(critical_context_obj, critical_context);

// mask(): turns this processor's interrupts off; returns context() << 1, plus 1
// if they were on, to be given to unmask().
static mp_obj_t critical_mask(void) {
    bool enabled = cpu_irq_disable();
    return MP_OBJ_NEW_SMALL_INT(smp_this->number << 1 | enabled);
}
static MP_DEFINE_CONST_FUN_OBJ_0(critical_mask_obj, critical_mask);

// unmask(state): turns them on if they were on at mask(), lock() or enter().
static mp_obj_t critical_unmask(mp_obj_t state_in) {
    cpu_irq_restore(mp_obj_get_int_truncated(state_in) & 1);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(critical_unmask_obj, critical_unmask);

// lock_masked(virt): mask(), and takes the lock word at virt for context().
// Returns what mask() does, to be given to unlock_masked(); or minus the number of
// the holder, as lock() does, with interrupts as before.  It begins no section:
// for code in which the interpreter does not run.
static mp_obj_t critical_lock_masked(mp_obj_t virt_in) {
    bool enabled = cpu_irq_disable();
    uint32_t number = smp_this->number;
    uint32_t holder = take(get_word(virt_in), number);
    if (holder != 0) {
        cpu_irq_restore(enabled);
        return MP_OBJ_NEW_SMALL_INT(-(mp_int_t)holder);
    }
    return MP_OBJ_NEW_SMALL_INT(number << 1 | enabled);
}
static MP_DEFINE_CONST_FUN_OBJ_1(critical_lock_masked_obj, critical_lock_masked);

// unlock_masked(virt, state): releases the lock word at virt, and unmask().
static mp_obj_t critical_unlock_masked(mp_obj_t virt_in, mp_obj_t state_in) {
    release(get_word(virt_in));
    return critical_unmask(state_in);
}
static MP_DEFINE_CONST_FUN_OBJ_2(critical_unlock_masked_obj, critical_unlock_masked);

// change16(virt, lock, change): under the lock word at lock sets the bits of
// change's lower half in the 16 at virt, and then inverts those of its upper half.
// Returns 0, or as lock() the number of the holder, with nothing changed.
static mp_obj_t critical_change16(mp_obj_t virt_in, mp_obj_t lock_in, mp_obj_t change_in) {
    uint16_t *bits = (uint16_t *)mp_obj_get_int_truncated(virt_in);
    uint32_t *lock = get_word(lock_in);
    uint32_t change = (uint32_t)mp_obj_get_int_truncated(change_in);
    bool enabled = cpu_irq_disable();
    uint32_t holder = take(lock, smp_this->number);
    if (holder == 0) {
        *bits = (uint16_t)((*bits | change) ^ change >> 16);
        release(lock);
    }
    cpu_irq_restore(enabled);
    return MP_OBJ_NEW_SMALL_INT(holder);
}
static MP_DEFINE_CONST_FUN_OBJ_3(critical_change16_obj, critical_change16);

// lock_many(element, end, locks, stride): for each 32-bit number n from element to
// end takes the lock word at locks + stride * n for context().  Interrupts are off.
// Returns the address where it stopped: end, or that of the first number whose word
// is not free, for which it does not wait.
static mp_obj_t critical_lock_many(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    const uint32_t *element = get_word(args[0]);
    const uint32_t *end = get_word(args[1]);
    uintptr_t locks = (uintptr_t)mp_obj_get_int_truncated(args[2]);
    uintptr_t stride = (uintptr_t)mp_obj_get_int_truncated(args[3]);
    uint32_t number = smp_this->number;
    for (; element < end; ++element) {
        uint32_t *word = (uint32_t *)(locks + stride * *element);
        uint32_t none = 0;
        if (!__atomic_compare_exchange_n(word, &none, number, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            break;
        }
    }
    return mp_obj_new_int((mp_int_t)element);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(critical_lock_many_obj, 4, 4, critical_lock_many);

// alone(): whether no other processor runs Python.
static mp_obj_t critical_alone(void) {
    return mp_obj_new_bool(smp_running == 1);
}
static MP_DEFINE_CONST_FUN_OBJ_0(critical_alone_obj, critical_alone);

// stop(): stops all others that run Python, outside their sections or where they
// wait in one, until resume().
static mp_obj_t critical_stop(void) {
    smp_stop();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(critical_stop_obj, critical_stop);

static mp_obj_t critical_resume(void) {
    smp_resume();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(critical_resume_obj, critical_resume);

static const mp_rom_map_elem_t critical_module_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_critical) },
    { MP_ROM_QSTR(MP_QSTR_enter), MP_ROM_PTR(&critical_enter_obj) },
    { MP_ROM_QSTR(MP_QSTR_leave), MP_ROM_PTR(&critical_leave_obj) },
    { MP_ROM_QSTR(MP_QSTR_lock), MP_ROM_PTR(&critical_lock_obj) },
    { MP_ROM_QSTR(MP_QSTR_unlock), MP_ROM_PTR(&critical_unlock_obj) },
    { MP_ROM_QSTR(MP_QSTR_context), MP_ROM_PTR(&critical_context_obj) },
    { MP_ROM_QSTR(MP_QSTR_mask), MP_ROM_PTR(&critical_mask_obj) },
    { MP_ROM_QSTR(MP_QSTR_unmask), MP_ROM_PTR(&critical_unmask_obj) },
    { MP_ROM_QSTR(MP_QSTR_lock_masked), MP_ROM_PTR(&critical_lock_masked_obj) },
    { MP_ROM_QSTR(MP_QSTR_unlock_masked), MP_ROM_PTR(&critical_unlock_masked_obj) },
    { MP_ROM_QSTR(MP_QSTR_change16), MP_ROM_PTR(&critical_change16_obj) },
    { MP_ROM_QSTR(MP_QSTR_lock_many), MP_ROM_PTR(&critical_lock_many_obj) },
    { MP_ROM_QSTR(MP_QSTR_alone), MP_ROM_PTR(&critical_alone_obj) },
    { MP_ROM_QSTR(MP_QSTR_stop), MP_ROM_PTR(&critical_stop_obj) },
    { MP_ROM_QSTR(MP_QSTR_resume), MP_ROM_PTR(&critical_resume_obj) },
};
static MP_DEFINE_CONST_DICT(critical_module_globals, critical_module_globals_table);

const mp_obj_module_t critical_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&critical_module_globals,
};

MP_REGISTER_MODULE(MP_QSTR_critical, critical_module);
