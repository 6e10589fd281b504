// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Arrays and bytearrays with locks.  Reading and writing an element take none, and
// so do buffers: whoever has one goes on with the memory that it had.

#include "py/objarray.h"

#include "locked.h"

static mp_obj_t array_append(mp_obj_t self, mp_obj_t a);
static mp_obj_t array_extend(mp_obj_t self, mp_obj_t other);
static mp_obj_t array_subscr(mp_obj_t self, mp_obj_t index, mp_obj_t value);
static mp_obj_t array_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs);
static mp_int_t array_get_buffer(mp_obj_t self, mp_buffer_info_t *buffer, mp_uint_t flags);
static void array_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind);

#define array_append(...) array_append_unlocked(__VA_ARGS__)
#define array_extend(...) array_extend_unlocked(__VA_ARGS__)
#define array_subscr(...) array_subscr_unlocked(__VA_ARGS__)
#define array_binary_op(...) array_binary_op_unlocked(__VA_ARGS__)
#define array_get_buffer(...) array_get_buffer_unlocked(__VA_ARGS__)
#define array_print(...) array_print_unlocked(__VA_ARGS__)

#include "py/objarray.c"

#undef array_append
#undef array_extend
#undef array_subscr
#undef array_binary_op
#undef array_get_buffer
#undef array_print

// No other operand is changed; a lock for what is none does no harm.
static inline bool is_any(mp_obj_t object) {
    (void)object;
    return true;
}

LOCKED_2(array_append)
LOCKED_TWO(array_extend, is_any, self, other, (mp_obj_t self, mp_obj_t other), (self, other))
LOCKED_PRINT(array_print)
LOCKED_BINARY_OP(array_binary_op, is_any)
#define array_slice_unlocked array_subscr_unlocked
LOCKED_TWO(array_slice, is_any, self, value, (mp_obj_t self, mp_obj_t index, mp_obj_t value), (self, index, value))

static mp_obj_t array_subscr(mp_obj_t self, mp_obj_t index, mp_obj_t value) {
    return mp_obj_is_type(index, &mp_type_slice) ? array_slice(self, index, value) : array_subscr_unlocked(self, index, value);
}

// The length belongs to memory that is not older than it.
static mp_int_t array_get_buffer(mp_obj_t self_in, mp_buffer_info_t *buffer, mp_uint_t flags) {
    mp_obj_array_t *self = MP_OBJ_TO_PTR(self_in);
    mp_int_t result;
    size_t len;
    do {
        len = __atomic_load_n(&self->len, __ATOMIC_ACQUIRE);
        result = array_get_buffer_unlocked(self_in, buffer, flags);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (len != __atomic_load_n(&self->len, __ATOMIC_RELAXED));
    return result;
}
