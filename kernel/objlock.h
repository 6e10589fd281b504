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

#include "py/nlr.h"

#include "smp.h"

// One cache line each.  The version is odd while the holder changes a container so
// that a reader without a lock would see half of it.
typedef struct _objlock_stripe_t {
    uint32_t owner;
    uint32_t version;
} __attribute__((aligned(64))) objlock_stripe_t;

// A lock that is taken; it lies on its holder's stack.
typedef struct _objlock_t {
    nlr_jump_callback_node_t on_jump;
    objlock_stripe_t *stripe;
    struct _objlock_t *outer;
    bool held;
} objlock_t;

// No lock is taken: the interpreter starts.
void objlock_init(void);

objlock_stripe_t *objlock_stripe(const void *container);

// An exception that leaves the function releases its locks.
void objlock_take(objlock_t *lock, const void *container);
void objlock_release(objlock_t *lock);

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
