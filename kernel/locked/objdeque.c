// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Deques with locks.

#include "locked.h"

static mp_obj_t mp_obj_deque_append(mp_obj_t self, mp_obj_t a);
static mp_obj_t mp_obj_deque_appendleft(mp_obj_t self, mp_obj_t a);
static mp_obj_t mp_obj_deque_extend(mp_obj_t self, mp_obj_t a);
static mp_obj_t deque_popleft(mp_obj_t self);
static mp_obj_t deque_pop(mp_obj_t self);
static mp_obj_t deque_subscr(mp_obj_t self, mp_obj_t a, mp_obj_t b);

#define mp_obj_deque_append(...) mp_obj_deque_append_unlocked(__VA_ARGS__)
#define mp_obj_deque_appendleft(...) mp_obj_deque_appendleft_unlocked(__VA_ARGS__)
#define mp_obj_deque_extend(...) mp_obj_deque_extend_unlocked(__VA_ARGS__)
#define deque_popleft(...) deque_popleft_unlocked(__VA_ARGS__)
#define deque_pop(...) deque_pop_unlocked(__VA_ARGS__)
#define deque_subscr(...) deque_subscr_unlocked(__VA_ARGS__)

#include "py/objdeque.c"

#undef mp_obj_deque_append
#undef mp_obj_deque_appendleft
#undef mp_obj_deque_extend
#undef deque_popleft
#undef deque_pop
#undef deque_subscr

LOCKED_2(mp_obj_deque_append)
LOCKED_2(mp_obj_deque_appendleft)
LOCKED_2(mp_obj_deque_extend)
LOCKED_1(deque_popleft)
LOCKED_1(deque_pop)
LOCKED_3(deque_subscr)
