// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Dicts and sets, and all that is kept in them: names of modules, attributes of
// objects and classes.
//
// A look-up takes no lock.  It works on a copy of the map's header; the table that
// the header points to stays whole (heapfree.c).  If the version of the map's lock
// was changed meanwhile it is tried again, at last under the lock.  What it returns
// is a copy of what it found.
//
// A change that adds or removes a key works on a copy of the header, too, under the
// lock, and then stores the table first and its size last: who reads the size
// first, as upstream's loops do, never reads beyond a table's end.

#include "py/runtime.h"

#include "locked.h"
#include "map.h"

// The look-up cache (MICROPY_OPT_MAP_LOOKUP_CACHE) is the processor's own: it is the
// only part of the interpreter's state that the file names.
#undef MP_STATE_VM
#define MP_STATE_VM(name) (smp_this->name)

#define mp_map_lookup map_lookup
#define mp_map_clear map_clear
#define mp_set_lookup set_lookup
#define mp_set_remove_first set_remove_first
#define mp_set_clear set_clear

static mp_map_elem_t *map_lookup(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind);
static void map_clear(mp_map_t *map);
static mp_obj_t set_lookup(mp_set_t *set, mp_obj_t index, mp_map_lookup_kind_t kind);
static mp_obj_t set_remove_first(mp_set_t *set);
static void set_clear(mp_set_t *set);

#include "py/map.c"

#undef mp_map_lookup
#undef mp_map_clear
#undef mp_set_lookup
#undef mp_set_remove_first
#undef mp_set_clear

// How often a look-up that is disturbed is tried without a lock.
#define TRIES 3

// A copy of the slot that the next look-up on this processor overwrites; NULL for
// one that another processor is just adding.
static mp_map_elem_t *found(mp_map_elem_t elem) {
    if (elem.value == MP_OBJ_NULL) {
        return NULL;
    }
    mp_map_elem_t *copy = (mp_map_elem_t *)smp_self()->map_found;
    *copy = elem;
    return copy;
}

static __attribute__((noinline)) mp_map_elem_t *find_locked(mp_map_t *map, mp_obj_t index) {
    objlock_t lock;
    objlock_take(&lock, map);
    mp_map_elem_t *slot = map_lookup(map, index, MP_MAP_LOOKUP);
    mp_map_elem_t elem = { MP_OBJ_NULL, MP_OBJ_NULL };
    if (slot != NULL) {
        elem = *slot;
    }
    objlock_release(&lock);
    return found(elem);
}

static __attribute__((noinline)) mp_map_elem_t *find(mp_map_t *map, mp_obj_t index) {
    const objlock_stripe_t *stripe = objlock_stripe(map);
    for (int i = 0; i < TRIES; ++i) {
        uint32_t version;
        if (!objlock_read_version(stripe, &version)) {
            continue;
        }
        mp_map_t header = *map;
        if (!objlock_is_unchanged(stripe, version)) {
            continue;
        }
        mp_map_elem_t elem = { MP_OBJ_NULL, MP_OBJ_NULL };
        mp_map_elem_t *slot = map_lookup(&header, index, MP_MAP_LOOKUP);
        if (slot != NULL) {
            elem = *slot;
        }
        if (objlock_is_unchanged(stripe, version)) {
            return found(elem);
        }
    }
    return find_locked(map, index);
}

// The slot that the look-up cache names, as at the start of upstream's look-up;
// NULL if it has another key.
static inline mp_map_elem_t *find_cached(mp_map_elem_t *table, size_t alloc, mp_obj_t index) {
    if (alloc == 0) {
        return NULL;
    }
    mp_map_elem_t *slot = &table[MAP_CACHE_ENTRY(index) % alloc];
    return slot->key == index ? slot : NULL;
}

// The first step of find(), which is the last one mostly.
static inline mp_map_elem_t *find_first(mp_map_t *map, mp_obj_t index) {
    const objlock_stripe_t *stripe = objlock_stripe(map);
    uint32_t version;
    if (objlock_read_version(stripe, &version)) {
        size_t alloc = map->alloc;
        mp_map_elem_t *table = map->table;
        if (objlock_is_unchanged(stripe, version)) {
            mp_map_elem_t *slot = find_cached(table, alloc, index);
            if (slot != NULL) {
                mp_map_elem_t elem = *slot;
                if (objlock_is_unchanged(stripe, version) && elem.value != MP_OBJ_NULL) {
                    return found(elem);
                }
            }
        }
    }
    return find(map, index);
}

// Under the lock; returns the slot itself, or a copy of one that was removed.
static mp_map_elem_t *change(objlock_t *lock, mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind) {
    objlock_change(lock);
    mp_map_t header = *map;
    mp_map_elem_t *slot = map_lookup(&header, index, kind);
    __atomic_store_n(&map->table, header.table, __ATOMIC_RELEASE);
    __atomic_store_n(&map->alloc, header.alloc, __ATOMIC_RELEASE);
    map->used = header.used;
    map->all_keys_are_qstrs = header.all_keys_are_qstrs;
    if (kind == MP_MAP_LOOKUP_REMOVE_IF_FOUND && slot != NULL) {
        mp_map_elem_t removed = *slot;
        slot->value = MP_OBJ_NULL;
        slot = found(removed);
    }
    return slot;
}

static __attribute__((noinline)) mp_map_elem_t *change_shared(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind) {
    objlock_t lock;
    objlock_take(&lock, map);
    mp_map_elem_t *slot = change(&lock, map, index, kind);
    objlock_release(&lock);
    return slot;
}

static __attribute__((noinline)) mp_map_elem_t *lookup_shared(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind) {
    if (map->is_fixed) {
        return map_lookup(map, index, kind);
    }
    return kind == MP_MAP_LOOKUP ? find_first(map, index) : change_shared(map, index, kind);
}

mp_map_elem_t *mp_map_lookup(mp_map_t *map, mp_obj_t index, mp_map_lookup_kind_t kind) {
    return smp_running == 1 ? map_lookup(map, index, kind) : lookup_shared(map, index, kind);
}

static __attribute__((noinline)) void store(mp_map_t *map, mp_obj_t index, mp_obj_t value) {
    objlock_t lock;
    objlock_take(&lock, map);
    change(&lock, map, index, MP_MAP_LOOKUP_ADD_IF_NOT_FOUND)->value = value;
    objlock_release(&lock);
}

void map_store_shared(mp_map_t *map, mp_obj_t index, mp_obj_t value) {
    objlock_stripe_t *stripe = objlock_stripe(map);
    if (objlock_try(stripe)) {
        mp_map_elem_t *slot = find_cached(map->table, map->alloc, index);
        if (slot != NULL) {
            slot->value = value;
        }
        objlock_leave(stripe);
        if (slot != NULL) {
            return;
        }
    }
    store(map, index, value);
}

static __attribute__((noinline)) void map_clear_shared(mp_map_t *map) {
    objlock_t lock;
    objlock_take(&lock, map);
    objlock_change(&lock);
    __atomic_store_n(&map->alloc, 0, __ATOMIC_RELEASE);
    map_clear(map);
    objlock_release(&lock);
}

void mp_map_clear(mp_map_t *map) {
    if (smp_running == 1) {
        map_clear(map);
    } else {
        map_clear_shared(map);
    }
}

static void set_publish(mp_set_t *set, const mp_set_t *changed) {
    __atomic_store_n(&set->table, changed->table, __ATOMIC_RELEASE);
    __atomic_store_n(&set->alloc, changed->alloc, __ATOMIC_RELEASE);
    set->used = changed->used;
}

static __attribute__((noinline)) mp_obj_t set_change_shared(mp_set_t *set, mp_obj_t index, mp_map_lookup_kind_t kind) {
    objlock_t lock;
    objlock_take(&lock, set);
    objlock_change(&lock);
    mp_set_t header = *set;
    mp_obj_t elem = set_lookup(&header, index, kind);
    set_publish(set, &header);
    objlock_release(&lock);
    return elem;
}

static __attribute__((noinline)) mp_obj_t set_find_locked(mp_set_t *set, mp_obj_t index) {
    objlock_t lock;
    objlock_take(&lock, set);
    mp_obj_t elem = set_lookup(set, index, MP_MAP_LOOKUP);
    objlock_release(&lock);
    return elem;
}

static mp_obj_t set_find(mp_set_t *set, mp_obj_t index) {
    const objlock_stripe_t *stripe = objlock_stripe(set);
    for (int i = 0; i < TRIES; ++i) {
        uint32_t version;
        if (!objlock_read_version(stripe, &version)) {
            continue;
        }
        mp_set_t header = *set;
        if (!objlock_is_unchanged(stripe, version)) {
            continue;
        }
        mp_obj_t elem = set_lookup(&header, index, MP_MAP_LOOKUP);
        if (objlock_is_unchanged(stripe, version)) {
            return elem;
        }
    }
    return set_find_locked(set, index);
}

static __attribute__((noinline)) mp_obj_t set_lookup_shared(mp_set_t *set, mp_obj_t index, mp_map_lookup_kind_t kind) {
    return kind == MP_MAP_LOOKUP ? set_find(set, index) : set_change_shared(set, index, kind);
}

mp_obj_t mp_set_lookup(mp_set_t *set, mp_obj_t index, mp_map_lookup_kind_t kind) {
    return smp_running == 1 ? set_lookup(set, index, kind) : set_lookup_shared(set, index, kind);
}

static __attribute__((noinline)) mp_obj_t set_remove_first_shared(mp_set_t *set) {
    objlock_t lock;
    objlock_take(&lock, set);
    objlock_change(&lock);
    mp_obj_t elem = set_remove_first(set);
    objlock_release(&lock);
    return elem;
}

mp_obj_t mp_set_remove_first(mp_set_t *set) {
    return smp_running == 1 ? set_remove_first(set) : set_remove_first_shared(set);
}

static __attribute__((noinline)) void set_clear_shared(mp_set_t *set) {
    objlock_t lock;
    objlock_take(&lock, set);
    objlock_change(&lock);
    __atomic_store_n(&set->alloc, 0, __ATOMIC_RELEASE);
    set_clear(set);
    objlock_release(&lock);
}

void mp_set_clear(mp_set_t *set) {
    if (smp_running == 1) {
        set_clear(set);
    } else {
        set_clear_shared(set);
    }
}
