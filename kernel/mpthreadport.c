// SPDX-License-Identifier: MIT OR Apache-2.0

#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/mpthread.h"
#include "py/runtime.h"

#include "clock.h"
#include "cpu.h"
#include "mpthreadport.h"
#include "objlock.h"
#include "smp.h"

// A lock is usually held for less than this; who waits longer halts in between.
#define SPIN_NS 200000
#define WAIT_MS 1

static smp_lock_t atomic_lock;

void mp_thread_init(void) {
    smp_this->thread = &mp_state_ctx.thread;
    objlock_init();
}

void mp_thread_deinit(void) {
    smp_end_others();
    atomic_lock = (smp_lock_t) { 0 };
    // A section or a guard that the reset has interrupted left them off.
    cpu_irq_restore(smp_started > 1);
}

void mp_thread_set_state(struct _mp_state_thread_t *state) {
    smp_this->thread = state;
}

mp_uint_t mp_thread_get_id(void) {
    return smp_this->number;
}

mp_uint_t mp_thread_create(void *(*entry)(void *), void *arg, size_t *stack_size) {
    // The same for all, whatever size was asked for.
    *stack_size = (size_t)(smp_this->stack_top - smp_this->stack_bottom);
    unsigned int number = smp_run(entry, arg);
    if (number == 0) {
        mp_raise_msg(&mp_type_OSError, MP_ERROR_TEXT("no processor is free"));
    }
    return number;
}

void mp_thread_start(void) {
}

// A section that the thread has not ended would keep all others out for good.
void mp_thread_finish(void) {
    if (atomic_lock.owner == smp_this->number) {
        atomic_lock.depth = 1;
        smp_unlock(&atomic_lock);
    }
}

void mp_thread_end_if_asked(void) {
    if (smp_is_end_asked()) {
        mp_thread_finish();
        smp_leave_thread();
    }
}

bool mp_thread_begin_atomic_section(void) {
    bool enabled = cpu_irq_disable();
    smp_lock(&atomic_lock);
    return enabled;
}

void mp_thread_end_atomic_section(bool enabled) {
    // The outermost section, however many of those inside it were not ended.
    if (enabled && atomic_lock.owner == smp_this->number) {
        atomic_lock.depth = 1;
    }
    smp_unlock(&atomic_lock);
    cpu_irq_restore(enabled);
}

void mp_thread_mutex_init(mp_thread_mutex_t *mutex) {
    *mutex = (mp_thread_mutex_t) { 0 };
}

// Waits for a lock of the _thread module, which the user's code holds for as long
// as it likes; on the main thread Ctrl-C ends the wait.
static void wait_for(mp_thread_mutex_t *mutex) {
    uint64_t spin_until_ns = clock_ns() + SPIN_NS;
    objlock_give_up();
    while (__atomic_load_n(&mutex->owner, __ATOMIC_RELAXED) != 0) {
        mp_thread_end_if_asked();
        if (mp_thread_is_main_thread()) {
            mp_event_handle_nowait();
        }
        if (clock_ns() < spin_until_ns) {
            smp_relax();
        } else {
            smp_wait(WAIT_MS);
        }
    }
}

int mp_thread_mutex_lock(mp_thread_mutex_t *mutex, int wait) {
    if (mutex == &MP_STATE_VM(qstr_mutex)) {
        // Taken again by a finaliser that interns a string while a string is interned.
        mp_thread_lock_interpreter(mutex);
        return 1;
    }
    for (;;) {
        uint32_t none = 0;
        if (__atomic_compare_exchange_n(&mutex->owner, &none, smp_this->number, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return 1;
        }
        if (!wait) {
            return 0;
        }
        if (smp_is_stopper()) {
            // In a finaliser, and the owner is stopped.
            return -MP_EBUSY;
        }
        wait_for(mutex);
    }
}

void mp_thread_mutex_unlock(mp_thread_mutex_t *mutex) {
    if (mutex == &MP_STATE_VM(qstr_mutex)) {
        mp_thread_unlock_interpreter(mutex);
    } else {
        __atomic_store_n(&mutex->owner, 0, __ATOMIC_RELEASE);
    }
}
