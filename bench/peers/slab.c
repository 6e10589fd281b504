// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A textbook slab cache (Bonwick 1994) of one size over order 0 blocks of buddy.c: a list of free
// objects in each slab, the slabs with free objects in a doubly linked list, a slab's descriptor at
// its end. No stocks, no locks and no checks of arguments.

#include "peers.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE ((size_t)1 << PAGE_SHIFT)

typedef struct slab {
    struct slab *next;
    struct slab *prev;
    void *free;
    size_t used;
} slab_t;

struct slab_cache {
    buddy_t *buddy;
    // Where frame 0 would be.
    uint8_t *memory;
    size_t size;
    slab_t *partial;
};

static slab_t *slab_of(void *object) {
    uintptr_t page = (uintptr_t)object & ~(PAGE_SIZE - 1);
    return (slab_t *)(page + PAGE_SIZE - sizeof(slab_t));
}

static void link_slab(slab_cache_t *cache, slab_t *slab) {
    slab->next = cache->partial;
    slab->prev = NULL;
    if (cache->partial != NULL) {
        cache->partial->prev = slab;
    }
    cache->partial = slab;
}

static void unlink_slab(slab_cache_t *cache, slab_t *slab) {
    if (slab->next != NULL) {
        slab->next->prev = slab->prev;
    }
    if (slab->prev != NULL) {
        slab->prev->next = slab->next;
    } else {
        cache->partial = slab->next;
    }
}

static slab_t *grow(slab_cache_t *cache) {
    uint8_t *page = cache->memory + (buddy_alloc(cache->buddy, 0) << PAGE_SHIFT);
    slab_t *slab = slab_of(page);
    slab->free = NULL;
    slab->used = 0;
    for (uint8_t *object = page; object + cache->size <= (uint8_t *)slab; object += cache->size) {
        *(void **)object = slab->free;
        slab->free = object;
    }
    link_slab(cache, slab);
    return slab;
}

static void *take(slab_cache_t *cache) {
    slab_t *slab = cache->partial != NULL ? cache->partial : grow(cache);
    void *object = slab->free;
    slab->free = *(void **)object;
    ++slab->used;
    if (slab->free == NULL) {
        unlink_slab(cache, slab);
    }
    return object;
}

static void give(slab_cache_t *cache, void *object) {
    slab_t *slab = slab_of(object);
    if (slab->free == NULL) {
        link_slab(cache, slab);
    }
    *(void **)object = slab->free;
    slab->free = object;
    // The last slab stays, so that one object more or less does not cost a frame each time.
    if (--slab->used == 0 && (slab->next != NULL || slab->prev != NULL)) {
        unlink_slab(cache, slab);
        buddy_free(cache->buddy, (size_t)((uint8_t *)slab - cache->memory) >> PAGE_SHIFT);
    }
}

size_t slab_size(void) {
    return sizeof(slab_cache_t);
}

void slab_open(slab_cache_t *cache, buddy_t *buddy, void *memory, size_t size) {
    cache->buddy = buddy;
    cache->memory = memory;
    cache->size = size;
    cache->partial = NULL;
}

void slab_pairs(slab_cache_t *cache, size_t times) {
    for (size_t i = 0; i < times; ++i) {
        void *object = take(cache);
        MEMORY_IS_USED();
        give(cache, object);
    }
}
