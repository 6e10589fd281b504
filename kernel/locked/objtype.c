// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Attributes of objects and classes: stored and deleted under a lock.

#include "locked.h"
#include "map.h"

static void mp_obj_instance_attr(mp_obj_t self, qstr attr, mp_obj_t *dest);
static void type_attr(mp_obj_t self, qstr attr, mp_obj_t *dest);

#define mp_obj_instance_attr(...) mp_obj_instance_attr_unlocked(__VA_ARGS__)
#define type_attr(...) type_attr_unlocked(__VA_ARGS__)

#include "py/objtype.c"

#undef mp_obj_instance_attr
#undef type_attr

static __attribute__((noinline)) void instance_store_shared(mp_obj_t self_in, qstr attr, mp_obj_t *dest) {
    mp_obj_instance_t *self = MP_OBJ_TO_PTR(self_in);
    if (dest[1] != MP_OBJ_NULL && !(self->base.type->flags & MP_TYPE_FLAG_HAS_SPECIAL_ACCESSORS)) {
        map_store_shared(&self->members, MP_OBJ_NEW_QSTR(attr), dest[1]);
        dest[0] = MP_OBJ_NULL;
        return;
    }
    objlock_t lock;
    objlock_take(&lock, self);
    mp_obj_instance_attr_unlocked(self_in, attr, dest);
    objlock_release(&lock);
}

// The first word of dest tells loads from stores (mp_attr_fun_t of py/obj.h).
static void mp_obj_instance_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    if (smp_running > 1 && dest[0] != MP_OBJ_NULL) {
        instance_store_shared(self, attr, dest);
    } else {
        mp_obj_instance_attr_unlocked(self, attr, dest);
    }
}

static __attribute__((noinline)) void type_store_shared(mp_obj_t self_in, qstr attr, mp_obj_t *dest) {
    mp_obj_type_t *self = MP_OBJ_TO_PTR(self_in);
    objlock_t lock;
    objlock_take(&lock, MP_OBJ_TYPE_GET_SLOT_OR_NULL(self, locals_dict));
    type_attr_unlocked(self_in, attr, dest);
    objlock_release(&lock);
}

static void type_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    if (smp_running > 1 && dest[0] != MP_OBJ_NULL) {
        type_store_shared(self, attr, dest);
    } else {
        type_attr_unlocked(self, attr, dest);
    }
}
