// SPDX-License-Identifier: MIT OR Apache-2.0
//
// How a file of this folder puts locks into upstream's file of the same name, which
// it includes.  Before, it defines a macro with parameters for a function:
//
//     #define list_pop(...) list_pop_unlocked(__VA_ARGS__)
//
// The compiler expands it where upstream defines the function and where it calls it,
// but not where it takes its address: there, in tables of methods and in types, the
// name is that of a function with a lock, which LOCKED_...() below defines.
//
// While one processor runs Python, that function only jumps to upstream's.
#ifndef KERNEL_LOCKED_LOCKED_H
#define KERNEL_LOCKED_LOCKED_H

#include "py/runtime.h"

#include "objlock.h"

// The address that an object's lock is chosen by.
#ifndef LOCKED_CONTAINER
#define LOCKED_CONTAINER(self) MP_OBJ_TO_PTR(self)
#endif

// name(self, ...) under the lock of self; list and call are its parameters, with
// types and without.  A function that was declared static stays so.
#define LOCKED(name, self, list, call) \
    static __attribute__((noinline)) mp_obj_t name##_shared list { \
        objlock_t lock; \
        objlock_take(&lock, LOCKED_CONTAINER(self)); \
        mp_obj_t result = name##_unlocked call; \
        objlock_release(&lock); \
        return result; \
    } \
    mp_obj_t name list { \
        return smp_running == 1 ? name##_unlocked call : name##_shared call; \
    }

#define LOCKED_1(name) LOCKED(name, self, (mp_obj_t self), (self))
#define LOCKED_2(name) LOCKED(name, self, (mp_obj_t self, mp_obj_t a), (self, a))
#define LOCKED_3(name) LOCKED(name, self, (mp_obj_t self, mp_obj_t a, mp_obj_t b), (self, a, b))
#define LOCKED_VAR(name) LOCKED(name, args[0], (size_t n_args, const mp_obj_t *args), (n_args, args))
#define LOCKED_KW(name) LOCKED(name, args[0], (size_t n_args, const mp_obj_t *args, mp_map_t *kws), (n_args, args, kws))

// The type's slots of these names.
#define LOCKED_PRINT(name) \
    static void name##_shared(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) { \
        objlock_t lock; \
        objlock_take(&lock, LOCKED_CONTAINER(self)); \
        name##_unlocked(print, self, kind); \
        objlock_release(&lock); \
    } \
    static void name(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) { \
        (smp_running == 1 ? name##_unlocked : name##_shared)(print, self, kind); \
    }

// The lock of the second container, too, if the other operand is one of the same type.
#define LOCKED_TWO(name, is_container, self, other, list, call) \
    static __attribute__((noinline)) mp_obj_t name##_shared list { \
        objlock_t lock[2]; \
        objlock_take_two(lock, LOCKED_CONTAINER(self), LOCKED_CONTAINER(is_container(other) ? other : self)); \
        mp_obj_t result = name##_unlocked call; \
        objlock_release_two(lock); \
        return result; \
    } \
    static mp_obj_t name list { \
        return smp_running == 1 ? name##_unlocked call : name##_shared call; \
    }

#define LOCKED_BINARY_OP(name, is_container) \
    LOCKED_TWO(name, is_container, lhs, rhs, (mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs), (op, lhs, rhs))

#endif // KERNEL_LOCKED_LOCKED_H
