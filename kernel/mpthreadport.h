// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Threads: each is a processor, and runs on it until it ends.
#ifndef KERNEL_MPTHREADPORT_H
#define KERNEL_MPTHREADPORT_H

#include <stdbool.h>

#include "smp.h"

// Of a lock of the _thread module, which may be held for long, only the owner is used.
typedef smp_lock_t mp_thread_mutex_t;
typedef smp_lock_t mp_thread_recursive_mutex_t;

// At each start of the interpreter: this processor runs the main thread.
void mp_thread_init(void);

// Before its end: ends all other threads.
void mp_thread_deinit(void);

// At each jump of bytecode and in each wait: ends this thread if it was asked to.
void mp_thread_end_if_asked(void);

// Sections that exclude each other on all processors.  The state is whether
// interrupts were on.
bool mp_thread_begin_atomic_section(void);
void mp_thread_end_atomic_section(bool enabled);

// The interpreter's own locks: of the collector, taken for each allocation, and of
// the table of strings.  Not taken while this processor alone runs Python: only it
// could start another, which allocates (modthread.c), and under these locks Python
// runs in finalisers alone, where no allocation succeeds.  Another that ran left
// these locks before it was counted out.
static inline void mp_thread_lock_interpreter(smp_lock_t *lock) {
    if (smp_running > 1) {
        smp_lock_shared(lock);
    }
    // The processor does not read ahead of the look; the compiler must not either.
    __atomic_signal_fence(__ATOMIC_ACQUIRE);
}

// What was taken while others ran is held, whoever runs now.  Then the end of an inner
// section releases it: early, but alone.
static inline void mp_thread_unlock_interpreter(smp_lock_t *lock) {
    if (lock->owner != 0) {
        smp_unlock_shared(lock);
    }
}

static inline void mp_thread_recursive_mutex_init(mp_thread_recursive_mutex_t *mutex) {
    *mutex = (mp_thread_recursive_mutex_t) { 0 };
}

static inline int mp_thread_recursive_mutex_lock(mp_thread_recursive_mutex_t *mutex, int wait) {
    (void)wait;
    mp_thread_lock_interpreter(mutex);
    return 1;
}

static inline void mp_thread_recursive_mutex_unlock(mp_thread_recursive_mutex_t *mutex) {
    mp_thread_unlock_interpreter(mutex);
}

static inline struct _mp_state_thread_t *mp_thread_get_state(void) {
    return smp_this->thread;
}

#endif // KERNEL_MPTHREADPORT_H
