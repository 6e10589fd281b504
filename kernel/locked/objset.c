// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Sets with locks; one element is looked up without, added or removed under map.c's.

#include "locked.h"

static mp_obj_t set_copy(mp_obj_t self);
static mp_obj_t set_diff(size_t n_args, const mp_obj_t *args);
static mp_obj_t set_intersect(mp_obj_t self, mp_obj_t other);
static mp_obj_t set_intersect_update(mp_obj_t self, mp_obj_t other);
static mp_obj_t set_issubset(mp_obj_t self, mp_obj_t other);
static mp_obj_t set_issuperset(mp_obj_t self, mp_obj_t other);
static mp_obj_t set_symmetric_difference(mp_obj_t self, mp_obj_t other);
static mp_obj_t set_union(mp_obj_t self, mp_obj_t other);
static mp_obj_t set_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs);
static mp_obj_t set_it_iternext(mp_obj_t self);
static void set_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind);

#define set_copy(...) set_copy_unlocked(__VA_ARGS__)
#define set_diff(...) set_diff_unlocked(__VA_ARGS__)
#define set_intersect(...) set_intersect_unlocked(__VA_ARGS__)
#define set_intersect_update(...) set_intersect_update_unlocked(__VA_ARGS__)
#define set_issubset(...) set_issubset_unlocked(__VA_ARGS__)
#define set_issuperset(...) set_issuperset_unlocked(__VA_ARGS__)
#define set_symmetric_difference(...) set_symmetric_difference_unlocked(__VA_ARGS__)
#define set_union(...) set_union_unlocked(__VA_ARGS__)
#define set_binary_op(...) set_binary_op_unlocked(__VA_ARGS__)
#define set_it_iternext(...) set_it_iternext_unlocked(__VA_ARGS__)
#define set_print(...) set_print_unlocked(__VA_ARGS__)

#include "py/objset.c"

#undef set_copy
#undef set_diff
#undef set_intersect
#undef set_intersect_update
#undef set_issubset
#undef set_issuperset
#undef set_symmetric_difference
#undef set_union
#undef set_binary_op
#undef set_it_iternext
#undef set_print

#define LOCKED_SETS(name) \
    LOCKED_TWO(name, is_set_or_frozenset, self, other, (mp_obj_t self, mp_obj_t other), (self, other))

LOCKED_1(set_copy)
LOCKED_VAR(set_diff)
LOCKED_SETS(set_intersect)
LOCKED_SETS(set_intersect_update)
LOCKED_SETS(set_issubset)
LOCKED_SETS(set_issuperset)
LOCKED_SETS(set_symmetric_difference)
LOCKED_SETS(set_union)
LOCKED_PRINT(set_print)
#define set_operate_unlocked set_binary_op_unlocked
LOCKED_BINARY_OP(set_operate, is_set_or_frozenset)

static mp_obj_t set_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs) {
    if (op == MP_BINARY_OP_CONTAINS) {
        return set_binary_op_unlocked(op, lhs, rhs);
    }
    return set_operate(op, lhs, rhs);
}

static __attribute__((noinline)) mp_obj_t iternext_shared(mp_obj_t self_in) {
    mp_obj_set_it_t *self = MP_OBJ_TO_PTR(self_in);
    objlock_t lock;
    objlock_take(&lock, self->set);
    mp_obj_t next = set_it_iternext_unlocked(self_in);
    objlock_release(&lock);
    return next;
}

static mp_obj_t set_it_iternext(mp_obj_t self) {
    return smp_running == 1 ? set_it_iternext_unlocked(self) : iternext_shared(self);
}
