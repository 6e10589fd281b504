// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Locks of containers: lists, dicts, sets, deques, arrays, and the attributes of
// objects.  A container belongs to one of a fixed number of locks, by its address.
// They are taken only while several processors run Python (locked/).
//
// What is called under a lock may run Python code, which may wait for whatever it
// likes.  So a lock is given up wherever its holder waits, at the latest after some
// jumps of bytecode, and taken again when what was inside it has ended: none waits
// while it holds one.  CPython without a GIL does the same ("critical sections",
// PEP 703).
#ifndef KERNEL_OBJLOCK_H
#define KERNEL_OBJLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "py/mpstate.h"

#include "smp.h"

// One cache line each.  The version is odd while the holder changes a container so
// that a reader without a lock would see half of it.
typedef struct _objlock_stripe_t {
    uint32_t owner;
    uint32_t version;
} __attribute__((aligned(64))) objlock_stripe_t;

// So many that two containers in use seldom share one.
#define OBJLOCK_STRIPES 64

extern objlock_stripe_t objlock_stripes[OBJLOCK_STRIPES];

// A lock that is taken; it lies on its holder's stack.
typedef struct _objlock_t {
    nlr_jump_callback_node_t on_jump;
    objlock_stripe_t *stripe;
    struct _objlock_t *outer;
    bool held;
} objlock_t;

// No lock is taken: the interpreter starts.
void objlock_init(void);

// The map of an object on the heap starts in the object's first block, so both have one lock.
static inline objlock_stripe_t *objlock_stripe(const void *container) {
    return &objlock_stripes[(uintptr_t)container / MICROPY_BYTES_PER_GC_BLOCK % OBJLOCK_STRIPES];
}

// Tries to take a lock for a few instructions that call nothing; false if it is taken.
static inline bool objlock_try(objlock_stripe_t *stripe) {
    uint32_t none = 0;
    return __atomic_compare_exchange_n(&stripe->owner, &none, smp_this->number, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void objlock_leave(objlock_stripe_t *stripe) {
    __atomic_store_n(&stripe->owner, 0, __ATOMIC_RELEASE);
}

// Called by those below.
void objlock_hold(objlock_t *lock);
void objlock_end(objlock_t *lock);
void objlock_end_by_jump(void *lock);

// An exception that leaves the function releases its locks.
static inline void objlock_take(objlock_t *lock, const void *container) {
    lock->stripe = objlock_stripe(container);
    lock->outer = smp_this->objlock;
    lock->held = false;
    smp_this->objlock = lock;
    // As nlr_push_jump_callback().
    lock->on_jump.prev = MP_STATE_THREAD(nlr_jump_callback_top);
    lock->on_jump.fun = objlock_end_by_jump;
    MP_STATE_THREAD(nlr_jump_callback_top) = &lock->on_jump;
    if (objlock_try(lock->stripe)) {
        lock->held = true;
    } else {
        objlock_hold(lock);
    }
}

static inline void objlock_release(objlock_t *lock) {
    MP_STATE_THREAD(nlr_jump_callback_top) = lock->on_jump.prev;
    if (lock->outer == NULL && lock->held && !(lock->stripe->version & 1)) {
        smp_this->objlock = NULL;
        objlock_leave(lock->stripe);
    } else {
        objlock_end(lock);
    }
}

// The same for the locks of two containers: lock[0] and lock[1].
void objlock_take_two(objlock_t *lock, const void *first, const void *second);
void objlock_release_two(objlock_t *lock);

// Makes readers without a lock wait for the release.
void objlock_change(objlock_t *lock);

// Gives up all locks of this processor: it is going to wait, or runs Python code for long.
void objlock_give_up(void);

// Whether the containers of the stripe are whole, and have been since the version was read.
static inline bool objlock_read_version(const objlock_stripe_t *stripe, uint32_t *version) {
    *version = __atomic_load_n(&stripe->version, __ATOMIC_ACQUIRE);
    return (*version & 1) == 0;
}

static inline bool objlock_is_unchanged(const objlock_stripe_t *stripe, uint32_t version) {
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&stripe->version, __ATOMIC_RELAXED) == version;
}

#endif // KERNEL_OBJLOCK_H
