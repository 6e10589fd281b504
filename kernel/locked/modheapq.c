// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Heaps under the lock of their list.

#include "locked.h"

static mp_obj_t mod_heapq_heappush(mp_obj_t self, mp_obj_t a);
static mp_obj_t mod_heapq_heappop(mp_obj_t self);
static mp_obj_t mod_heapq_heapify(mp_obj_t self);

#define mod_heapq_heappush(...) mod_heapq_heappush_unlocked(__VA_ARGS__)
#define mod_heapq_heappop(...) mod_heapq_heappop_unlocked(__VA_ARGS__)
#define mod_heapq_heapify(...) mod_heapq_heapify_unlocked(__VA_ARGS__)

#include "extmod/modheapq.c"

#undef mod_heapq_heappush
#undef mod_heapq_heappop
#undef mod_heapq_heapify

LOCKED_2(mod_heapq_heappush)
LOCKED_1(mod_heapq_heappop)
LOCKED_1(mod_heapq_heapify)
