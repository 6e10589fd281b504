// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Lists with locks.  Reading, replacing and iterating over items take none: upstream
// reads the length before the items, whose block never shrinks (heapfree.c).

#include <string.h>

#include "py/objlist.h"

#include "locked.h"

static mp_obj_t list_extend(mp_obj_t self, mp_obj_t other);
static mp_obj_t list_pop(size_t n_args, const mp_obj_t *args);
static mp_obj_t list_clear(mp_obj_t self);
static mp_obj_t list_copy(mp_obj_t self);
static mp_obj_t list_count(mp_obj_t self, mp_obj_t a);
static mp_obj_t list_index(size_t n_args, const mp_obj_t *args);
static mp_obj_t list_insert(mp_obj_t self, mp_obj_t a, mp_obj_t b);
static mp_obj_t list_reverse(mp_obj_t self);
static mp_obj_t list_subscr(mp_obj_t self, mp_obj_t index, mp_obj_t value);
static mp_obj_t list_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs);
static void list_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind);

#define mp_obj_list_append(...) mp_obj_list_append_unlocked(__VA_ARGS__)
#define mp_obj_list_remove(...) mp_obj_list_remove_unlocked(__VA_ARGS__)
#define mp_obj_list_sort(...) mp_obj_list_sort_unlocked(__VA_ARGS__)
#define list_extend(...) list_extend_unlocked(__VA_ARGS__)
#define list_pop(...) list_pop_unlocked(__VA_ARGS__)
#define list_clear(...) list_clear_unlocked(__VA_ARGS__)
#define list_copy(...) list_copy_unlocked(__VA_ARGS__)
#define list_count(...) list_count_unlocked(__VA_ARGS__)
#define list_index(...) list_index_unlocked(__VA_ARGS__)
#define list_insert(...) list_insert_unlocked(__VA_ARGS__)
#define list_reverse(...) list_reverse_unlocked(__VA_ARGS__)
#define list_subscr(...) list_subscr_unlocked(__VA_ARGS__)
#define list_binary_op(...) list_binary_op_unlocked(__VA_ARGS__)
#define list_print(...) list_print_unlocked(__VA_ARGS__)

static mp_obj_t mp_obj_list_append(mp_obj_t self, mp_obj_t item);
static mp_obj_t mp_obj_list_remove(mp_obj_t self, mp_obj_t a);
static mp_obj_t mp_obj_list_sort(size_t n_args, const mp_obj_t *args, mp_map_t *kws);

// For upstream's str.join() (Makefile): it looks at the items twice.
void mp_obj_get_array_copy(mp_obj_t object, size_t *len, mp_obj_t **items);

#include "py/objlist.c"

#undef mp_obj_list_append
#undef mp_obj_list_remove
#undef mp_obj_list_sort
#undef list_extend
#undef list_pop
#undef list_clear
#undef list_copy
#undef list_count
#undef list_index
#undef list_insert
#undef list_reverse
#undef list_subscr
#undef list_binary_op
#undef list_print

static bool is_list(mp_obj_t object) {
    return mp_obj_is_type(object, &mp_type_list);
}

LOCKED_2(mp_obj_list_remove)
LOCKED_KW(mp_obj_list_sort)
LOCKED_VAR(list_pop)
LOCKED_1(list_clear)
LOCKED_1(list_copy)
LOCKED_2(list_count)
LOCKED_VAR(list_index)
LOCKED_3(list_insert)
LOCKED_1(list_reverse)
LOCKED_PRINT(list_print)
LOCKED_BINARY_OP(list_binary_op, is_list)
LOCKED_TWO(list_extend, is_list, self, other, (mp_obj_t self, mp_obj_t other), (self, other))

static __attribute__((noinline)) mp_obj_t list_subscr_shared(mp_obj_t self, mp_obj_t index, mp_obj_t value) {
    objlock_t lock;
    objlock_take(&lock, MP_OBJ_TO_PTR(self));
    mp_obj_t result = list_subscr_unlocked(self, index, value);
    objlock_release(&lock);
    return result;
}

static mp_obj_t list_subscr(mp_obj_t self, mp_obj_t index, mp_obj_t value) {
    if (smp_running > 1 && (value == MP_OBJ_NULL || mp_obj_is_type(index, &mp_type_slice))) {
        return list_subscr_shared(self, index, value);
    }
    return list_subscr_unlocked(self, index, value);
}

static __attribute__((noinline)) void append_shared(mp_obj_t self, mp_obj_t item) {
    objlock_t lock;
    objlock_take(&lock, MP_OBJ_TO_PTR(self));
    mp_obj_list_append_unlocked(self, item);
    objlock_release(&lock);
}

mp_obj_t mp_obj_list_append(mp_obj_t self_in, mp_obj_t item) {
    if (smp_running == 1) {
        return mp_obj_list_append_unlocked(self_in, item);
    }
    mp_check_self(is_list(self_in));
    mp_obj_list_t *self = MP_OBJ_TO_PTR(self_in);
    objlock_stripe_t *stripe = objlock_stripe(self);
    if (objlock_try(stripe)) {
        bool fits = self->len < self->alloc;
        if (fits) {
            self->items[self->len] = item;
            __atomic_store_n(&self->len, self->len + 1, __ATOMIC_RELEASE);
        }
        objlock_leave(stripe);
        if (fits) {
            return mp_const_none;
        }
    }
    append_shared(self_in, item);
    return mp_const_none;
}

static __attribute__((noinline)) void copy_shared(mp_obj_t self_in, size_t *len, mp_obj_t **items) {
    objlock_t lock;
    objlock_take(&lock, MP_OBJ_TO_PTR(self_in));
    mp_obj_list_get(list_copy_unlocked(self_in), len, items);
    objlock_release(&lock);
}

void mp_obj_get_array_copy(mp_obj_t object, size_t *len, mp_obj_t **items) {
    if (smp_running > 1 && is_list(object)) {
        copy_shared(object, len, items);
    } else {
        mp_obj_get_array(object, len, items);
    }
}
