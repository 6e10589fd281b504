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

// The locks of the collector, taken for each allocation.
static inline void mp_thread_recursive_mutex_init(mp_thread_recursive_mutex_t *mutex) {
    *mutex = (mp_thread_recursive_mutex_t) { 0 };
}

static inline int mp_thread_recursive_mutex_lock(mp_thread_recursive_mutex_t *mutex, int wait) {
    (void)wait;
    smp_lock(mutex);
    return 1;
}

static inline void mp_thread_recursive_mutex_unlock(mp_thread_recursive_mutex_t *mutex) {
    smp_unlock(mutex);
}

static inline struct _mp_state_thread_t *mp_thread_get_state(void) {
    return smp_this->thread;
}

#endif // KERNEL_MPTHREADPORT_H
