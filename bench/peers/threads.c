// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the host's own processors do in parallel: plain loops in threads, which share nothing.

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "peers.h"

#define THREADS_MAX 64
#define CACHE_LINE 64

typedef struct {
    _Alignas(CACHE_LINE) pthread_t thread;
    size_t rounds;
    uint64_t end_ns;
    bool ready;
} runner_t;

static bool go;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void *run(void *arg) {
    runner_t *runner = arg;
    __atomic_store_n(&runner->ready, true, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE)) {
    }
    uint32_t value = 1;
    for (size_t i = 0; i < runner->rounds; ++i) {
        value = value * 69069 + 1;
        // Or the compiler would leave out the loop.
        __asm__ volatile ("" : "+r" (value));
    }
    runner->end_ns = now_ns();
    return NULL;
}

size_t threads_burst(size_t threads, size_t rounds) {
    static runner_t runners[THREADS_MAX];
    if (threads == 0 || threads > THREADS_MAX) {
        return 0;
    }
    go = false;
    for (size_t i = 0; i < threads; ++i) {
        runners[i].rounds = rounds;
        runners[i].ready = false;
    }
    // The last one is the caller.
    for (size_t i = 0; i < threads - 1; ++i) {
        if (pthread_create(&runners[i].thread, NULL, run, &runners[i]) != 0) {
            return 0;
        }
        while (!__atomic_load_n(&runners[i].ready, __ATOMIC_ACQUIRE)) {
        }
    }
    uint64_t start_ns = now_ns();
    __atomic_store_n(&go, true, __ATOMIC_RELEASE);
    run(&runners[threads - 1]);
    uint64_t end_ns = runners[threads - 1].end_ns;
    for (size_t i = 0; i < threads - 1; ++i) {
        pthread_join(runners[i].thread, NULL);
        end_ns = runners[i].end_ns > end_ns ? runners[i].end_ns : end_ns;
    }
    return end_ns - start_ns;
}
