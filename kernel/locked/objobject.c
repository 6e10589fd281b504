// SPDX-License-Identifier: MIT OR Apache-2.0
//
// object.__setattr__() under a lock.

#include "locked.h"

static mp_obj_t object___setattr__(mp_obj_t self, mp_obj_t a, mp_obj_t b);

#define object___setattr__(...) object___setattr___unlocked(__VA_ARGS__)

#include "py/objobject.c"

#undef object___setattr__

LOCKED_3(object___setattr__)
