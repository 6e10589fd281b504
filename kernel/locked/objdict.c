// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Dicts with locks; reading by a key takes none (map.c).

#include "py/objtype.h"

// Upstream's dicts outside the heap, such as that of __main__, lie anywhere in a block.
#define LOCKED_CONTAINER(self) (&((mp_obj_dict_t *)MP_OBJ_TO_PTR(self))->map)

#include "locked.h"
#include "map.h"

static mp_obj_t dict_setdefault(size_t n_args, const mp_obj_t *args);
static mp_obj_t dict_popitem(mp_obj_t self);
static mp_obj_t dict_update(size_t n_args, const mp_obj_t *args, mp_map_t *kws);
static mp_obj_t dict_subscr(mp_obj_t self, mp_obj_t index, mp_obj_t value);
static mp_obj_t dict_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs);
static mp_obj_t dict_view_it_iternext(mp_obj_t self);
static void dict_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind);

#define mp_obj_dict_copy(...) mp_obj_dict_copy_unlocked(__VA_ARGS__)
#define mp_obj_dict_store(...) mp_obj_dict_store_unlocked(__VA_ARGS__)
#define dict_setdefault(...) dict_setdefault_unlocked(__VA_ARGS__)
#define dict_popitem(...) dict_popitem_unlocked(__VA_ARGS__)
#define dict_update(...) dict_update_unlocked(__VA_ARGS__)
#define dict_subscr(...) dict_subscr_unlocked(__VA_ARGS__)
#define dict_binary_op(...) dict_binary_op_unlocked(__VA_ARGS__)
#define dict_view_it_iternext(...) dict_view_it_iternext_unlocked(__VA_ARGS__)
#define dict_print(...) dict_print_unlocked(__VA_ARGS__)

static mp_obj_t mp_obj_dict_copy(mp_obj_t self);
static mp_obj_t mp_obj_dict_store(mp_obj_t self, mp_obj_t key, mp_obj_t value);

#include "py/objdict.c"

#undef mp_obj_dict_copy
#undef mp_obj_dict_store
#undef dict_setdefault
#undef dict_popitem
#undef dict_update
#undef dict_subscr
#undef dict_binary_op
#undef dict_view_it_iternext
#undef dict_print

LOCKED_1(mp_obj_dict_copy)
LOCKED_VAR(dict_setdefault)
LOCKED_1(dict_popitem)
LOCKED_PRINT(dict_print)
LOCKED_TWO(dict_update, mp_obj_is_dict_or_ordereddict, args[0], args[n_args - 1],
    (size_t n_args, const mp_obj_t *args, mp_map_t *kws), (n_args, args, kws))
#define dict_operate_unlocked dict_binary_op_unlocked
LOCKED_BINARY_OP(dict_operate, mp_obj_is_dict_or_ordereddict)

static mp_obj_t dict_binary_op(mp_binary_op_t op, mp_obj_t lhs, mp_obj_t rhs) {
    if (op == MP_BINARY_OP_CONTAINS) {
        return dict_binary_op_unlocked(op, lhs, rhs);
    }
    return dict_operate(op, lhs, rhs);
}

mp_obj_t mp_obj_dict_store(mp_obj_t self_in, mp_obj_t key, mp_obj_t value) {
    mp_obj_dict_t *self = MP_OBJ_TO_PTR(self_in);
    if (smp_running == 1 || !mp_obj_is_dict_or_ordereddict(self_in) || self->map.is_fixed) {
        return mp_obj_dict_store_unlocked(self_in, key, value);
    }
    map_store_shared(&self->map, key, value);
    return self_in;
}

static mp_obj_t dict_subscr(mp_obj_t self, mp_obj_t index, mp_obj_t value) {
    if (smp_running > 1 && value != MP_OBJ_NULL && value != MP_OBJ_SENTINEL) {
        // Neither deleted nor loaded.
        mp_obj_dict_store(self, index, value);
        return mp_const_none;
    }
    return dict_subscr_unlocked(self, index, value);
}

static __attribute__((noinline)) mp_obj_t iternext_shared(mp_obj_t self_in) {
    mp_obj_dict_view_it_t *self = MP_OBJ_TO_PTR(self_in);
    objlock_t lock;
    objlock_take(&lock, LOCKED_CONTAINER(self->dict));
    mp_obj_t next = dict_view_it_iternext_unlocked(self_in);
    objlock_release(&lock);
    return next;
}

static mp_obj_t dict_view_it_iternext(mp_obj_t self) {
    return smp_running == 1 ? dict_view_it_iternext_unlocked(self) : iternext_shared(self);
}

// f(**d).  Upstream counts the keys and then goes through the table, which others
// may change, so it gets a copy.  The linker calls this in its place (--wrap).
mp_obj_t __real_mp_call_method_n_kw_var(bool have_self, size_t n_args_n_kw, const mp_obj_t *args);
mp_obj_t __wrap_mp_call_method_n_kw_var(bool have_self, size_t n_args_n_kw, const mp_obj_t *args);

static void copy_dicts(size_t n_kw, mp_obj_t *pairs) {
    for (size_t i = 0; i < n_kw; ++i) {
        // A dict comes without a key.
        if (pairs[2 * i] == MP_OBJ_NULL && mp_obj_is_type(pairs[2 * i + 1], &mp_type_dict)) {
            pairs[2 * i + 1] = mp_obj_dict_copy(pairs[2 * i + 1]);
        }
    }
}

mp_obj_t __wrap_mp_call_method_n_kw_var(bool have_self, size_t n_args_n_kw, const mp_obj_t *args) {
    if (smp_running > 1) {
        // The function, self and the other arguments come first (py/runtime.c); all lie
        // on the caller's stack of values, which takes them off after the call.
        size_t n_args = n_args_n_kw & 0xff;
        copy_dicts(n_args_n_kw >> 8 & 0xff, (mp_obj_t *)args + 1 + have_self + n_args);
    }
    return __real_mp_call_method_n_kw_var(have_self, n_args_n_kw, args);
}
