// SPDX-License-Identifier: MIT OR Apache-2.0

#include <string.h>

#include "py/mphal.h"
#include "py/mpthread.h"
#include "py/runtime.h"

#include "clock.h"
#include "critical.h"
#include "objlock.h"

// Containers are changed within microseconds; after this the holder runs Python
// code, or the host does not run the holder, and Ctrl-C is looked for.
#define LONG_WAIT_NS 20000000

objlock_stripe_t objlock_stripes[OBJLOCK_STRIPES];

void objlock_init(void) {
    memset(objlock_stripes, 0, sizeof(objlock_stripes));
    smp_this->objlock = NULL;
}

static void give(objlock_t *lock) {
    objlock_stripe_t *stripe = lock->stripe;
    lock->held = false;
    if (stripe->version & 1) {
        __atomic_store_n(&stripe->version, stripe->version + 1, __ATOMIC_RELEASE);
    }
    objlock_leave(stripe);
}

void objlock_give_up(void) {
    for (objlock_t *lock = smp_this->objlock; lock != NULL; lock = lock->outer) {
        if (lock->held) {
            give(lock);
        }
    }
}

// Raises a KeyboardInterrupt that has come.
static void look_for_interrupt(void) {
    mp_thread_end_if_asked();
    if (mp_thread_is_main_thread() && smp_this->critical_depth == 0) {
        mp_hal_poll_stdin();
        critical_raise_interrupt(true);
        if (MP_STATE_THREAD(mp_pending_exception) != MP_OBJ_NULL) {
            mp_handle_pending(true);
        }
    }
}

// The nearest of this processor's own locks on the stripe; NULL if there is none.
static objlock_t *find_outer(objlock_t *lock) {
    objlock_t *outer = lock->outer;
    while (outer != NULL && outer->stripe != lock->stripe) {
        outer = outer->outer;
    }
    return outer;
}

void objlock_hold(objlock_t *lock) {
    uint64_t long_wait_ns = 0;
    for (;;) {
        if (objlock_try(lock->stripe)) {
            lock->held = true;
            return;
        }
        if (__atomic_load_n(&lock->stripe->owner, __ATOMIC_RELAXED) == smp_this->number) {
            // One outside this one holds it, and gets it back at the release.
            objlock_t *outer = find_outer(lock);
            while (!outer->held) {
                outer = find_outer(outer);
            }
            outer->held = false;
            lock->held = true;
            return;
        }
        if (smp_is_stopper()) {
            // In a finaliser, and the owner is stopped.
            return;
        }
        objlock_give_up();
        smp_relax();
        if (long_wait_ns == 0) {
            long_wait_ns = clock_ns() + LONG_WAIT_NS;
        } else if (clock_ns() >= long_wait_ns) {
            look_for_interrupt();
        }
    }
}

static void end(objlock_t *lock) {
    smp_this->objlock = lock->outer;
    if (lock->held) {
        objlock_t *outer = find_outer(lock);
        if (outer != NULL) {
            outer->held = true;
        } else {
            give(lock);
        }
    }
}

void objlock_end_by_jump(void *lock) {
    end(lock);
}

void objlock_end(objlock_t *lock) {
    end(lock);
    if (lock->outer != NULL && !lock->outer->held) {
        // Given up for a wait inside.
        objlock_hold(lock->outer);
    }
}

void objlock_take_two(objlock_t *lock, const void *first, const void *second) {
    // By address, so that two processors do not give up each other's for ever.
    if (objlock_stripe(first) > objlock_stripe(second)) {
        const void *later = first;
        first = second;
        second = later;
    }
    objlock_take(&lock[0], first);
    objlock_take(&lock[1], second);
    while (!lock[0].held && lock[0].stripe != lock[1].stripe && !smp_is_stopper()) {
        // Given up for the second.
        objlock_release(&lock[1]);
        objlock_take(&lock[1], second);
    }
}

void objlock_release_two(objlock_t *lock) {
    objlock_release(&lock[1]);
    objlock_release(&lock[0]);
}

void objlock_change(objlock_t *lock) {
    objlock_stripe_t *stripe = lock->stripe;
    if (lock->held && !(stripe->version & 1)) {
        __atomic_store_n(&stripe->version, stripe->version + 1, __ATOMIC_RELAXED);
        // Before the changes.
        __atomic_thread_fence(__ATOMIC_RELEASE);
    }
}
