// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_LOCKED_MAP_H
#define KERNEL_LOCKED_MAP_H

#include "py/obj.h"

// Stores the value under the lock that the key is looked up or added under: between
// mp_map_lookup() and a store to what it returns another processor could move the slot.
void map_store_shared(mp_map_t *map, mp_obj_t index, mp_obj_t value);

#endif // KERNEL_LOCKED_MAP_H
